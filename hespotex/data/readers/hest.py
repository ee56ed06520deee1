"""HEST-1k folder: `st/`, `metadata/` and `wsis/` or `patches/` (Jaume et al. 2024)."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.data.images import open_image
from hespotex.data.readers.common import check_counts, existing_folder, read_h5ad, read_json
from hespotex.data.readers.stored import with_patches
from hespotex.data.scale import believable, check_mpp, pitch_px
from hespotex.data.section import Section, SectionKey, check_positions, make_adata
from hespotex.errors import InputError


class HestReader:
    """Sections `{id}` of a HEST-1k folder. Folders other than those named above are not needed.

    Args:
        root: the folder that holds `st/` and `metadata/`.
        mpp: um per px for all sections; by default the metadata's estimate, then what the image says.
        sections: ids to use; by default all in `st/`.
    """

    def __init__(self, root: str, mpp: float | None = None, sections: list[str] | None = None) -> None:
        self.root, self.mpp = Path(root), mpp
        folder = existing_folder(existing_folder(self.root, "data.reader.root") / "st", "data.reader.root")
        found = sorted(path.stem for path in folder.glob("*.h5ad"))
        if missing := set(sections or []) - set(found):
            raise InputError(f"data.reader.sections names {sorted(missing)}, not in {folder}, which holds {found[:20]}")
        if not found:
            raise InputError(f"no h5ad file in {folder}: is data.reader.root the folder that holds st/, metadata/ and wsis/?")
        self._meta = {name: _metadata(self.root, name) for name in found if sections is None or name in sections}
        self._groups = _groups(self._meta)

    def section_keys(self) -> list[SectionKey]:
        return [SectionKey(name, self._groups[name]) for name in self._meta]

    def read(self, section_id: str) -> Section:
        adata = read_h5ad(self.root / "st" / f"{section_id}.h5ad")
        meta, image = self._meta[section_id], self._image(section_id)
        pitch_um = _number(meta, "inter_spot_dist") or 100.0
        pos = np.asarray(adata.obsm["spatial"], dtype=float)[:, :2]
        check_positions(section_id, pos)
        mpp, source = self._mpp(meta, image)
        array, step = _array_coordinates(adata.obs, str(meta.get("st_technology")))
        check_mpp(section_id, mpp, source, pitch_px(pos, array, step), pitch_um)
        counts = sparse.csr_matrix(adata.X)
        check_counts(section_id, counts, list(adata.obs_names))
        section = Section(
            key=SectionKey(section_id, self._groups[section_id]),
            adata=make_adata(counts, list(adata.obs_names), list(adata.var_names), pos),
            mpp=mpp,
            mpp_source=source,
            pitch_um=pitch_um,
            spot_diameter_um=_number(meta, "spot_diameter") or 55.0,
            image=image,
        )
        patches = self.root / "patches" / f"{section_id}.h5"
        if not image and not patches.is_file():
            raise InputError(f"{section_id}: no image: expected wsis/{section_id}.tif or {patches}")
        return section if image else with_patches(section, patches)

    def _image(self, section_id: str) -> Path | None:
        found = [
            p for suffix in (".tif", ".tiff", ".btf", ".svs") if (p := self.root / "wsis" / f"{section_id}{suffix}").is_file()
        ]
        return found[0] if found else None

    def _mpp(self, meta: dict[str, Any], image: Path | None) -> tuple[float, str]:
        embedded = open_image(image).mpp if image else _number(meta, "pixel_size_um_embedded")
        choices = [(self.mpp, "data.reader.mpp"), (_number(meta, "pixel_size_um_estimated"), "metadata estimate")]
        for mpp, source in [*choices, (embedded if believable(embedded) else None, "embedded in the image")]:
            if mpp:
                return mpp, source
        raise InputError(f"{meta.get('id')}: neither metadata nor image tell the pixel size; set data.reader.mpp (um per px)")


def _metadata(root: Path, section_id: str) -> dict[str, Any]:
    path = root / "metadata" / f"{section_id}.json"
    if not path.is_file():
        raise InputError(f"metadata not found: {path} (every st/ID.h5ad needs its metadata/ID.json)")
    return read_json(path)


def _number(meta: dict[str, Any], key: str) -> float | None:
    """A number, or None where it is blank, NaN or no number."""
    try:
        value = float(meta.get(key) or math.nan)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _groups(meta: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Patient; with its study where two studies use one label.

    A study in which a patient is blank is one group as a whole: the blank may be any of its patients.
    """
    people = {name: (_text(entry.get("patient")), _text(entry.get("dataset_title"))) for name, entry in meta.items()}
    studies, blank = defaultdict(set), {study for patient, study in people.values() if not patient}
    for patient, study in people.values():
        studies[patient].add(study)
    groups = {}
    for name, (patient, study) in people.items():
        label = patient if len(studies[patient]) == 1 else f"{study}: {patient}"
        groups[name] = (study or name) if study in blank else label
    return groups


def _array_coordinates(obs: Any, technology: str) -> tuple[NDArray[np.float64] | None, tuple[float, float]]:
    """Array columns and rows, and the step between neighbours: Visium spots of one row are 2 columns apart."""
    if not {"array_row", "array_col"} <= set(obs.columns):
        return None, (1.0, 1.0)
    array = obs[["array_col", "array_row"]].to_numpy(dtype=float)
    visium = technology.strip().lower() == "visium"
    return (array if np.isfinite(array).all() else None), ((2.0, 0.0) if visium else (1.0, 1.0))
