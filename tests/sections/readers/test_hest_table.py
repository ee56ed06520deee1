"""Sections chosen from HEST-1k's sample table, whatever its version; mistakes are named with the
way out.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import write_hest
from conftest import CHECKOUT, compose_config
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.records.build import build
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.hest.table import (
    SampleTable,
    newest_table,
    read_sample_table,
    select_ids,
    selects,
    table_from_metadata,
)

ROWS = [
    ("A1", "Breast", "IDC", "Visium", "Homo sapiens", "Cancer", "FFPE", "one", "300"),
    ("A2", "Breast", "ILC", "Xenium", "Homo sapiens", "Cancer", "FFPE", "one", "50"),
    (
        "B1",
        "Bowel",
        "COAD",
        "Visium",
        "Homo sapiens",
        "Cancer",
        "Fresh Frozen",
        "two [ST], and more",
        "",
    ),
    ("B2", "Bowel", "", "Visium HD", "Mus musculus", "Healthy", "", "two [ST], and more", "2000"),
]
COLUMNS = [
    "id",
    "organ",
    "oncotree_code",
    "st_technology",
    "species",
    "disease_state",
    "preservation_method",
]
COLUMNS += ["dataset_title", "spots_under_tissue"]


def write_table(
    root: Path,
    version: str = "v1_1_0",
    rows: Sequence[tuple[str, ...]] = ROWS,
    encoding: str = "utf-8-sig",
) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"HEST_{version}.csv"
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False, encoding=encoding)
    return path


@pytest.fixture
def table(tmp_path: Path) -> SampleTable:
    write_table(tmp_path)
    found = read_sample_table(tmp_path)
    assert found is not None
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_with_or_without_a_byte_order_mark(
    tmp_path: Path, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_table(tmp_path, encoding=encoding)
    with caplog.at_level(logging.INFO):
        table = read_sample_table(tmp_path)
    assert table is not None and list(table.rows.index) == ["A1", "A2", "B1", "B2"]
    assert f"HEST_v1_1_0.csv, hash {table.fingerprint}, 4 samples" in caplog.text


def test_newest_of_several_versions(tmp_path: Path) -> None:
    for version in ("v1_0_0", "v1_10_0", "v1_9_3"):
        write_table(tmp_path, version)
    (tmp_path / "HEST_vX.csv").write_text("no table")
    table = read_sample_table(tmp_path)
    assert table is not None and table.name == "HEST_v1_10_0.csv"
    assert (
        newest_table(["st/A.h5ad", "HEST_v2.csv", "HEST_v1_9_9.csv"]) == "HEST_v2.csv"
        and newest_table([]) is None
    )


def test_no_table(tmp_path: Path) -> None:
    assert read_sample_table(tmp_path) is None
    with pytest.raises(
        InputError, match=r"data.select needs the sample table HEST_v\*.csv or metadata"
    ):
        table_from_metadata(tmp_path)


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    tables = []
    for folder, rows in (("a", ROWS), ("b", ROWS), ("c", ROWS[:3])):
        write_table(tmp_path / folder, rows=rows)
        tables.append(read_sample_table(tmp_path / folder))
    prints = [table.fingerprint for table in tables if table]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "id,organ\n1,2,3,4\n5\n"])
def test_broken_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "HEST_v1_0_0.csv").write_text(text)
    if text.startswith("id"):  # pandas takes the surplus for an index
        return
    with pytest.raises(InputError, match=r"HEST_v1_0_0.csv"):
        read_sample_table(tmp_path)


@pytest.mark.parametrize(
    ("select", "ids"),
    [
        ({}, ["A1", "A2", "B1", "B2"]),
        ({"organ": None, "ids": []}, ["A1", "A2", "B1", "B2"]),
        ({"organ": "Breast"}, ["A1", "A2"]),
        ({"organ": "bReAsT "}, ["A1", "A2"]),
        ({"organ": ["Breast", "Bowel"], "species": "Homo sapiens"}, ["A1", "A2", "B1"]),
        ({"st_technology": "Visium"}, ["A1", "B1"]),  # and not Visium HD
        ({"oncotree_code": ["IDC", "COAD"]}, ["A1", "B1"]),
        ({"preservation_method": "FFPE", "disease_state": "Cancer"}, ["A1", "A2"]),
        ({"dataset_title": "two [ST], and more"}, ["B1", "B2"]),
        ({"ids": ["B2", "a1"]}, ["A1", "B2"]),
        ({"ids": "A1"}, ["A1"]),
        ({"exclude": ["A1", "B1"]}, ["A2", "B2"]),
        ({"min_spots": 100}, ["A1", "B2"]),
        ({"min_spots": 50, "organ": "Breast"}, ["A1", "A2"]),
    ],
)
def test_select(table: SampleTable, select: dict[str, Any], ids: list[str]) -> None:
    assert select_ids(table, select) == ids
    assert selects(select) == (len(ids) < 4)


def test_blank_spot_numbers_are_left_out_and_said_so(
    table: SampleTable, caplog: pytest.LogCaptureFixture
) -> None:
    assert select_ids(table, {"min_spots": 1}) == ["A1", "A2", "B2"]
    assert "leaves out 1 samples whose number of spots is not in the table" in caplog.text


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (
            {"organ": "Brest"},
            (
                r"data.select.organ='Brest' is not in HEST_v1_1_0.csv; did you mean Breast\? Known:"
                r" Bowel, Breast"
            ),
        ),
        ({"ids": ["A1", "Z9"]}, r"data.select.ids='Z9' is not in .*Known: A1, A2, B1, B2"),
        ({"exclude": "A11"}, r"data.select.exclude='A11' .*did you mean A1"),
        ({"species": ""}, r"data.select.species=''"),
        ({"organs": "Breast"}, r"data.select has no filter \['organs'\]; known are organ, "),
        (
            {"organ": "Breast", "species": "Mus musculus"},
            r"of 4 in .*, organ=Breast leaves 2, then species=Mus musculus leaves 0",
        ),
        ({"min_spots": 10_000}, r"min_spots=10000 leaves 0; loosen data.select.min_spots"),
    ],
)
def test_select_names_the_mistake(table: SampleTable, select: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        select_ids(table, select)


def test_a_long_list_of_known_values_is_cut(tmp_path: Path) -> None:
    write_table(tmp_path, rows=[(f"S{i:03d}", *ROWS[0][1:]) for i in range(100)])
    table = read_sample_table(tmp_path)
    assert table is not None
    with pytest.raises(InputError, match="S029 and 70 more"):
        select_ids(table, {"ids": "nothing like it"})


def test_a_column_that_the_version_lacks(tmp_path: Path) -> None:
    (tmp_path / "HEST_v1_0_0.csv").write_text("id,organ\nA,Breast\n")
    table = read_sample_table(tmp_path)
    assert table is not None
    with pytest.raises(
        InputError,
        match=r"data.select.species: HEST_v1_0_0.csv has no column species; it has organ",
    ):
        select_ids(table, {"species": "Homo sapiens"})


VALUES = {
    name: [value for value in dict.fromkeys(row[i + 1] for row in ROWS) if value]
    for i, name in enumerate(COLUMNS[1:4])
}


@given(
    st.fixed_dictionaries(
        {name: st.none() | st.lists(st.sampled_from(values)) for name, values in VALUES.items()}
    )
)
def test_filters_commute_and_agree_with_a_plain_loop(select: dict[str, list[str] | None]) -> None:
    table = SampleTable("t", "", pd.DataFrame(ROWS, columns=COLUMNS).set_index("id"))
    position = {name: i + 1 for i, name in enumerate(COLUMNS[1:])}
    wanted = [
        row[0] for row in ROWS if all(not v or row[position[k]] in v for k, v in select.items())
    ]
    if wanted:
        assert (
            select_ids(table, select) == select_ids(table, dict(reversed(select.items()))) == wanted
        )
    else:
        with pytest.raises(InputError, match="leaves 0"):
            select_ids(table, select)


def write_sections(root: Path) -> None:
    for name, organ in (("A1", "Breast"), ("A2", "Breast"), ("B1", "Bowel")):
        write_hest(root, name, image=False, organ=organ, patient=name, spots_under_tissue=25)


def test_reader_selects_by_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_sections(tmp_path)
    write_table(tmp_path)
    reader = HestReader(str(tmp_path), select={"organ": "Breast", "exclude": ["A2"]})
    assert [key.section_id for key in reader.section_keys()] == ["A1"]
    assert reader.table is not None and reader.table_fingerprint == reader.table.fingerprint
    both = HestReader(str(tmp_path), sections=["A2", "B1"], select={"organ": "Breast"})
    assert [key.section_id for key in both.section_keys()] == ["A2"]
    with pytest.raises(
        InputError, match=r"no section is in both data.reader.sections=\['B1'\] and data.select"
    ):
        HestReader(str(tmp_path), sections=["B1"], select={"organ": "Breast"})
    partly = HestReader(str(tmp_path), select={"organ": "Bowel"})  # B2 is in the table only
    assert [key.section_id for key in partly.section_keys()] == ["B1"]
    assert "1 of 2 selected sections are not in" in caplog.text and "['B2']" in caplog.text


@pytest.mark.parametrize("select", [{"ids": ["A1", "B2"]}, {"species": "Mus musculus"}])
def test_reader_lacks_what_was_asked_for(tmp_path: Path, select: dict[str, Any]) -> None:
    write_sections(tmp_path)
    write_table(tmp_path)
    with pytest.raises(InputError, match=r"lacks \['B2'\]; data.download=true fetches them"):
        HestReader(str(tmp_path), select=select)


def test_reader_selects_by_metadata_where_there_is_no_table(tmp_path: Path) -> None:
    write_sections(tmp_path)
    reader = HestReader(str(tmp_path), select={"organ": "breast", "min_spots": 25})
    assert [key.section_id for key in reader.section_keys()] == ["A1", "A2"]
    assert reader.table is None and reader.table_fingerprint is None
    (tmp_path / "metadata" / "A1.json").write_text(
        json.dumps({"organ": float("nan"), "spots_under_tissue": None})
    )
    assert select_ids(table_from_metadata(tmp_path), {"organ": "Breast"}) == ["A2"]


def test_the_demo_is_selected_like_hest(small_demo: Path) -> None:
    reader = HestReader(str(small_demo), select={"organ": "Breast", "min_spots": 5})
    # two have a blank
    assert [key.section_id for key in reader.section_keys()] == ["DEMO1", "DEMO2", "DEMO4", "DEMO5"]


TASKS = ("ccrcc", "coad", "idc", "lung", "lymph_idc", "paad", "prad", "read", "skcm")
READY = {
    path.stem: [f"data={path.stem}"]
    for path in sorted((CHECKOUT / "conf" / "data").glob("hest*.yaml"))
    if path.stem not in ("hest_bench", "hest_benchmark")
} | {f"hest_bench_{task}": ["data=hest_bench", f"data.task={task}"] for task in TASKS}


@pytest.mark.parametrize("name", READY)
def test_every_ready_set_builds(name: str, tmp_path: Path) -> None:
    config = OmegaConf.to_container(
        compose_config("train", READY[name], tmp_path), resolve=True, throw_on_missing=True
    )
    assert isinstance(config, dict) and config["data"]["name"] == name
    select = config["data"]["select"]
    names = select["ids"] or ["T1"]
    for section_id in names:
        meta: dict[str, Any] = {
            key: value for key, value in select.items() if isinstance(value, str)
        }
        write_hest(
            tmp_path, section_id, image=False, patient="", subseries="Patient 7 lesional", **meta
        )
    write_hest(tmp_path, "OTHER", image=False, organ="Moon")
    reader = build(config["data"]["reader"] | {"root": str(tmp_path)})
    expected = {*names, "OTHER"} if name == "hest" else set(names)
    assert {key.section_id for key in reader.section_keys()} == expected
    if name == "hest_ncisd":
        assert reader.section_keys()[0].group == "Patient 7"
