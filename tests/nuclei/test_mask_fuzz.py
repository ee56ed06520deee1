"""Mutated masks, outlines and files of nuclei are read or refused in words: nothing else comes out
of them.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from builders import section
from builders.mutations import N_MUTATIONS, mutated, with_other_word
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.nuclei.centroids import CentroidNuclei
from hespotex.nuclei.files import FileNuclei
from hespotex.nuclei.geojson import QupathNuclei
from hespotex.nuclei.masks import LabelMaskNuclei
from hespotex.sections.tissue import read_tissue

SIZE = (500, 400)
LABELS = np.zeros((SIZE[1], SIZE[0]), np.uint16)
LABELS[60:90, 60:90] = 1
LABELS[160:190, 160:190] = 2
RING = [[60, 60], [90, 60], [90, 90], [60, 90], [60, 60]]
FEATURES = [
    {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": [RING] if kind == "Polygon" else [[RING]]},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": "Tumor", "color": [1, 2, 3]},
        },
    }
    for kind in ("Polygon", "MultiPolygon")
]
COLLECTION = json.dumps({"type": "FeatureCollection", "features": FEATURES})


def sound(folder: Path, suffix: str) -> bytes:
    """The content of a sound file of this kind."""
    path = folder / f"sound{suffix}"
    if suffix in (".geojson", ".json"):
        path.write_text(COLLECTION)
    elif suffix == ".csv":
        pd.DataFrame(
            {"x": [75.5, 175], "y": [75, 175], "area_um2": [9.5, 9], "class": ["a", "b"]}
        ).to_csv(path, index=False)
    elif suffix == ".npy":
        np.save(path, LABELS)
    elif suffix == ".tif":
        tifffile.imwrite(path, LABELS, tile=(64, 64), compression="deflate")
    elif suffix == ".indexed.png":
        picture = Image.fromarray(LABELS.astype(np.uint8), "P")
        picture.putpalette([255, 255, 255, 200, 0, 0, 9, 9, 9])
        picture.save(path)
    else:
        Image.fromarray(LABELS.astype(np.uint8) * 90).save(path)
    return path.read_bytes()


def changed(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    if suffix in (".geojson", ".csv") and rng.random() < 0.6:
        return with_other_word(data.decode(), rng).encode()
    return mutated(data, rng)


@pytest.mark.parametrize("suffix", [".geojson", ".png", ".indexed.png", ".tif", ".jpg", ".bmp"])
def test_mutated_masks_of_tissue(tmp_path: Path, suffix: str) -> None:
    data = sound(tmp_path, suffix)
    rng = np.random.default_rng(len(suffix))
    for number in range(N_MUTATIONS):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(changed(data, suffix, rng))
        try:
            assert read_tissue(path, SIZE).mask.any()
        except InputError as error:
            assert str(path) in str(error)
        path.unlink()


NUCLEI: list[tuple[type[FileNuclei], str]] = [
    (QupathNuclei, ".geojson"),
    (CentroidNuclei, ".csv"),
    (LabelMaskNuclei, ".npy"),
    (LabelMaskNuclei, ".tif"),
    (LabelMaskNuclei, ".png"),
]


@pytest.mark.parametrize(("kind", "suffix"), NUCLEI)
def test_mutated_files_of_nuclei(tmp_path: Path, kind: type[FileNuclei], suffix: str) -> None:
    Image.fromarray(np.zeros((SIZE[1], SIZE[0], 3), np.uint8)).save(tmp_path / "image.png")
    spots = section(image=tmp_path / "image.png")
    data = sound(tmp_path, suffix)
    rng = np.random.default_rng(len(suffix))
    for _ in range(N_MUTATIONS):
        (tmp_path / f"S1{suffix}").write_bytes(changed(data, suffix, rng))
        try:
            assert np.isfinite(kind(str(tmp_path)).nuclei(spots).centroids).all()
        except InputError as error:
            assert "S1" in str(error)
