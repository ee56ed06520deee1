"""A drawn slide with made-up predictions."""

from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from builders.slides import SLIDE_MPP, read, write_slide

from hespotex.results.slide.gene_sets import score_gene_sets
from hespotex.results.slide.table import slide_table
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue, slide_tissue

HOSTILE = "</script><script>document.title='hacked'</script><b>\"G'"  # as a gene's name
GENES = ["LEFT", "FLAT", HOSTILE, "NOISE1", "NOISE2"]


@pytest.fixture(scope="session")
def tissue(slide_path: Path) -> Tissue:
    return slide_tissue(slide_path, SLIDE_MPP)


@pytest.fixture(scope="session")
def slide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slides") / "case <i>1&2.tif")


@pytest.fixture(scope="session")
def section(slide_path: Path, tissue: Tissue) -> Section:
    return read(slide_path, grid="hexagonal", tissue=tissue)


@pytest.fixture
def table(section: Section) -> ad.AnnData:
    """Expression that falls from left to right, a constant gene, and noise; two gene sets."""
    rng = np.random.default_rng(0)
    n = len(section.adata)
    expression = rng.normal(2, [0, 0, 0.5, 0.2, 0.1], (n, 5)).astype(np.float32)
    expression[:, 0] = 5 - section.pos_px[:, 0] / 100
    made = slide_table(
        section,
        GENES,
        expression,
        {"unit": "log1p counts", "model": "ridge"},
        fold_std=np.float32(0.1) * expression,
        spots={"nuclei": rng.poisson(9, n), "note": np.array(["a"] * n)},
    )
    score_gene_sets(
        made,
        {
            "SIDE/ONE": ["LEFT", "FLAT", "ABSENT"],
            "NOTHING": ["ABSENT"],
            "NOISE": ["NOISE1", "NOISE2"],
        },
    )
    return made
