"""Checkpoints on disk: whole or absent, and looked through before a run goes on from one."""

import zipfile
from collections import OrderedDict
from pathlib import Path
from sys import intern
from typing import Any

from pytorch_lightning.plugins.io import TorchCheckpointIO

from hespotex.common.files import atomic_path
from hespotex.common.loading import load_tensors, tensor_bytes

RESUMED = (
    "state_dict",
    "optimizer_states",
    "lr_schedulers",
    "loops",
    "callbacks",
    "epoch",
    "global_step",
)


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: nothing passes through a temporary
    folder elsewhere.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` as `path`."""
        with atomic_path(Path(path)) as partial:
            partial.write_bytes(tensor_bytes(equal_bytes(checkpoint)))


def equal_bytes(content: Any) -> Any:
    """A copy whose containers are its own and whose equal words are one object.

    A pickle writes a word once and then refers to it, if it is the same object: without this, what
    a run wrote after it was killed and resumed had the same values and other bytes.
    """
    if type(content) is str:
        return intern(content)
    if type(content) in (list, tuple):
        return type(content)(equal_bytes(value) for value in content)
    if type(content) not in (dict, OrderedDict):
        return content
    copy = type(content)((equal_bytes(key), equal_bytes(value)) for key, value in content.items())
    if isinstance(content, OrderedDict):
        vars(copy).update(equal_bytes(vars(content)))  # the versions in a network's state
    return copy


def why_torn(path: Path) -> str | None:
    """What the checksums inside a file of torch's say of it, in a few words; None if it is
    whole.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except Exception as error:  # a torn archive has many kinds of error
        return f"{type(error).__name__}: {error}"
    return f"damaged at {broken}" if broken else None


def why_unreadable(path: Path) -> str | None:
    """What keeps a run from going on from this checkpoint, in a few words; None if nothing does."""
    if torn := why_torn(path):
        return torn
    try:
        content = load_tensors(path, "checkpoint")
    except Exception as error:  # torn, of another kind, or with code inside: all the same here
        return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
    lacking = (
        [key for key in RESUMED if key not in content]
        if isinstance(content, dict)
        else list(RESUMED)
    )
    return f"it lacks {', '.join(lacking)}" if lacking else None


def ends_without_best(path: Path) -> bool:
    """Whether a readable last checkpoint names no best one: that of a fit without epochs is written
    after it, and a run that is killed in between goes on without.
    """
    if why_unreadable(path):
        return False
    content = load_tensors(path, "checkpoint")
    states = [state for state in content["callbacks"].values() if isinstance(state, dict)]
    return not any(state.get("best_model_path") for state in states)
