"""Patients as the user tells them: never one patient for all blanks, never two for one section."""

import logging
from pathlib import Path

import pytest

from hespotex.common.errors import InputError
from hespotex.sections.readers.groups import read_groups

IDS = ["A", "B"]


@pytest.mark.parametrize(
    "text",
    [
        "section_id,patient\nA,P1\nB,P1\nC,P2\n",
        "section_id,patient\r\nA,P1\r\nB,P1\r\n",
        "\ufeffsection_id,patient\r\nA,P1\r\nB,P1\r\n",
        "note;section_id;patient\nx;A;P1\ny;B;P1\n",
        "section_id\tpatient\nA\tP1\nA\tP1\nB\t P1 \n",
    ],
)
def test_a_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "groups.csv").write_bytes(text.encode())
    assert read_groups(str(tmp_path / "groups.csv"), IDS) == {"A": "P1", "B": "P1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("section_id,patient\nA,P1\n", r"names no patient of \['B'\]"),
        ("section_id,patient\nA,P1\nB,\n", r"names no patient of \['B'\]"),
        (
            "section_id,patient\nA,P1\nB,P1\nB,P2\n",
            r"groups.csv .*sections of two patients: \['B'\]",
        ),
        ("id,patient\nA,P1\n", r"expected columns section_id, patient, found \['id', 'patient'\]"),
        ("", "groups.csv"),
    ],
)
def test_tables_that_do_not_tell(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_groups(str(tmp_path / "groups.csv"), IDS)


def test_a_mapping_and_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert read_groups({"A": "P1", "B": "P2", "C": "P3"}, IDS) == {"A": "P1", "B": "P2"}
    with pytest.raises(InputError, match=r"file not found: nowhere\.csv"):
        read_groups("nowhere.csv", IDS)
    with caplog.at_level(logging.WARNING):
        assert read_groups(None, IDS) == {"A": "A", "B": "B"}
    assert "patients are unknown" in caplog.text and "data.reader.groups" in caplog.text
