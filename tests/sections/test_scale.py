"""Pixel size: the spot pitch is read off any grid, and refuses what does not fit it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.scale import believable, check_mpp, choose_mpp, pitch_px

Grid = tuple[NDArray[np.float64], NDArray[np.float64]]


def square(n: int = 12) -> Grid:
    row, column = np.divmod(np.arange(n * n), n)
    array = np.stack([column, row], axis=1).astype(np.float64)
    return 80 * array, array


def visium(n: int = 12) -> Grid:
    """Spots of one row are 2 columns apart; every other row is shifted by one column."""
    row, column = np.divmod(np.arange(n * n), n)
    array = np.stack([2 * column + row % 2, row], axis=1).astype(np.float64)
    return array * [40, 80 * 3**0.5 / 2], array


def disturb(grid: Grid, how: str) -> Grid:
    pos, array = grid
    rng = np.random.default_rng(0)
    if "gaps" in how:  # no spot keeps more than a few of its neighbours
        keep = rng.permutation(len(pos))[: len(pos) // 5]
        pos = pos[keep]
        array = array[keep]
    if "jitter" in how:
        pos = pos + rng.normal(0, 6, pos.shape)
    if "rotated" in how:
        c = np.cos(0.5)
        s = np.sin(0.5)
        pos = pos @ [[c, s], [-s, c]] + 1000
    return pos, array


@pytest.mark.parametrize("how", ["plain", "gaps", "jitter", "rotated", "gaps jitter rotated"])
@pytest.mark.parametrize(("grid", "step"), [(square(), (1.0, 1.0)), (visium(), (2.0, 0.0))])
def test_affine_map_gives_the_pitch(grid: Grid, step: tuple[float, float], how: str) -> None:
    assert pitch_px(*disturb(grid, how), step) == pytest.approx(
        80, rel=0.04 if "jitter" in how else 1e-9
    )


@pytest.mark.parametrize("how", ["plain", "rotated"])
@pytest.mark.parametrize("grid", [square(), visium()])
def test_without_array_coordinates_the_nearest_spot_tells(grid: Grid, how: str) -> None:
    assert pitch_px(disturb(grid, how)[0]) == pytest.approx(80)


def test_useless_array_coordinates_fall_back() -> None:
    pos, array = square()
    assert pitch_px(pos, np.zeros_like(array)) == pytest.approx(80)
    assert pitch_px(pos[:5], array[:5] * 7) == pytest.approx(80)  # five spots carry no affine map
    assert pitch_px(pos[:12], array[:12] * 7) == pytest.approx(80)  # nor does one row


@pytest.mark.parametrize("n", [0, 1])
def test_no_pitch_without_two_spots(n: int) -> None:
    assert np.isnan(pitch_px(np.zeros((n, 2))))


@pytest.mark.parametrize("off", [0.95, 1.0, 1.05])
def test_five_per_cent_off_is_accepted(off: float) -> None:
    check_mpp("S1", 0.5 * off, "metadata", 200.0, 100.0)


def test_nothing_to_compare_is_accepted() -> None:
    check_mpp("S1", 0.5, "metadata", float("nan"), 100.0)


@pytest.mark.parametrize(
    ("mpp", "found"), [(1.0, "200.0 um"), (0.25, "50.0 um"), (0.56, "112.0 um")]
)
def test_wrong_mpp_is_refused_with_both_numbers_and_the_override(mpp: float, found: str) -> None:
    with pytest.raises(ValueError, match="S1") as error:
        check_mpp("S1", mpp, "metadata estimate", 200.0, 100.0)
    for part in (
        f"{mpp:.4f} um/px (metadata estimate)",
        found,
        "expected 100 um",
        "data.reader.mpp=0.5000",
    ):
        assert part in str(error.value)


def test_the_advice_given_is_accepted() -> None:
    with pytest.raises(ValueError, match=r"data\.reader\.mpp=(\d+\.\d+)") as error:
        check_mpp("S1", 3.0, "metadata", 145.3, 100.0)
    advised = float(str(error.value).split("data.reader.mpp=")[1].split(",")[0])
    check_mpp("S1", advised, "data.reader.mpp", 145.3, 100.0)


@pytest.mark.parametrize(
    ("mpp", "answer"),
    [
        (0.25, True),
        (0.05, True),
        (10.0, True),
        (352.8, False),
        (0.0, False),
        (-1.0, False),
        (np.nan, False),
        (np.inf, False),
        (None, False),
    ],
)
def test_believable(mpp: float | None, answer: bool) -> None:
    assert believable(mpp) is answer


@pytest.mark.parametrize("pitch", [100, 200, 16])
def test_a_wrong_pitch_has_its_own_cure(pitch: int) -> None:
    wrong = 2.5 * pitch
    with pytest.raises(InputError, match=f"set data.reader.pitch_um={pitch} where"):
        check_mpp("A", 0.5, "embedded in the image", pitch / 0.5, wrong)
    with pytest.raises(InputError, match=r"or data.reader.pitch_um .*100 for Visium"):
        choose_mpp("A", [(None, "nothing")], 50.0, None)
