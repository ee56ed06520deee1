"""A model that was trained on nuclei from files predicts on a bare slide, whose nuclei come from a
file too.
"""

from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from conftest import Run, compose_config

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image
from hespotex.sections.readers.hest.folder import HestReader

from .formats import known_nuclei, write_csv, write_npy

SETTINGS = {"centroids": "nuclei.counter.source.folder", "published_mask": "nuclei.counter.folder"}


def write_nuclei(slides: dict[str, Path], folder: Path) -> Path:
    folder.mkdir()
    for name, image in slides.items():
        known = known_nuclei(open_image(image).size, pitch=28, seed=len(name))
        write_csv(known, folder, name)
        write_npy(known, folder, name)
    return folder


@pytest.mark.parametrize("option", SETTINGS)
def test_nuclei_of_the_slide(
    train: Run, small_demo: Path, store: Path, tmp_path: Path, option: str
) -> None:
    from hespotex.prediction.inference import predict

    reader = HestReader(str(small_demo), sections=["DEMO1", "DEMO3", "DEMO5"])
    training = write_nuclei(
        {key.section_id: reader.read(key.section_id).pixels for key in reader.section_keys()},
        tmp_path / "a",
    )
    chosen = "data.reader.sections=[DEMO1,DEMO3,DEMO5]"
    folder = train(
        "model.max_epochs=1", f"nuclei={option}", f"{SETTINGS[option]}={training}", chosen
    )
    slide = small_demo / "slides" / "bare.tif"
    words = [
        f"checkpoint={folder}/checkpoints/best.ckpt",
        f"slides={slide}",
        f"output={tmp_path}/out",
        f"paths.store={store}",
    ]
    with pytest.raises(InputError, match=r"1 slides failed: bare.tif"):
        predict(compose_config("predict", words, tmp_path))
    of_slides = write_nuclei({"bare": slide}, tmp_path / "b")
    predict(compose_config("predict", [*words, f"nuclei_folder={of_slides}"], tmp_path))
    assert np.isfinite(ad.read_h5ad(tmp_path / "out" / "bare.h5ad").X).all()


def test_a_folder_for_nuclei_that_need_none(train: Run, tmp_path: Path) -> None:
    from hespotex.prediction.inference import predict

    folder = train("model=ridge", "nuclei=none")
    (tmp_path / "x.tif").touch()
    words = [
        f"checkpoint={folder}/checkpoints/best.ckpt",
        f"slides={tmp_path}/x.tif",
        "nuclei_folder=x",
    ]
    with pytest.raises(
        InputError,
        match="nuclei_folder=x: the checkpoint's nuclei do not come from files; leave it null",
    ):
        predict(compose_config("predict", words, tmp_path))
