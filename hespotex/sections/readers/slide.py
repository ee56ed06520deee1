"""A bare slide as a section: an image, positions from a file or a grid, and no counts."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.user_table import read_user_table
from hespotex.sections.grid import lay_grid
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.images import open_image
from hespotex.sections.readers.checks.frame import PAIRS, Frame, check_on_tissue, pair_of
from hespotex.sections.readers.checks.on_tissue import COLUMN, spots_on_tissue
from hespotex.sections.readers.common import numbers_of
from hespotex.sections.readers.measured import How, measured_positions
from hespotex.sections.readers.spaceranger.files import read_positions as visium_positions
from hespotex.sections.scale import TOLERANCE, believable, pitch_px
from hespotex.sections.section import Section, SectionKey, check_positions, check_spots, make_adata
from hespotex.sections.tissue import Tissue

log = logging.getLogger(__name__)
TISSUE_POSITIONS = "tissue_positions"  # Space Ranger's, whose older form has no header
PITCH_WARNING = 0.05
MOSTLY = 0.5  # share of tissue around a spot of the tissue's own grid
FEW = 6  # positions that say nothing of where the tissue is
ALL_SPOTS = "put the column right, or leave it out to take all spots"
OVERRIDE = "check_frame=false"


def read_slide(
    path: Path,
    mpp: float,
    mpp_source: str,
    tissue: Tissue,
    pitch_um: float,
    spot_diameter_um: float,
    positions: Path | None,
    min_tissue: float,
    grid: str,
    check_frame: bool = True,
    trained_um: float | None = None,
) -> Section:
    """A slide ready to predict on; `obs["tissue_fraction"]` is the share of tissue in a square of
    one pitch.

    Args:
        path: image file.
        mpp, mpp_source: um per px, and where it is from; see `pixel_size`.
        tissue: where the tissue is.
        pitch_um, spot_diameter_um: of the training sections; the grid takes them over.
        positions: see `read_positions`; None lays a grid over the tissue.
        min_tissue: grid positions with a smaller share of tissue around them are left out.
        grid: `square` or `hexagonal`.
        check_frame: refuse given positions that miss the tissue where another frame would meet it.
        trained_um: pitch of the training sections, from which another is warned of; None where
          nothing was trained.

    Raises:
        InputError: no tissue, or positions outside the image.
    """
    size = open_image(path).size
    if positions:
        names, pos = _given(path, positions, tissue, size, check_frame)
    else:
        names, pos = lay_grid(grid, size, pitch_um / mpp)
        keep = tissue.fraction(pos, pitch_um / mpp) >= min_tissue
        names, pos = _on_tissue(path, names, pos, keep, min_tissue)
    section = _section(path, (mpp, mpp_source), names, pos, pitch_um, spot_diameter_um)
    check_spots(section, *size)
    if trained_um is not None:
        _say_pitch(section, trained_um, at_positions=positions is not None)
    section.adata.obs["tissue_fraction"] = tissue.fraction(pos, pitch_um / mpp)
    return section


def whole_tissue(slide: Section, tissue: Tissue, pitch_um: float, grid: str) -> Section:
    """The same slide with a grid over all of its tissue; without spots where it has none.

    Args:
        slide: with any spots.
        tissue: all of it.
        pitch_um: distance of neighbouring spots.
        grid: `square` or `hexagonal`.
    """
    path = slide.pixels
    pitch = pitch_um / slide.mpp
    names, pos = lay_grid(grid, open_image(path).size, pitch)
    keep = tissue.fraction(pos, pitch) >= MOSTLY
    spots = [name for name, inside in zip(names, keep, strict=True) if inside]
    size = (slide.mpp, slide.mpp_source)
    return _section(path, size, spots, pos[keep], pitch_um, slide.spot_diameter_um)


def _section(
    path: Path,
    mpp: tuple[float, str],
    names: list[str],
    pos: NDArray[np.float64],
    pitch_um: float,
    spot_diameter_um: float,
) -> Section:
    """Spots of a slide, at centres `pos` (n_spots, 2) px."""
    adata = make_adata(sparse.csr_matrix((len(pos), 0), dtype=np.float32), names, [], pos)
    key = SectionKey(path.stem, path.stem)
    return Section(key, adata, *mpp, pitch_um, spot_diameter_um, image=path)


def pixel_size(path: Path, mpp: float | None, check: bool = True) -> tuple[float, str]:
    """The slide's um per px, the user's before the file's, and where it is from.

    Args:
        path: image file.
        mpp: the user's.
        check: refuse the user's where the file says otherwise.

    Raises:
        InputError: neither tells a believable one, or the two differ.
    """
    if mpp is not None:
        if not believable(mpp):
            raise InputError(
                f"{path}: mpp={mpp:g} um per px cannot be; expected a number such as mpp=0.5"
            )
        embedded = open_image(path).mpp if check else None
        if embedded and abs(mpp / embedded - 1) > TOLERANCE:
            raise InputError(
                f"{path}: mpp={mpp:g} um per px is given, and the file says {embedded:.4g}: leave"
                " mpp out, or set check_mpp=false if the file is wrong"
            )
        return mpp, "mpp="
    image = open_image(path)
    if image.mpp is None:
        reason = f" ({image.mpp_words})" if image.mpp_words else ""
        raise InputError(
            f"{path}: the file tells no believable pixel size{reason}; set mpp=UM_PER_PX, such as"
            " mpp=0.5"
        )
    return image.mpp, "embedded in the image"


def read_positions(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Names and spot centres (n_spots, 2) px, x then y.

    Args:
        path: CSV or TSV with columns `x,y` (full-resolution px), or those of Visium or her2st; or
          an `.h5ad` with measured spots in `obsm["spatial"]`.

    Raises:
        InputError: no such file, or no positions in it.
    """
    names, frame = _frame_of(path, check_frame=True)
    return names, frame.pos


def _frame_of(path: Path, check_frame: bool) -> tuple[list[str], Frame]:
    """Names of the positions of a file, and these with what the file says of their frame."""
    if not path.is_file():
        raise InputError(
            f"positions not found: {path}; set positions=FILE (columns x,y in full-resolution px),"
            " or null for a grid"
        )
    if path.suffix.lower() == ".h5ad":
        return measured_positions(
            path, How(all_spots=ALL_SPOTS, override=OVERRIDE, check_frame=check_frame)
        )
    table = _table(path)
    table = table[spots_on_tissue(path.name, table, COLUMN, ALL_SPOTS)]
    pair = pair_of(list(table))
    if pair is None:
        raise InputError(
            f"{path}: expected columns x,y (full-resolution px) or {PAIRS[:2]}, found"
            f" {[str(n) for n in table][:20]}"
        )
    pos = np.stack([numbers_of(table, name, str(path)) for name in pair], axis=1)
    names = _names(table, path)
    return names, Frame(path.name, pos, pd.DataFrame(index=names), {}, OVERRIDE)


def _given(
    path: Path, positions: Path, tissue: Tissue, size: tuple[int, int], check_frame: bool
) -> tuple[list[str], NDArray[np.float64]]:
    """Names and centres (n_spots, 2) px of the positions of a file, refused where they miss the
    tissue.
    """
    names, frame = _frame_of(positions, check_frame)
    check_positions(path.stem, frame.pos)
    if check_frame and len(frame.pos) >= FEW and not frame.settled():
        check_on_tissue(frame, tissue.mask, tissue.scale, size)
    return names, frame.pos


def _table(path: Path) -> pd.DataFrame:
    if TISSUE_POSITIONS in path.name:
        return visium_positions(path).rename_axis("barcode").reset_index()
    names = dict.fromkeys(name for pair in PAIRS for name in pair)
    table = read_user_table(path, "positions", [], optional=[*names, "barcode", COLUMN])
    pair = pair_of(list(table.columns))
    if pair is None:
        return pd.DataFrame(columns=table.header)
    return pd.DataFrame(table.columns | {name: table.numbers(name, "px") for name in pair})


def _names(table: pd.DataFrame, path: Path) -> list[str]:
    """Names of the spots, by their barcodes or else by their number; each its own."""
    if "barcode" not in table:
        return [f"{i:06d}" for i in range(len(table))]
    names = [plain_id(name) for name in table["barcode"]]
    check_unique(
        names, f"barcodes of {path}", "positions=FILE needs a name of its own for each spot"
    )
    return names


def _on_tissue(
    path: Path,
    names: list[str],
    pos: NDArray[np.float64],
    keep: NDArray[np.bool_],
    min_tissue: float,
) -> tuple[list[str], NDArray[np.float64]]:
    if not keep.any():
        raise InputError(
            f"{path}: no grid position of {len(pos)} has {min_tissue:.0%} tissue; lower min_tissue,"
            " or give positions=FILE"
        )
    return [name for name, inside in zip(names, keep, strict=True) if inside], pos[keep]


def _say_pitch(section: Section, trained_um: float, at_positions: bool) -> None:
    """Tell of spots that are not as far apart as in training; at the user's positions the pixel
    size may be wrong.
    """
    pitch = pitch_px(section.pos_px) * section.mpp if at_positions else section.pitch_um
    if np.isfinite(pitch) and abs(pitch / trained_um - 1) > PITCH_WARNING:
        log.warning(
            "%s: spots are %.0f um apart, and %.0f um in the training sections%s",
            section.section_id,
            pitch,
            trained_um,
            ": is mpp right?" if at_positions else "",
        )
