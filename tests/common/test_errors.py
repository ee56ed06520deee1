"""What stands behind an error is found, whatever way the errors are tied to one another."""

import errno
import signal
from pathlib import Path

import pytest

from hespotex.cli.endings import ended
from hespotex.common.errors import InputError, Stopped, cause, chain, disk_words, stopped_by
from hespotex.records.build import build

NOWHERE = {"_target_": "hespotex.sections.readers.h5ad.H5adReader", "root": "/no/such/folder"}


def tied(first: BaseException, *behind: BaseException) -> BaseException:
    """Each raised from the next one."""
    for one, other in zip([first, *behind], behind, strict=False):
        one.__cause__ = other
    return first


def test_an_error_behind_itself_comes_to_an_end() -> None:
    first = ValueError("a")
    second = KeyError("b")
    assert list(chain(tied(first, second, first))) == [first, second]
    assert stopped_by(first) is None and disk_words(first) is None
    assert list(chain(None)) == []


def test_what_stands_behind_is_found() -> None:
    stop = Stopped(signal.SIGTERM)
    full = OSError(errno.ENOSPC, "No space left", "/x/y")
    assert stopped_by(tied(ValueError("a"), KeyError("b"), stop)) is stop
    assert (disk_words(tied(ValueError("a"), full)) or "").startswith("/x/y: the disk is full")


def test_a_link_to_nothing_in_the_way_of_a_folder(tmp_path: Path) -> None:
    link = tmp_path / "store"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError) as refused:
        link.mkdir(exist_ok=True)
    words = disk_words(refused.value) or ""
    assert words.startswith(f"{link}: a file, or a link to nothing, stands where a folder is")
    assert "paths.store=DIR" in words


def test_a_config_that_cannot_be_built_ends_in_one_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What Hydra has wrapped is raised from the wrapping: it stands behind itself."""
    with pytest.raises(InputError, match="folder not found: /no/such/folder") as refused:
        build(NOWHERE)
    with pytest.raises(SystemExit) as stop:
        ended(refused.value)
    assert stop.value.code == 2
    assert "folder not found" in caplog.text


def test_a_file_that_the_message_names_is_not_named_again(tmp_path: Path) -> None:
    with pytest.raises(OSError) as folder:
        tmp_path.read_bytes()
    assert cause(folder.value) == "Is a directory"
    assert cause(OSError("file signature not found")) == "file signature not found"
    assert cause(ValueError("no numbers")) == "no numbers"
