"""A prediction of another model or another request is never taken for the one that is asked for."""

import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import torch

from hespotex.cohorts.slides import pseudobulk
from hespotex.common.errors import InputError
from hespotex.results.finite import check_finite
from hespotex.results.guide import guide_slides
from hespotex.results.slide.request import KEY, check_model, facts_of, is_current, slide_request

CONFIG: dict[str, Any] = {
    "mpp": None,
    "check_mpp": True,
    "context": "tissue",
    "tissue": {"mask": None, "whole": None, "um_per_px": 8},
    "min_tissue": 0.5,
    "pitch_um": None,
    "grid": "auto",
    "genes": None,
    "map_genes": [],
    "nuclei_folder": None,
    "flat": "parquet",
    "qupath": True,
    "viewer_mb": 15,
    "zoom_mb": 50,
    "spatialdata": False,
    "programmes": True,
    "fold_std": True,
    "positions": None,
    "gene_sets": None,
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "slide.tif"
    path.write_bytes(b"pixels")
    return path


def predicted(
    folder: Path, request: dict[str, Any] | None, checkpoint: str = "a1 b2", name: str = "slide"
) -> Path:
    table = ad.AnnData(np.ones((2, 1), np.float32))
    table.uns["hespotex"] = {
        "model": "ridge",
        "data": "toy",
        "encoder": "x",
        "checkpoint": checkpoint,
        "unit": "log",
    }
    if request is not None:
        table.uns["hespotex"][KEY] = json.dumps(request)
    path = folder / f"{name}.h5ad"
    table.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"mpp": 0.5},
        {"genes": ["A"]},
        {"map_genes": ["A"]},
        {"grid": "hexagonal"},
        {"pitch_um": 50.0},
        {"min_tissue": 0.1},
        {"tissue": {"mask": None, "whole": None, "um_per_px": 4}},
        {"flat": "csv"},
        {"spatialdata": True},
        {"nuclei_folder": "elsewhere"},
        {"context": "positions"},
    ],
    ids=str,
)
def test_other_words(
    tmp_path: Path, image: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    table = predicted(tmp_path, slide_request(CONFIG, image, None))
    assert is_current(table, slide_request(CONFIG, image, None))
    assert not is_current(table, slide_request(CONFIG | change, image, None))
    assert f"other than before: {next(iter(change))}; made anew" in caplog.text


def test_other_files(tmp_path: Path, image: Path) -> None:
    """The same names, but what they name has changed."""
    names = ("spots.csv", "sets.gmt", "mask.png", "whole.png")
    spots, sets, mask, whole = (tmp_path / name for name in names)
    for path in (spots, sets, mask, whole):
        path.write_text("one")
    config = CONFIG | {
        "positions": str(spots),
        "gene_sets": str(sets),
        "tissue": {"mask": str(mask), "whole": str(whole)},
    }
    table = predicted(tmp_path, slide_request(config, image, None))
    for path in (spots, sets, mask, whole, image):
        assert is_current(table, slide_request(config, image, None))
        before = path.read_bytes()
        path.write_text("two, longer")
        assert not is_current(table, slide_request(config, image, None))
        path.write_bytes(before)
    assert not is_current(table, slide_request(config, image, 0.25))  # of the list of slides


@pytest.mark.parametrize("content", [b"", b"torn", None])
def test_what_cannot_be_read_is_made_anew(
    tmp_path: Path, image: Path, content: bytes | None
) -> None:
    table = predicted(tmp_path, None)  # of an older version: no request
    if content is not None:
        table.write_bytes(content)
    assert not is_current(table, slide_request(CONFIG, image, None))
    assert not is_current(tmp_path / "absent.h5ad", slide_request(CONFIG, image, None))


def test_another_model(tmp_path: Path) -> None:
    tables = [
        predicted(tmp_path, {}),
        predicted(tmp_path, {}, "c3", "other"),
        tmp_path / "absent.h5ad",
    ]
    check_model([tables[0], tables[2]], "b2 a1")
    with pytest.raises(
        InputError,
        match=r"other\.h5ad: predicted by another model \(ridge on toy.*c3.*restart=true",
    ):
        check_model(tables, "a1 b2")
    with pytest.raises(InputError, match="and 1 more"):
        check_model(tables, "d4")
    guide_slides(tmp_path, "outputs/mine")
    text = (tmp_path / "run.txt").read_text()
    assert (
        "other  ridge on toy, encoder x; checkpoint c3" in text
        and "slide  ridge on toy, encoder x; checkpoint a1 b2" in text
    )
    with pytest.raises(InputError, match="slides of different models"):
        pseudobulk(tmp_path)


def test_half_a_table_is_no_slide(tmp_path: Path) -> None:
    predicted(tmp_path, {}).rename(tmp_path / ".slide.17.part.h5ad")
    predicted(tmp_path, {})
    assert list(pseudobulk(tmp_path)["slide"]) == ["slide"]
    guide_slides(tmp_path, "x")
    assert (tmp_path / "run.txt").read_text().startswith("1 slide;")
    assert facts_of(tmp_path / "slide.h5ad")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none(value: float) -> None:
    values = torch.ones(3, 2)
    check_finite({"a": values}, "")
    values[1, 0] = value
    with pytest.raises(
        InputError, match=r"b: 1 of 6 predicted values are not finite numbers; do this"
    ):
        check_finite({"a": torch.ones(1, 1), "b": values}, "do this")
