"""Nuclei that the user already has: one file per section, found by its id and checked against the
spots.
"""

import logging
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from hespotex.common.errors import InputError
from hespotex.common.files import file_fingerprint
from hespotex.nuclei.table import Floats, NucleiTable
from hespotex.sections.images import image_facts
from hespotex.sections.section import Section

log = logging.getLogger(__name__)
VERSION = 1  # raise it when the same file gives other nuclei
MOST_OUTSIDE = 0.05  # share of the nuclei that may lie beyond the image
WAY_OUT = "or nuclei=haematoxylin, which finds them in the image"


class FileNuclei:
    """Base of the sources that read files; they add `read`.

    Args:
        folder: holds the file of each section, named as one of `patterns`.
    """

    name: str
    patterns: tuple[str, ...]
    around_um = float("inf")

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def identity(self, section: Section) -> dict[str, Any]:
        """Hash of the section's file, and the version of how it is read."""
        return {"version": VERSION, "file": file_fingerprint(self.path(section))}

    def path(self, section: Section) -> Path:
        """The section's file: the first of `patterns` that the folder holds.

        Raises:
            InputError: it holds none.
        """
        return section_file(
            self.folder, self.patterns, section.section_id, "nuclei.counter.source.folder"
        )

    def read(self, path: Path, section: Section) -> NucleiTable:
        """All nuclei of a file."""
        raise NotImplementedError

    def nuclei(self, section: Section) -> NucleiTable:
        """All nuclei of the section's file, checked against the spots.

        Raises:
            InputError: no such file, or one that does not fit the section.
        """
        path = self.path(section)
        table = self.read(path, section)
        check_fit(section, table, path)
        return table

    def expected_seconds(self, section: Section) -> float | None:
        """None: a file is read at once."""
        return None


def section_file(folder: Path, patterns: tuple[str, ...], section_id: str, config_key: str) -> Path:
    """The first of the files `patterns` (in which ID stands for the section) that `folder` has.

    Raises:
        InputError: it has none, or is not there.
    """
    names = [pattern.replace("ID", section_id) for pattern in patterns]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    state = "" if folder.is_dir() else " (there is no such folder)"
    here = (
        sorted(path.name for path in folder.glob(f"{escape(section_id)}*"))[:5]
        if folder.is_dir()
        else []
    )
    state += f"; there is {', '.join(here)}" if here else ""
    if f"{section_id}_seg.npy" in here:
        state += (
            f" (pickled by Cellpose: save its masks as {names[0]}, or as PNG or TIFF from Cellpose)"
        )
    others = f" or {', '.join(names[1:])}" if len(names) > 1 else ""
    raise InputError(
        f"{section_id}: nuclei not found: expected {folder / names[0]}{others}{state}; set"
        f" {config_key} (of predict.py: nuclei_folder), {WAY_OUT}"
    )


def check_fit(section: Section, table: NucleiTable, path: Path) -> None:
    """Refuse nuclei of another image, or in another unit than full-resolution px.

    Raises:
        InputError: many nuclei lie beyond the image, or none within a spot distance of any spot.
    """
    spots = section.pos_px
    nuclei = table.centroids
    where = f"{section.section_id}: {path}"
    if not np.isfinite(nuclei).all():
        raise InputError(f"{where}: nuclei whose place is no number; mend the file, {WAY_OUT}")
    reach = section.pitch_um / section.mpp
    near = int((cKDTree(nuclei).query(spots)[0] <= reach).sum()) if len(table) else 0
    fault = _outside(section, nuclei)
    if not near:
        fault = fault or f"none of {len(table)} nuclei is near any of {len(spots)} spots"
    spans = f"nuclei span {_span(nuclei)}, spots {_span(spots)}"
    if fault:
        raise InputError(
            f"{where}: {fault}; {spans}. Are they of this image, and in full-resolution px, x"
            f" before y? Else mend the file, {WAY_OUT}"
        )
    if near < len(spots) / 2:
        few = f"only {near} of {len(spots)} spots have a nucleus within {section.pitch_um:.0f} um"
        log.warning("%s: %s: %s", where, few, spans)


def _outside(section: Section, nuclei: Floats) -> str:
    """Words for nuclei that lie beyond the image, where these are many."""
    if section.image is None or not len(nuclei):
        return ""
    width, height = image_facts(section.image)[0]
    outside = int(((nuclei < 0) | (nuclei > (width, height))).any(axis=1).sum())
    if outside <= MOST_OUTSIDE * len(nuclei):
        return ""
    return f"{outside} of {len(nuclei)} nuclei lie outside the image of {width} x {height} px"


def _span(points: Floats) -> str:
    if not len(points):
        return "nothing"
    left, top = np.floor(points.min(axis=0))
    right, bottom = np.ceil(points.max(axis=0))
    return f"x {left:.0f}..{right:.0f}, y {top:.0f}..{bottom:.0f}"
