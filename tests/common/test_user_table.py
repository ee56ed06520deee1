"""Tables that users write: read as they are meant, or refused by row, column and value."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hespotex.cohort import _read_slides
from hespotex.cohorts.bulk import read_bulk
from hespotex.cohorts.survival import follow_up_of
from hespotex.common.errors import InputError
from hespotex.common.user_table import parse_number, read_user_rows, read_user_table, read_user_text
from hespotex.genes.gene_list import GeneList
from hespotex.prediction.slide_list import find_slides
from hespotex.results.slide.gene_sets import read_gmt
from hespotex.sections.gene_names import read_aliases
from hespotex.sections.readers.groups import read_groups
from hespotex.sections.readers.slide import read_positions
from hespotex.splits.split_file import FileSplit

SLIDES = "path,mpp,note\nMüller.tif,0.5,a\nb.tif,0.25,\n"
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "cp1252",
]


def written(folder: Path, text: str, encoding: str = "utf-8", name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_encoding_and_delimiter(
    tmp_path: Path, encoding: str, delimiter: str, newline: str
) -> None:
    path = written(tmp_path, SLIDES.replace(",", delimiter).replace("\n", newline), encoding)
    table = read_user_table(path, "slides", ["path"], optional=["mpp"])
    assert table.text("path") == ["Müller.tif", "b.tif"] and table.lines == [2, 3]
    np.testing.assert_array_equal(table.numbers("mpp", "um"), [0.5, 0.25])


def test_latin_1_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_user_text(written(tmp_path, SLIDES, "latin-1"), "slides")
    assert "taken for Latin-1" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "path,mpp\na.tif,0.5\n",
        'path,mpp\na.tif,"0,5"\n',
        "path;mpp\na.tif;0,5\n",
        "sep=;\npath;mpp\na.tif;0,5\n",
        "path,mpp\na.tif,0.5 um\n",
        "path,mpp\na.tif,0.5 µm/px\n",
        "path,mpp\na.tif,0.5um per px\n",
        "path,mpp\na.tif,500 nm\n",
        "path, mpp\na.tif, 0.5\n",
        " Path , MPP \n a.tif , 0.5 \n",
        '"path","mpp"\n"a.tif","0.5"\n',
        "path,mpp (um/px)\na.tif,.5\n",
        "path,mpp [nm]\na.tif,500\n",
        "slide,um_per_px\na.tif,5e-1\n",
        "\n\npath,mpp,,\na.tif,0.5,,\n,,,\n",
        "path\tmpp\na.tif\t0,5\n",
    ],
)
def test_a_pixel_size_is_never_dropped(tmp_path: Path, text: str) -> None:
    (slide,) = find_slides(str(written(tmp_path, text)))
    assert slide.path == tmp_path / "a.tif" and slide.mpp == pytest.approx(0.5)


def test_an_empty_pixel_size_is_the_files(tmp_path: Path) -> None:
    found = find_slides(str(written(tmp_path, "path,mpp\na.tif,\nb.tif,NA\nc.tif\n")))
    assert [slide.mpp for slide in found] == [None, None, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "path,mpp\na.tif,half\n",
            "line 2, column mpp: expected a number .um., found 'half' .slides.",
        ),
        ("path,mpp\nb.tif,0.5\na.tif,0.5 px\n", "line 3, column mpp"),
        ("path,mpp\na.tif,0.5.1\n", "column mpp"),
        ("path,mpp\na.tif,1e999\n", "column mpp"),
        ("path,mpp\na.tif,inf\n", "column mpp"),
        ('path,mpp\na.tif,"1,250"\n', "thousands or decimals"),
        ('path,mpp\na.tif,"1.250,5"\n', "column mpp"),
        ('path,mpp\na.tif,"0,5"\nb.tif,1.250\n', "line 3, column mpp"),
        ("path,mpp\na.tif,0,5\n", "3 cells under a header of 2.*quotes"),
        ("path,mpp,MPP\na.tif,0.5,0.25\n", "columns there twice: mpp"),
        ("path,mpp\n,0.5\n", "column path: expected something"),
        ("mpp\n0.5\n", "expected columns path, mpp"),
        ("path,mpp\n", "a header and no rows"),
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ('path,mpp\n"a.tif,0.5\n', "mend its quotes"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=words) as error:
        find_slides(str(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("sizes", "mpp"),
    [(("0.5", "0,5"), 0.5), (("", "0.5"), 0.5), (("0.5", ""), 0.5), (("", ""), None)],
)
def test_a_slide_listed_twice(tmp_path: Path, sizes: tuple[str, str], mpp: float | None) -> None:
    (slide,) = find_slides(
        str(written(tmp_path, f"path;mpp\na.tif;{sizes[0]}\na.tif;{sizes[1]}\n"))
    )
    assert slide.mpp == mpp


def test_a_slide_of_two_pixel_sizes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.tif: listed twice, with 0\.5 and 0\.25 um per px"):
        find_slides(str(written(tmp_path, "path,mpp\na.tif,0.5\na.tif,0.25\n")))


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04workbook",
        b"\x89HDF\r\n",
        b"\x00\x01\x02\x03" * 9 + b"\x01",
        gzip.compress(b"a", mtime=0)[:-4],
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"a.csv"):
        read_user_table(tmp_path / "a.csv", "slides", ["path"])


@pytest.mark.parametrize(
    ("cell", "comma", "value"),
    [
        ("1,5", False, 1.5),
        ("0,250", False, 0.25),
        ("1,250", True, 1.25),
        ("1,250", False, None),
        ("-2", False, -2),
        ("\u22122", False, -2),
        ("1_000", False, None),
        ("1e3", False, 1000),
        ("0x10", False, None),
        ("", False, None),
        ("1 000", False, None),
        ("nan", False, None),
    ],
)
def test_numbers(cell: str, comma: bool, value: float | None) -> None:
    assert parse_number(cell, comma=comma) == value


class TestEveryTable:
    """Each of them goes through the same reader: case, spaces, semicolons, UTF-16 and Latin-1."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
    def test_groups(self, tmp_path: Path, encoding: str) -> None:
        path = written(tmp_path, " Section ID ;PATIENT\nA; Müller \nB;P2\n", encoding)
        assert read_groups(str(path), ["A", "B"]) == {"A": "Müller", "B": "P2"}

    def test_groups_of_two_patients(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"two patients: \['A'\]"):
            read_groups(str(written(tmp_path, "section_id,patient\nA,P1\nA,P2\n")), ["A"])

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_split(self, tmp_path: Path, encoding: str) -> None:
        path = written(
            tmp_path,
            "Fold;section_id;SPLIT\n10;A;Test\n9;A;train \n10;B;train\n9;B;test\n",
            encoding,
        )
        table = FileSplit(path=str(path))._table()
        assert sorted(table["fold"].unique()) == [9, 10] and set(table["split"]) == {
            "train",
            "test",
        }

    def test_split_of_another_side(self, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match="line 2, column split: expected one of test, train, val, found 'tset'"
        ):
            FileSplit(path=str(written(tmp_path, "fold,section_id,split\n0,A,tset\n")))._table()

    @pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
    def test_aliases_and_lists_of_genes(self, tmp_path: Path, encoding: str) -> None:
        assert read_aliases(written(tmp_path, "Alias;Symbol\nNA;NAN\nb;B\n", encoding)) == {
            "NA": "NAN",
            "b": "B",
        }
        path = written(tmp_path, '"ERBB2",\r\n CD8A \r\n\r\n', encoding, "genes.txt")
        assert GeneList(path=str(path)).listed() == ["ERBB2", "CD8A"]
        assert read_gmt(written(tmp_path, "S\td\tA\tB\r\n", encoding, "a.gmt")) == {"S": ["A", "B"]}

    @pytest.mark.parametrize(
        "text",
        [
            "x,y\n1.5,2\n",
            "x;y\n1,5;2\n",
            "X\tY\n1.5\t2\n",
            "x y\n1.5 2\n",
            "pixel_x,pixel_y\n1.5 px,2\n",
            "barcode,x (px),y (px)\nA,1.5,2\n",
        ],
    )
    def test_positions(self, tmp_path: Path, text: str) -> None:
        np.testing.assert_array_equal(read_positions(written(tmp_path, text))[1], [[1.5, 2]])

    @pytest.mark.parametrize("cell", ["", "nan", "A1", "1e400", "3 um"])
    def test_positions_that_are_none(self, tmp_path: Path, cell: str) -> None:
        with pytest.raises(InputError, match="line 3, column y"):
            read_positions(written(tmp_path, f"x,y\n1,2\n3,{cell}\n"))

    def test_cohort_and_follow_up(self, tmp_path: Path) -> None:
        table = _read_slides(
            written(
                tmp_path, "Slide;Patient;Time;Event\na;P1;10,5;TRUE\nb;P2;3;0\nc;P3;;\n", "utf-16"
            )
        )
        follow_up = follow_up_of(table)
        assert (
            follow_up is not None
            and follow_up.to_dict("index")["P1"] == {"time": 10.5, "event": 1}
            and len(follow_up) == 2
        )

    @pytest.mark.parametrize("row", ["a,P1,12 months,1", "a,P1,ten,1", "a,P1,10,maybe"])
    def test_follow_up_is_not_dropped(self, tmp_path: Path, row: str) -> None:
        with pytest.raises(InputError, match="line 2, column"):
            follow_up_of(_read_slides(written(tmp_path, f"slide,patient,time,event\n{row}\n")))

    @pytest.mark.parametrize(
        "text",
        [
            "gene,P1,P2,P3\nA,1.5,2,3\nB,4,5,\n",
            "gene;P1;P2;P3\nA;1,5;2;3\nB;4;5;NA\n",
            "P1\tP2\tP3\nA\t1.5\t2\t3\nB\t4\t5\tNA\n",
        ],
    )
    def test_bulk(self, tmp_path: Path, text: str) -> None:
        values, _ = read_bulk(
            written(tmp_path, text), pd.Index(["P1", "P2", "P3"]), pd.Index(["A", "B"])
        )
        np.testing.assert_array_equal(values.to_numpy()[[0, 2]], [[1.5, 4], [3, np.nan]])

    def test_bulk_that_is_no_number(self, tmp_path: Path) -> None:
        path = written(tmp_path, "gene,P1,P2,P3\nA,1,2,x3\nB,4,5,6\n")
        with pytest.raises(InputError, match="row P3, column A: expected numbers, found 'x3'"):
            read_bulk(path, pd.Index(["P1", "P2", "P3"]), pd.Index(["A", "B"]))


@pytest.mark.parametrize("kind", ["slides", "positions", "split", "bulk"])
def test_a_mutated_table_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    text = {
        "slides": SLIDES,
        "positions": "barcode,x,y\nA,1.5,2\nB,3,4\n",
        "split": "fold,section_id,split\n0,A,test\n0,B,train\n",
    }
    data = text.get(kind, "gene,P1,P2\nA,1,2\nB,3,4\n").encode()
    rng = np.random.default_rng(len(kind))
    for number in range(150):
        content = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(content)))
            content[at : at + int(rng.integers(0, 2))] = bytes(
                rng.choice([0, 9, 10, 13, 34, 44, 59, 0xFF, 0xFE, 0xE9, 48], 1).tolist()
            )
        path = tmp_path / f"{number}.csv"
        path.write_bytes(bytes(content))
        try:
            if kind == "slides":
                find_slides(str(path))
            elif kind == "positions":
                read_positions(path)
            elif kind == "split":
                FileSplit(path=str(path))._table()
            else:
                read_user_rows(path, "--bulk")
        except InputError as error:
            assert str(path) in str(error) or "would both be written" in str(error)
