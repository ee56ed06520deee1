"""Going on where a run was interrupted, whatever the interruption left."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Run

from hespotex.callbacks.checkpoint_io import WholeCheckpointIO, why_unreadable
from hespotex.training.run_folder import RunFolder

SHORT = ["model=mlp", "model.max_epochs=2", "data.panel.n_top=20"]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A checkpoint as Lightning makes one, in small."""
    content = {
        "state_dict": {"weight": torch.ones(1000)},
        "optimizer_states": [],
        "lr_schedulers": [],
        "loops": {},
    }
    callbacks = {"ModelCheckpoint": {"best_model_path": "best.ckpt"}}
    path = tmp_path / "checkpoints" / "last.ckpt"
    WholeCheckpointIO().save_checkpoint(
        content | {"callbacks": callbacks, "epoch": 1, "global_step": 2}, path
    )
    return path


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.find(torch.ones(100).numpy().tobytes())
    content[place : place + 64] = bytes(64)
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    torch.save({"state_dict": {}}, path)


def code(path: Path) -> None:
    torch.save({"state_dict": print}, path)


HARMS = [halve, zero, empty, other, code]


@pytest.mark.parametrize("harm", HARMS)
def test_a_last_checkpoint_that_cannot_be_read_is_set_aside(
    whole: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(whole, whole.with_name("best.ckpt"))
    folder = RunFolder(whole.parents[1])
    folder.set_aside_unreadable()
    assert folder.last_checkpoint == whole and not caplog.text
    harm(whole)
    folder.set_aside_unreadable()
    assert folder.last_checkpoint is None
    assert {path.name for path in whole.parent.iterdir()} == {"best.ckpt", "last.unreadable.ckpt"}
    assert f"{whole} cannot be read" in caplog.text and "training starts anew" in caplog.text


@pytest.mark.parametrize("harm", [Path.unlink, halve, zero])
def test_without_the_chosen_epoch_training_starts_anew(
    whole: Path, harm: Callable[[Path], None]
) -> None:
    best = Path(shutil.copy(whole, whole.with_name("best.ckpt")))
    harm(best)
    folder = RunFolder(whole.parents[1])
    folder.set_aside_unreadable()
    assert folder.last_checkpoint is None


@pytest.mark.parametrize("harm", [Path.unlink, halve])
def test_a_fit_without_epochs_goes_on_from_its_last_checkpoint(
    train: Run, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Killed after it and before the other, it leaves what an undisturbed run does."""
    words = ["model=ridge", "data.panel.n_top=20"]
    folder = train(*words)
    checkpoints = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    (folder / "metrics.json").unlink()
    harm(folder / "checkpoints" / "best.ckpt")
    train(*words)
    found = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    assert found == checkpoints and "training starts anew" not in caplog.text


def test_a_torn_checkpoint_costs_the_epochs_only(
    train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr("hespotex.training.run.predict_test", killed)
        train(*SHORT)
    halve(tmp_path / "run" / "checkpoints" / "last.ckpt")
    folder = train(*SHORT)
    assert (folder / "metrics.json").is_file()
    assert "training starts anew" in caplog.text
    assert why_unreadable(folder / "checkpoints" / "last.ckpt") is None


def test_a_checkpoint_needs_no_other_folder_and_has_the_same_bytes(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "not there"))
    content = torch.load(whole, weights_only=True)
    again = tmp_path / "again.ckpt"
    WholeCheckpointIO().save_checkpoint(content, again)
    WholeCheckpointIO().save_checkpoint(torch.load(again, weights_only=True), whole)
    assert again.read_bytes() == whole.read_bytes()


def test_equal_content_has_equal_bytes(tmp_path: Path) -> None:
    """Whether its words are the same objects, as in a run, or not, as in one that was resumed."""
    state = torch.nn.Linear(2, 2).state_dict()

    def saved(name: str, word: str) -> bytes:
        moments = ("step", [word, {word: torch.ones(2), "other": {}}])
        content = {"state_dict": state, "epoch": 1, "moments": moments, word: word}
        WholeCheckpointIO().save_checkpoint(content, tmp_path / name)
        return (tmp_path / name).read_bytes()

    one = saved("one", "step")
    other = saved("other", "".join(["st", "ep"]))
    assert one == other
    loaded = torch.load(tmp_path / "one", weights_only=True)
    assert loaded["state_dict"]._metadata == state._metadata  # type: ignore[attr-defined]
    assert loaded["moments"][1][1]["other"] == {} and loaded["epoch"] == 1
