"""Predictions as a table of the object that they are of: the format's own layout, whole or not at
all.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import zarr

from hespotex.common.errors import InputError
from hespotex.records.record import RunRecord
from hespotex.results import object_table
from hespotex.results.object_table import Format, add_table, check_free, table_path
from hespotex.sections.readers.spatialdata import Entry
from hespotex.write_back import Job, _check_single, _reader

SPOTS = ["AAA-1", "CCC-1", "GGG-1", "TTT-1"]


def write_object(path: Path, zarr_format: Format, listed: bool = True) -> Entry:
    """The root and the table of counts of an object; its rows are of two elements."""
    root = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    root.attrs["spatialdata_attrs"] = {"version": "0.2"}
    root.create_group("tables")
    table = ad.AnnData(np.ones((4, 2), dtype=np.float32))
    table.obs_names = pd.Index(SPOTS, dtype=object)
    table.obs["element"] = pd.Categorical(["left", "left", "left", "right"])
    table.obs["number"] = [7, 5, 3, 1]
    table.uns["spatialdata_attrs"] = {
        "region": np.array(["left", "right"], dtype=object),
        "region_key": "element",
        "instance_key": "number",
    }
    ad.settings.allow_write_nullable_strings = False
    group: Any = zarr.open_group(path / "tables" / "counts", mode="w", zarr_format=zarr_format)
    ad.io.write_elem(group, "/", table)
    if listed:
        zarr.consolidate_metadata(path, zarr_format=zarr_format)
    return Entry(path, "counts", "left")


def predictions(value: float = 1.0) -> ad.AnnData:
    """Of three spots in another order."""
    table = ad.AnnData(np.full((3, 2), value, dtype=np.float32))
    table.obs_names = pd.Index(["GGG-1", "AAA-1", "CCC-1"], dtype=object)
    table.uns = {"spatial": {"S": {"images": {}}}, "hespotex": {"model": "strict"}}
    table.layers["measured"] = np.arange(6, dtype=np.float32).reshape(3, 2)
    return table


def files(path: Path) -> Mapping[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("listed", [True, False])
def test_a_table_is_tied_to_the_same_element(
    tmp_path: Path, zarr_format: Format, listed: bool
) -> None:
    entry = write_object(tmp_path / "S.zarr", zarr_format, listed)
    before = files(table_path(entry, "counts"))
    path = add_table(entry, predictions(), "predicted_strict")
    group: Any = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == zarr_format
    attrs = dict(group.attrs)
    assert attrs["spatialdata-encoding-type"] == "ngff:regions_table"
    assert attrs["version"] == {2: "0.1", 3: "0.2"}[zarr_format]
    keys = {name: attrs[name] for name in ("region", "region_key", "instance_key")}
    assert keys == {"region": "left", "region_key": "element", "instance_key": "number"}
    table = ad.read_zarr(path)
    assert table.obs["number"].tolist() == [3, 7, 5] and set(table.obs["element"]) == {"left"}
    assert table.uns["spatialdata_attrs"] == keys and "spatial" not in table.uns
    np.testing.assert_array_equal(table.layers["measured"], predictions().layers["measured"])
    assert files(table_path(entry, "counts")) == before
    root: Any = zarr.open_group(entry.path, mode="r")  # by its list, where it has one
    assert sorted(root["tables"].group_keys()) == ["counts", "predicted_strict"]


def test_settings_of_anndata_stay(tmp_path: Path) -> None:
    entry = write_object(tmp_path / "S.zarr", 3)
    with ad.settings.override(allow_write_nullable_strings=True):
        add_table(entry, predictions(), "mine")
        assert ad.settings.allow_write_nullable_strings


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    entry = write_object(tmp_path / "S.zarr", 3)
    path = add_table(entry, predictions(), "mine")
    before = files(path)
    with pytest.raises(InputError, match=r"a table 'mine' already; .* --table, or .* --replace"):
        add_table(entry, predictions(2.0), "mine")
    assert files(path) == before
    with pytest.raises(InputError, match="a table 'counts' already"):
        check_free(entry, "counts")
    add_table(entry, predictions(2.0), "mine", replace=True)
    assert (ad.read_zarr(path).X == 2).all()


def test_a_write_that_fails_leaves_the_object_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = write_object(tmp_path / "S.zarr", 3)
    add_table(entry, predictions(), "mine")
    before = files(entry.path)

    def stop(path: Path, *_: Any) -> None:
        shutil.copytree(table_path(entry, "counts"), path)
        raise KeyboardInterrupt

    monkeypatch.setattr(object_table, "_write", stop)
    for name, replace in (("mine", True), ("new", False)):
        with pytest.raises(KeyboardInterrupt):
            add_table(entry, predictions(2.0), name, replace)
    assert files(entry.path) == before


def test_other_spots(tmp_path: Path) -> None:
    entry = write_object(tmp_path / "S.zarr", 3)
    other = predictions()
    other.obs_names = pd.Index(["GGG-1", "AAA-1", "TTT-1"], dtype=object)  # that is of `right`
    with pytest.raises(InputError, match=r"1 of 3 predicted spots .* 'left', such as \['TTT-1'\]"):
        add_table(entry, other, "mine")
    shutil.rmtree(table_path(entry, "counts") / "uns")
    with pytest.raises(InputError, match="cannot be read as a table of SpatialData"):
        add_table(entry, predictions(), "mine")
    assert not table_path(entry, "mine").exists()


def test_a_run_of_other_data_has_no_objects(tmp_path: Path) -> None:
    """As an evaluation, which keeps no config; nothing is built of what a file names."""
    record = RunRecord(tmp_path, {"data": "hest"})
    with pytest.raises(InputError, match=r"its data set is hest.*say where .* --root"):
        _reader(record, None)


def test_two_predictions_of_one_section(tmp_path: Path) -> None:
    entry = Entry(tmp_path / "S.zarr", "counts", "left")
    jobs = [Job(entry, tmp_path / seed, "predicted_strict") for seed in ("0", "1")]
    with pytest.raises(InputError, match=r"would be both .*0 and .*1; give the folder of one run"):
        _check_single(jobs)
