"""Grids have the pitch that was asked for, and are told apart however they lie."""

from pathlib import Path

import numpy as np
import pytest
from builders import section
from builders.slides import HOLE, SLIDE_MPP, drawn_slide, glass, read, write_slide
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.errors import InputError
from hespotex.sections.grid import ROW_STEP, grid_kind, lay_grid
from hespotex.sections.readers.slide import read_positions
from hespotex.sections.tissue import Tissue

KINDS = st.sampled_from(sorted(ROW_STEP))


def moved(
    pos: NDArray[np.float64], angle: float, jitter: float, missing: float, seed: int
) -> NDArray[np.float64]:
    """Turned, shaken (in px) and with holes."""
    rng = np.random.default_rng(seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(
        (pos @ turn + rng.normal(0, jitter, pos.shape))[rng.random(len(pos)) >= missing]
    )


@given(kind=KINDS, pitch=st.floats(7, 60), width=st.integers(60, 500), height=st.integers(60, 500))
def test_neighbours_are_one_pitch_apart(kind: str, pitch: float, width: int, height: int) -> None:
    names, pos = lay_grid(kind, (width, height), pitch)
    assert len(set(names)) == len(names) == len(pos)
    assert (pos > 0).all() and (pos < [width, height]).all()
    (
        np.testing.assert_allclose(cKDTree(pos).query(pos, k=2)[0][:, 1], pitch)
        if len(pos) > 1
        else None
    )
    cover = pitch**2 * ROW_STEP[kind]
    assert len(pos) * cover == pytest.approx(width * height, rel=6 * pitch / min(width, height))


@given(
    kind=KINDS,
    angle=st.floats(0, 7),
    jitter=st.floats(0, 2.0),
    missing=st.floats(0, 0.4),
    seed=st.integers(0, 1000),
    stretch=st.floats(0.97, 1.03),
)
def test_kind_is_told_whatever_the_pose(
    kind: str, angle: float, jitter: float, missing: float, seed: int, stretch: float
) -> None:
    pos = lay_grid(kind, (420, 400), 30.0)[1] * [stretch, 1]
    assert grid_kind(moved(pos, angle, jitter, missing, seed)) == kind


def test_kind_where_nothing_tells() -> None:
    line = np.stack([np.arange(9.0), np.zeros(9)], axis=1)
    assert [grid_kind(pos) for pos in (line, line[:2], line[:0], np.zeros((5, 2)))] == [
        "square"
    ] * 4
    assert grid_kind(lay_grid("hexagonal", (30, 30), 10.0)[1]) == "hexagonal"


def test_kind_of_real_spots(shared: Path) -> None:
    files = sorted((shared / "data" / "her2st" / "ST-spotfiles").glob("*.tsv"))
    assert files and [grid_kind(read_positions(path)[1]) for path in files] == ["square"] * len(
        files
    )


@pytest.mark.parametrize(
    ("kind", "pitch"), [("round", 10.0), ("square", 0.0), ("hexagonal", float("nan"))]
)
def test_grids_that_cannot_be_laid(kind: str, pitch: float) -> None:
    with pytest.raises(InputError, match=r"expected (grid=square or hexagonal|a positive pitch)"):
        lay_grid(kind, (100, 100), pitch)


class TestSlide:
    @pytest.fixture(scope="class")
    def slide(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_slide(tmp_path_factory.mktemp("slide") / "s.tif")

    @pytest.mark.parametrize("kind", ROW_STEP)
    @pytest.mark.parametrize("pitch_um", [60.0, 100.0])
    def test_grid_on_tissue(self, slide: Path, kind: str, pitch_um: float) -> None:
        found = read(slide, pitch_um=pitch_um, grid=kind)
        assert found.mpp == pytest.approx(SLIDE_MPP, rel=1e-3) and grid_kind(found.pos_px) == kind
        share = found.adata.obs["tissue_fraction"].to_numpy()
        assert share.min() >= 0.5 and share.max() == 1
        distance = np.linalg.norm(found.pos_px - HOLE[0], axis=1)
        assert HOLE[1] - 5 < distance.min() and distance.max() < 155
        area = len(found.adata) * pitch_um**2 * ROW_STEP[kind]
        assert area == pytest.approx(np.pi * (150**2 - 40**2) * SLIDE_MPP**2, rel=0.1)

    def test_positions_keep_all_spots(self, slide: Path, tmp_path: Path) -> None:
        """Measured spots of an h5ad; those on glass stay, with their share of tissue."""
        measured = section(pos=np.array([[300.0, 120.0], [20.0, 20.0], [400.0, 240.0]]))
        measured.adata.write_h5ad(tmp_path / "spots.h5ad")
        found = read(slide, positions=tmp_path / "spots.h5ad")
        assert found.barcodes == ["b000", "b001", "b002"]
        np.testing.assert_array_equal(found.pos_px, measured.pos_px)
        np.testing.assert_allclose(found.adata.obs["tissue_fraction"], [1, 0, 1])

    def test_a_users_mask_goes_before_colour(self, slide: Path) -> None:
        mask = np.zeros((48, 64), bool)
        mask[:10, :10] = True
        found = read(slide, tissue=Tissue(mask, 0.1, "drawn"))
        assert len(found.adata) == 16 and found.pos_px.max() < 100

    def test_blank(self, tmp_path: Path) -> None:
        path = write_slide(tmp_path / "blank.tif", glass())
        with pytest.raises(
            InputError, match=r"blank.tif: no grid position of \d+ has 50% tissue; lower min_tissue"
        ):
            read(path)

    def test_no_pixel_size(self, tmp_path: Path) -> None:
        path = write_slide(tmp_path / "a.tif", drawn_slide(), mpp=None)
        with pytest.raises(InputError, match=r"a.tif: the file tells no believable pixel size"):
            read(path)
        assert read(path, mpp=SLIDE_MPP).mpp_source == "mpp="
