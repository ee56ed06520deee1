"""Tables of counts that are read at once: as pandas reads them, or not at all."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hespotex.sections.readers.her2st import _any_counts
from hespotex.sections.readers.plain_table import plain_table

WHOLE = "\tA\tB\tA\n10x13\t1\t0\t250\n9x1\t0\t3\t4\n"


def written(folder: Path, content: str | bytes, packed: bool = False) -> Path:
    path = folder / ("A1.tsv.gz" if packed else "A1.tsv")
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "content", [WHOLE, WHOLE.rstrip("\n"), WHOLE.replace("\n", "\r\n"), "\ufeff" + WHOLE]
)
def test_as_pandas_reads_it(tmp_path: Path, content: str, packed: bool) -> None:
    path = written(tmp_path, content, packed)
    found = plain_table(path)
    assert found is not None
    general = _any_counts(path)
    assert list(found.columns) == list(general.columns) == ["A", "B", "A"]
    assert list(found.index) == list(general.index)
    np.testing.assert_array_equal(found.to_numpy(), general.to_numpy())


def test_many_numbers(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).geometric(0.01, (40, 500)) ** 2
    table = pd.DataFrame(counts, [f"{i}x{i}" for i in range(40)], [f"G{i}" for i in range(500)])
    table.to_csv(tmp_path / "A1.tsv.gz", sep="\t")
    found = plain_table(tmp_path / "A1.tsv.gz")
    assert found is not None
    np.testing.assert_array_equal(found.to_numpy(), counts)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\tA\tB\n",
        "\tA\tB\n1x1\t1\n",
        "\tA\tB\n1x1\t1\t2\t3\n",
        "\tA\tB\n1x1\t1\t\n",
        "\tA\tB\n1x1\t1\tthree\n",
        "\tA\tB\n1x1\t1\t1x1\n",
        "\tA\tB\n1x1\t1\t1.2.3\n",
        "\tA\tB\n1x1\t1\t-3\n",
        "\tA\tB\n1x1\t1\t2.5\n",
        "\tA\tB\n1x1\t1\n2x2\t1\t2\t3\n",
        "\tA\tB\n1x1\t1\t1234567890123456\n",
        "\tA\tB\nspot\t1\t3\n",
        "\tA\tB\n1x1\t1\t3\n\n2x2\t1\t3\n",
        '\t"A"\tB\n1x1\t1\t3\n',
        "\tA\t \n1x1\t1\t3\n",
        b"\tA\xff\tB\n1x1\t1\t3\n",
    ],
)
def test_all_else_is_for_the_general_reader(tmp_path: Path, content: str | bytes) -> None:
    assert plain_table(written(tmp_path, content)) is None


def test_a_torn_archive_and_a_missing_file(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE * 50, packed=True)
    path.write_bytes(path.read_bytes()[:-20])
    assert plain_table(path) is None
    assert plain_table(tmp_path / "none.tsv") is None
