"""What a finished run left behind, as it lies on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.files import read_json
from hespotex.common.provenance import KEY
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.plain import read_config

Config = dict[str, Any]
NOT_WHOLE = "the run's folder is not whole"
SIDES = ("train", "val", "test")


@dataclass(frozen=True)
class RunRecord:
    """`config.json`, `split.json`, `metrics.json` and `checkpoints/best.ckpt` of one run."""

    folder: Path
    config: Config
    split_file: dict[str, Any]
    metrics: dict[str, Any]
    checkpoint: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """The facts inside the checkpoint; its split is the one that the other rules go by."""
        facts: dict[str, Any] = self.checkpoint[KEY]
        return facts

    def ids(self, *sides: str) -> list[str]:
        """Section ids of these sides of the split, each once."""
        return list(dict.fromkeys(i for side in sides for i in self.about["split"][side]))

    @property
    def known(self) -> dict[str, dict[str, Any]]:
        """Recorded group, size and hashes of each section; empty for runs of older versions."""
        facts: dict[str, dict[str, Any]] = self.about.get("section_facts", {})
        return facts


def read_record(folder: Path) -> RunRecord:
    """The record of a finished run.

    Raises:
        InputError: no such folder, no finished run in it, or a file that cannot be read.
    """
    if not (folder / "metrics.json").is_file():
        raise InputError(
            f"no finished run (metrics.json) in {folder}; give the folder of one run, such as"
            " outputs/demo/0"
        )
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} holds scores but no training run: audit the runs whose checkpoints made them"
        )
    split, metrics = (
        read_json(folder / f"{name}.json", NOT_WHOLE) for name in ("split", "metrics")
    )
    checkpoint = read_checkpoint(folder / "checkpoints" / "best.ckpt")
    return RunRecord(folder, read_config(folder, NOT_WHOLE), split, metrics, checkpoint)
