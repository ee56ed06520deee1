"""Visium HD: bins of 8 and 16 um, and pools of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import GENES
from builders.visium import write_visium_hd
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.readers.spaceranger.visium_hd import VisiumHDReader
from hespotex.sections.section import Section


def read(root: Path, **options: Any) -> Section:
    return VisiumHDReader(str(root), **options).read("H1")


def table(section: Section) -> pd.DataFrame:
    values = np.c_[section.adata.X.toarray(), section.pos_px]
    return pd.DataFrame(values, index=section.barcodes, columns=[*GENES, "x", "y"])


def test_bins_of_8_um(tmp_path: Path) -> None:
    spots = write_visium_hd(tmp_path / "H1" / "outs", image=tmp_path / "H1" / "he.tif")
    section = read(tmp_path, bin_um=8)
    assert section.barcodes == spots.barcodes and section.barcodes[0] == "s_008um_00000_00001-1"
    np.testing.assert_array_equal(section.adata.X.toarray(), spots.counts)
    np.testing.assert_allclose(section.pos_px, spots.pos)
    assert (section.mpp, section.mpp_source) == (0.5, "scalefactors_json.json")
    assert (section.pitch_um, section.spot_diameter_um) == (8, 8)


@pytest.mark.parametrize("n", [12, 14])
def test_pooled_bins_are_the_larger_bins(tmp_path: Path, n: int) -> None:
    """Also where some bins of a block are off the tissue: the block's middle stays where it is."""
    write_visium_hd(tmp_path / "H1" / "outs", n, image=tmp_path / "H1" / "he.tif")
    whole = read(tmp_path)
    pooled = read(tmp_path, bin_um=8, pool=2)
    assert pooled.adata.n_obs == n**2 // 4 and pooled.barcodes[0] == "s_016um_00000_00000-1"
    pd.testing.assert_frame_equal(table(whole), table(pooled).loc[whole.barcodes])
    assert sparse.isspmatrix_csr(pooled.adata.X) and pooled.pitch_um == whole.pitch_um == 16


@pytest.mark.parametrize(("bin_um", "pool", "n_spots"), [(8, 3, 16), (16, 2, 9), (16, 6, 1)])
def test_pools_keep_every_count(tmp_path: Path, bin_um: int, pool: int, n_spots: int) -> None:
    spots = write_visium_hd(tmp_path / "H1", image=tmp_path / "H1.tif")
    section = read(tmp_path, bin_um=bin_um, pool=pool)
    assert section.adata.n_obs == n_spots and section.pitch_um == bin_um * pool
    np.testing.assert_array_equal(section.adata.X.sum(axis=0).A1, spots.counts.sum(axis=0))
    for row, column in [(0, 0), (n_spots**0.5 - 1, n_spots**0.5 - 1)]:
        name = f"s_{bin_um * pool:03d}um_{row:05.0f}_{column:05.0f}-1"
        side = 2 * bin_um * pool  # px: 0.5 um each
        expected = [20 - 8 + (column + 0.5) * side, 40 - 8 + (row + 0.5) * side]
        np.testing.assert_allclose(section.pos_px[section.barcodes.index(name)], expected)


def no_parquet(outs: Path) -> None:
    (outs / "binned_outputs" / "square_016um" / "spatial" / "tissue_positions.parquet").write_bytes(
        b"PAR1"
    )


def other_bins(outs: Path) -> None:
    (outs / "binned_outputs" / "square_016um").rename(outs / "binned_outputs" / "square_002um")


@pytest.mark.parametrize(
    ("breakage", "told", "options", "message"),
    [
        (
            None,
            {},
            {"mpp": 1.0},
            r"H1: at 1.0000 um/px .data.reader.mpp. .* 32.0 um apart, expected 16 um",
        ),
        (
            None,
            {"microns_per_pixel": 0.25},
            {},
            r"H1: at 0.2500 um/px .scalefactors_json.json. .* data.reader.mpp=0.5000",
        ),
        (None, {"bin_size_um": 24}, {}, "expected bins of 16 um, but the scale factors say 24 um"),
        (
            None,
            {},
            {"bin_um": 4},
            (
                r"no square_004um in .*found \['square_008um', 'square_016um'\]; set"
                r" data.reader.bin_um"
            ),
        ),
        (None, {}, {"pool": 0}, "data.reader.pool=0: expected 1 or more"),
        (
            no_parquet,
            {},
            {},
            r"tissue_positions.parquet: cannot be read as Parquet .* is the file whole",
        ),
        (other_bins, {}, {}, r"no square_016um in .*found \['square_002um', 'square_008um'\]"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path,
    breakage: Callable[[Path], None] | None,
    told: dict[str, Any],
    options: dict[str, Any],
    message: str,
) -> None:
    write_visium_hd(tmp_path / "H1", image=tmp_path / "H1.tif", told=told)
    if breakage:
        breakage(tmp_path / "H1")
    with pytest.raises(InputError, match=message):
        read(tmp_path, **options)


def test_pixel_size_from_the_pitch(tmp_path: Path) -> None:
    write_visium_hd(tmp_path / "H1", image=tmp_path / "H1.tif", told={"microns_per_pixel": None})
    section = read(tmp_path)
    assert section.mpp == pytest.approx(0.5) and section.mpp_source == "spot pitch of 16 um"


def test_not_visium_hd(tmp_path: Path) -> None:
    (tmp_path / "V1").mkdir()
    with pytest.raises(InputError, match=r"no Visium HD outs/ .* for Visium use data=visium"):
        read(tmp_path)
