"""Maps: the raster is the spot grid, SSIM is scikit-image's, Moran's I knows a pattern from
noise.
"""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from hespotex.metrics import maps as maps_module
from hespotex.metrics.autocorrelation import Neighbours, morans_i
from hespotex.metrics.genes import Centred
from hespotex.metrics.maps import INSIDE, WINDOW, Raster, ssim
from hespotex.sections.graph import knn_edges

SIDE = 16
PITCH = 100.0


def grid(side: int = SIDE) -> np.ndarray:
    row, column = np.mgrid[:side, :side]
    return PITCH * np.stack([column.ravel(), row.ravel()], axis=1).astype(float)


def hexagons(side: int = SIDE) -> np.ndarray:
    row, column = np.mgrid[:side, :side]
    return PITCH * np.stack([(column + row % 2 / 2).ravel(), row.ravel() * 3**0.5 / 2], axis=1)


def maps(seed: int = 0, n_genes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    measured = rng.normal(2, 1, (SIDE**2, n_genes))
    return measured * 0.5 + rng.normal(0, 0.4, measured.shape), measured


def similarity(predicted: np.ndarray, measured: np.ndarray, raster: Raster) -> np.ndarray:
    """SSIM of tables (n_spots, n_genes)."""
    return ssim(Centred.of(predicted.T), Centred.of(measured.T), raster)


def moran(values: np.ndarray, pos: np.ndarray) -> np.ndarray:
    return morans_i(Centred.of(values.T), Neighbours(knn_edges(pos, 4), len(pos)))


def test_the_raster_of_a_square_grid_is_the_grid_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(SIDE**2)
    jitter = np.random.default_rng(1).uniform(-8, 8, (SIDE**2, 2))
    raster = Raster.of(grid()[order] + jitter[order], PITCH)
    assert raster.tissue.all()
    np.testing.assert_array_equal(order[raster.spot], np.arange(SIDE**2).reshape(SIDE, SIDE))


def test_places_without_tissue_stay_empty() -> None:
    keep = np.linalg.norm(grid() - grid().mean(axis=0), axis=1) > 3 * PITCH
    raster = Raster.of(grid()[keep], PITCH)
    assert raster.tissue.sum() == keep.sum()
    np.testing.assert_array_equal(raster.tissue.ravel(), keep)
    drawn = raster.draw(np.ones((2, keep.sum())), slice(0, SIDE))
    assert drawn.shape == (2, SIDE + 2 * INSIDE, SIDE + 2 * INSIDE)
    assert drawn.sum() == 2 * keep.sum()


def test_a_hexagonal_grid_has_no_holes() -> None:
    raster = Raster.of(hexagons(), PITCH)
    assert raster.tissue[:, 1:-1].all()
    assert len(np.unique(raster.spot)) - 1 > 0.9 * SIDE**2


def test_ssim_is_scikit_images_where_the_window_fits() -> None:
    predicted, measured = maps()
    plain = []
    for g in range(4):
        p, m = (values[:, g].reshape(SIDE, SIDE) for values in (predicted, measured))
        span = m.max() - m.min()
        _, full = structural_similarity(
            p, m, win_size=WINDOW, data_range=span, use_sample_covariance=False, full=True
        )
        plain.append(full[INSIDE:-INSIDE, INSIDE:-INSIDE])
    inner = grid()[:, 0].reshape(SIDE, SIDE)[INSIDE:-INSIDE, INSIDE:-INSIDE].size
    raster = Raster.of(grid(), PITCH)
    whole = similarity(predicted, measured, raster)
    border = [_slow(predicted[:, g], measured[:, g]) for g in range(4)]
    np.testing.assert_allclose(whole, [b.mean() for b in border], rtol=1e-9)
    for found, expected in zip(border, plain, strict=True):
        assert expected.size == inner
        np.testing.assert_allclose(found[INSIDE:-INSIDE, INSIDE:-INSIDE], expected, rtol=1e-9)


def _slow(p: np.ndarray, m: np.ndarray) -> np.ndarray:
    """SSIM of one gene, window by window, each cut at the border."""
    p, m, span = p.reshape(SIDE, SIDE), m.reshape(SIDE, SIDE), np.ptp(m)
    c1 = (0.01 * span) ** 2
    c2 = (0.03 * span) ** 2
    out = np.empty((SIDE, SIDE))
    for i, j in np.ndindex(SIDE, SIDE):
        rows = slice(max(i - INSIDE, 0), i + INSIDE + 1)
        columns = slice(max(j - INSIDE, 0), j + INSIDE + 1)
        a = p[rows, columns].ravel()
        b = m[rows, columns].ravel()
        cov = ((a - a.mean()) * (b - b.mean())).mean()
        out[i, j] = (2 * a.mean() * b.mean() + c1) * (2 * cov + c2)
        out[i, j] /= (a.mean() ** 2 + b.mean() ** 2 + c1) * (a.var() + b.var() + c2)
    return out


@pytest.mark.parametrize("strip", [1, 40, 100])
def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch, strip: int) -> None:
    predicted, measured = maps()
    keep = np.random.default_rng(3).random(SIDE**2) > 0.3
    raster = Raster.of(grid()[keep], PITCH)
    whole = similarity(predicted[keep], measured[keep], raster)
    monkeypatch.setattr(maps_module, "STRIP", strip)
    found = similarity(predicted[keep], measured[keep], raster)
    np.testing.assert_allclose(found, whole, rtol=1e-12)


def test_ssim_limits() -> None:
    predicted, measured = maps()
    raster = Raster.of(grid(), PITCH)
    np.testing.assert_allclose(similarity(measured, measured, raster), 1)
    shuffled = similarity(
        measured[np.random.default_rng(2).permutation(len(measured))], measured, raster
    )
    assert (shuffled < similarity(predicted, measured, raster)).all()
    assert (similarity(measured * 0.1 + 1.8, measured, raster) < 0.5).all()  # a map that has shrunk
    measured[:, 1], measured[:, 2] = 3.0, np.nan
    assert np.isnan(similarity(predicted, measured, raster)).tolist() == [False, True, True, False]


@pytest.mark.parametrize("pos", [grid(), hexagons()], ids=["square", "hexagonal"])
def test_morans_i_of_gradient_chessboard_and_noise(pos: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            pos[:, 0],
            (pos // PITCH).sum(axis=1) % 2,
            rng.normal(size=len(pos)),
            np.full(len(pos), 4.0),
        ],
        axis=1,
    )
    found = moran(values, pos)
    assert found[0] > 0.85 and abs(found[2]) < 0.12 and np.isnan(found[3])
    if (pos % PITCH == 0).all():
        assert found[1] < -0.85
    assert np.isnan(moran(np.full((len(pos), 1), np.nan), pos)).all()
