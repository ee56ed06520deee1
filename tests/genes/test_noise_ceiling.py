"""The ceiling of a section's genes, in each unit that they are predicted in."""

import logging

import numpy as np
import pytest
from builders import section, square_grid

from hespotex.genes import noise_ceiling as module
from hespotex.genes.expression import Expression, LogNormalised, LogRaw, PearsonResiduals
from hespotex.genes.noise_ceiling import noise_ceiling
from hespotex.genes.panel import GenePanel
from hespotex.sections.section import Section

GENES = ["varies", "constant", "unmeasured"]
PANEL = GenePanel(GENES, [])


@pytest.fixture
def counted() -> Section:
    """One gene whose rate varies tenfold over spots, one whose rate does not, and many others."""
    rng = np.random.default_rng(0)
    pos = square_grid(20)[0]
    rate = np.full((len(pos), 40), 20.0)
    rate[:, 0] *= np.where(np.arange(len(pos)) % 2, 1.0, 0.1)
    names = [*GENES[:2], *(f"other{i}" for i in range(38))]
    return section(rng.poisson(rate).astype(np.float32), names, pos=pos)


@pytest.mark.parametrize("expression", [LogRaw(), LogNormalised(), PearsonResiduals()])
def test_a_gene_that_varies_has_a_high_one(expression: Expression, counted: Section) -> None:
    expression.fit([counted], PANEL)
    varies, constant, unmeasured = noise_ceiling(counted, PANEL, expression)
    assert varies > 0.8 > 0.6 > constant
    assert np.isnan(unmeasured)


def test_blocks_of_genes_do_not_matter(counted: Section, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = noise_ceiling(counted, PANEL, LogNormalised())
    monkeypatch.setattr(module, "BLOCK", 1)
    np.testing.assert_array_equal(noise_ceiling(counted, PANEL, LogNormalised()), whole)


def test_a_large_section_is_sampled(counted: Section, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENOUGH_SPOTS", 100)
    assert noise_ceiling(counted, PANEL, LogRaw())[0] > 0.8


def test_what_is_no_count_has_none(counted: Section, caplog: pytest.LogCaptureFixture) -> None:
    counted.adata.X = counted.adata.X * 0.5
    with caplog.at_level(logging.WARNING):
        assert np.isnan(noise_ceiling(counted, PANEL, LogRaw())).all()
    assert "no noise ceiling, as its values are no counts" in caplog.text
