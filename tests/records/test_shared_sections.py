"""Jobs of a sweep share the sections they read, for as long as what makes them is the same."""

import os
from pathlib import Path

import pytest
from conftest import compose_config

from hespotex.records.build import LAST, build_sections, resolved
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.sections import Sections


def sections_of(root: Path, tmp_path: Path, *overrides: str) -> Sections:
    words = ["data=hest", f"data.reader.root={root}", f"paths.store={tmp_path}", *overrides]
    return build_sections(resolved(compose_config("train", words, tmp_path)))


def test_one_data_set_is_read_once(small_demo: Path, tmp_path: Path) -> None:
    first = sections_of(small_demo, tmp_path)
    assert sections_of(small_demo, tmp_path, "model=ridge", "seed=3") is first
    assert sections_of(small_demo, tmp_path, "data.min_counts=30") is not first
    assert sections_of(small_demo, tmp_path) is not first, "only the last one is kept"


def test_a_file_that_changes_is_read_anew(broken: Path, tmp_path: Path) -> None:
    first = sections_of(broken, tmp_path)
    table = next((broken / "st").glob("*.h5ad"))
    os.utime(table, ns=(1, 1))
    assert sections_of(broken, tmp_path) is not first


def test_a_reader_that_does_not_tell_is_asked_again(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(HestReader, "made_from")
    assert sections_of(small_demo, tmp_path) is not sections_of(small_demo, tmp_path)
    assert not LAST, "nobody else would get them"


def test_a_file_that_is_not_there_is_said_where_it_is_read(broken: Path, tmp_path: Path) -> None:
    next((broken / "wsis").glob("*.tif")).unlink()
    assert sections_of(broken, tmp_path).origins() is None
