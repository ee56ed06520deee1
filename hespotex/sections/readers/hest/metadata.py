"""What HEST-1k says of a section: metadata JSON, groups, and the pitch of its spots."""

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.sections.ids import plain_id
from hespotex.sections.readers.common import read_json

Meta = dict[str, Any]
# pitch and diameter of HEST's pseudo-spots
POOLED_UM = {"visium hd": (128.0, 128.0), "xenium": (100.0, 55.0)}


def read_metadata(root: Path, section_id: str) -> Meta:
    """`metadata/{id}.json`.

    Raises:
        InputError: no such file, or not a JSON object.
    """
    path = root / "metadata" / f"{section_id}.json"
    if not path.is_file():
        raise InputError(
            f"metadata not found: {path} (every st/ID.h5ad needs its metadata/ID.json)"
        )
    return read_json(path)


def number(meta: Meta, key: str) -> float | None:
    """A number, or None where it is blank, NaN or no number."""
    try:
        value = float(meta.get(key) or math.nan)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def text(value: Any) -> str:
    """Trimmed text; empty for None and NaN."""
    return plain_id(value)


def groups(meta: dict[str, Meta], pattern: str | None = None) -> dict[str, str]:
    """Patient; with its study where two studies use one label.

    A study in which a patient is blank is one group as a whole: the blank may be any of its
    patients. `pattern` finds the patient of a blank one in `subseries`.
    """
    people = {
        name: (_patient(entry, pattern), text(entry.get("dataset_title")))
        for name, entry in meta.items()
    }
    studies = defaultdict(set)
    blank = {study for patient, study in people.values() if not patient}
    for patient, study in people.values():
        studies[patient].add(study)
    labels = {}
    for name, (patient, study) in people.items():
        label = patient if len(studies[patient]) == 1 else f"{study}: {patient}"
        labels[name] = (study or name) if study in blank else label
    return labels


def _patient(meta: Meta, pattern: str | None) -> str:
    match = re.search(pattern, text(meta.get("subseries"))) if pattern else None
    return text(meta.get("patient")) or (match[1] if match else "")


def spots_um(meta: Meta, found_um: float) -> tuple[float, float]:
    """Pitch and diameter of the spots, in um.

    Args:
        meta: of the section. For Xenium the pitch is blank, and for Visium HD it is that of the
          native 2 um bins, while the spots in `st/` are pools of cells or bins.
        found_um: distance of neighbouring spots as measured; NaN if there is none.
    """
    pitch = number(meta, "inter_spot_dist")
    diameter = number(meta, "spot_diameter")
    pooled = POOLED_UM.get(text(meta.get("st_technology")).lower())
    if pooled and (pitch is None or not found_um <= 4 * pitch):
        return pooled
    return pitch or 100.0, diameter or 55.0
