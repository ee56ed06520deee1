"""Where a Xenium bundle lies on its H&E: the matrix that Xenium Explorer exports."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.ids import typed_keys
from hespotex.sections.scale import TOLERANCE, believable

KEY = "data.reader.alignments"
EXPORT = (
    "export it in Xenium Explorer (Images, aligned H&E, download the transformation matrix), or set"
    f" {KEY}={{ID: FILE}}"
)
Floats = NDArray[np.float64]
# {section_id: path}, one path for one section, or unknown
Alignments = dict[str, str] | str | None


@dataclass(frozen=True)
class Alignment:
    """`matrix`: (3, 3), from px of the H&E to px of the morphology image; `pixel_um`: um per px of
    the latter.
    """

    matrix: Floats
    pixel_um: float
    file: Path

    @property
    def mpp(self) -> float:
        """um per px of the H&E."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))) * self.pixel_um)

    def to_px(self, um: Floats) -> Floats:
        """Places (n, 2) of the bundle, in um, as px of the H&E, x then y."""
        inverse = np.linalg.inv(self.matrix[:2, :2])
        return np.asarray((um / self.pixel_um - self.matrix[:2, 2]) @ inverse.T)

    def check(self, section_id: str, embedded: float | None) -> None:
        """Refuse a pixel size that the H&E itself contradicts.

        Raises:
            InputError: naming both, and that the matrix may go in the other direction.
        """
        if embedded is None or not believable(embedded) or abs(self.mpp / embedded - 1) < TOLERANCE:
            return
        inverse = self.pixel_um**2 / self.mpp
        other = abs(inverse / embedded - 1) < TOLERANCE
        hint = "it goes in the other direction" if other else "is it of another image?"
        raise InputError(
            f"{section_id}: by the alignment {self.file} a px of the H&E is {self.mpp:.4f} um, but"
            f" the image says {embedded:.4f} um; {hint}. Expected the matrix from H&E to Xenium:"
            f" {EXPORT}; or take it with data.reader.check_frame=false"
        )


def read_alignment(section_id: str, path: Path, pixel_um: float) -> Alignment:
    """The 3 x 3 numbers of a CSV.

    Raises:
        InputError: other content, or a matrix that no two pictures of one tissue are related by.
    """
    try:
        table = pd.read_csv(path, header=None, encoding="utf-8-sig")
        matrix = table.to_numpy(dtype=np.float64)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InputError(
            f"{section_id}: {path}: expected 3 x 3 numbers, found others ({error}); {EXPORT}"
        ) from error
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise InputError(
            f"{section_id}: {path}: expected 3 x 3 numbers, found {matrix.shape[0]} x"
            f" {matrix.shape[1]}; {EXPORT}"
        )
    if not np.allclose(matrix[2], [0, 0, 1]):
        raise InputError(
            f"{section_id}: {path}: expected the last row of an affine map, 0,0,1, found"
            f" {matrix[2].tolist()}; {EXPORT}"
        )
    long, short = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if short < (1 - TOLERANCE) * long or long == 0:
        raise InputError(
            f"{section_id}: {path}: it squeezes the H&E, by {long:.3g} along one side and"
            f" {short:.3g} along the other; {EXPORT}"
        )
    alignment = Alignment(matrix, pixel_um, path)
    if not believable(alignment.mpp):
        raise InputError(
            f"{section_id}: {path}: it makes H&E px of {alignment.mpp:g} um; is it in the other"
            f" direction? Expected the matrix from H&E to Xenium: {EXPORT}"
        )
    return alignment


def alignment_file(
    section_id: str,
    alignments: Alignments,
    section_ids: Collection[str],
    bundle: Path,
    image: Path,
) -> Path:
    """The one that is configured, or the one in the bundle or beside the image.

    Raises:
        InputError: none, or several.
    """
    if isinstance(alignments, Mapping):
        paths = typed_keys(alignments, list(section_ids))
        if section_id in paths:
            return _existing(section_id, Path(str(paths[section_id])))
    elif alignments and len(section_ids) == 1:
        return _existing(section_id, Path(alignments))
    elif alignments:
        raise InputError(
            f"{KEY}={alignments} is one file, but there are {len(section_ids)} sections; give {{ID:"
            " PATH,...}"
        )
    files = _alignments_in(bundle) or [
        path
        for path in _alignments_in(image.parent)
        if path.name.startswith((section_id, image.name.split("_he_image")[0]))
    ]
    if len(files) > 1:
        names = [path.name for path in files]
        raise InputError(f"{section_id}: several alignments of the H&E: {names}; choose with {KEY}")
    if not files:
        raise InputError(
            f"{section_id}: no alignment of the H&E in {bundle} or beside {image}: expected"
            f" *imagealignment.csv, 3 x 3 numbers; {EXPORT}"
        )
    return files[0]


def _alignments_in(folder: Path) -> list[Path]:
    """`Sample_he_imagealignment.csv` and the like, and `matrix.csv`, as Xenium Explorer has it."""
    files = (path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    return sorted(
        path
        for path in files
        if not path.name.startswith(".")
        and ("alignment" in path.name.lower() or path.name.lower() == "matrix.csv")
    )


def _existing(section_id: str, path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{section_id}: alignment not found: {path}; set {KEY}")
    return path
