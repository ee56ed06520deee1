"""A disk that takes no more: one message, nothing half-written, and the same command goes on."""

import shutil
from pathlib import Path

import pytest

from .commands import commands
from .killing import left, run


@pytest.mark.parametrize(
    ("verb", "largest"), [("embed", 6_000), ("train", 20_000), ("train", 200_000)]
)
def test_a_disk_that_takes_no_more(
    small_demo: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    verb: str,
    largest: int,
) -> None:
    """Files larger than so many bytes are refused by the system itself."""
    import hespotex.training.fill
    import hespotex.training.run  # noqa: F401, here and not in each child

    work = tmp_path / "work"
    command = commands(small_demo, work / "made", work)[verb]
    work.mkdir()
    assert run(command, work)[0] == 0
    whole = left(work, command.unlike).items()
    shutil.rmtree(work)
    work.mkdir()
    capfd.readouterr()
    assert run(command, work, largest=largest)[0] == 2
    said = "".join([*capfd.readouterr(), (tmp_path / "said.txt").read_text()])
    assert "Traceback" not in said and "the file grows too large for this disk" in said
    assert [path for path in work.rglob("*.part*") if path.is_file()] == []
    assert run(command, work)[0] == 0
    more = left(work, command.unlike).items() ^ whole
    assert [name for name, _ in more if not name.endswith(".lock")] == []
