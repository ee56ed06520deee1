"""Calibration finds what was planted, keeps every rank, and changes nothing before it is fitted."""

import torch
from torch import Tensor

from hespotex.metrics import GeneMoments, gene_pearson
from hespotex.modules.calibration import WITHIN, Calibration

N_GENES = 40


def predicted(seed: int, n: int = 300) -> Tensor:
    return torch.randn(n, N_GENES, generator=torch.Generator().manual_seed(seed)) + 3


def left_out(slope: Tensor, level: float, n_groups: int = 8) -> dict[str, list[GeneMoments]]:
    """Of groups where measured = 3 + level + slope * (predicted - 3) + noise."""
    found = {}
    for group in range(n_groups):
        own = predicted(group)
        noise = 0.1 * torch.randn(own.shape, generator=torch.Generator().manual_seed(100 + group))
        found[f"P{group}"] = [GeneMoments.of(own, 3 + level + slope * (own - 3) + noise)]
    return found


def test_nothing_changes_before_it_is_fitted() -> None:
    x = predicted(0)
    assert torch.equal(Calibration(N_GENES)(x), x)


def test_spread_and_level_are_found() -> None:
    slope = torch.linspace(0.5, 1.5, N_GENES)
    fitted = Calibration(N_GENES)
    fitted.fit(left_out(slope, level=-1.0), torch.full((N_GENES,), 3.0))
    one_more = (8 * slope + slope.mean()) / 9  # drawn as if by one group
    torch.testing.assert_close(fitted.slope, one_more, atol=0.03, rtol=0)
    torch.testing.assert_close(fitted.shift, torch.full((N_GENES,), -8 / 9), atol=0.03, rtol=0)


def test_ranks_stay_even_where_a_gene_went_the_other_way() -> None:
    slope = torch.ones(N_GENES)
    slope[0] = -2
    fitted = Calibration(N_GENES)
    fitted.fit(left_out(slope, level=0.5), torch.full((N_GENES,), 3.0))
    assert fitted.slope.min() > 0
    assert fitted.slope.max() / fitted.slope.min() <= WITHIN**2 + 1e-6
    x, y = predicted(50), predicted(51)
    torch.testing.assert_close(gene_pearson(fitted(x), y), gene_pearson(x, y))


def test_a_gene_that_no_group_measured_follows_the_others() -> None:
    groups = left_out(torch.full((N_GENES,), 0.5), level=1.0)
    keep = torch.arange(1, N_GENES)
    few = {name: [own[0].of_genes(keep).among(keep, N_GENES)] for name, own in groups.items()}
    fitted = Calibration(N_GENES)
    fitted.fit(few, torch.full((N_GENES,), 3.0))
    assert fitted.shift[0] == 0
    torch.testing.assert_close(fitted.slope[0], torch.tensor(0.5), atol=0.03, rtol=0)
    assert fitted(predicted(1)).isfinite().all()


def test_weights_of_before_are_read() -> None:
    fitted = Calibration(N_GENES)
    fitted.load_state_dict({})
    assert torch.equal(fitted(predicted(2)), predicted(2))
