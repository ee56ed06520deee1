"""The folder of one run: who owns it, whether it is finished, and where to go on."""

import logging
from pathlib import Path
from typing import Any

from hespotex.callbacks.checkpoint_io import ends_without_best, why_unreadable
from hespotex.common.errors import InputError
from hespotex.common.files import read_json, write_json
from hespotex.common.provenance import differing, settings
from hespotex.common.shapes import check_shape
from hespotex.records.build import Config
from hespotex.records.manifest import MANIFEST, check_files
from hespotex.records.plain import read_config

log = logging.getLogger(__name__)
AGAIN = "restart=true runs it again"


class OtherRun(InputError):
    """A folder holds a run of another config."""


class RunFolder:
    """`config.json` claims the folder for one config; `metrics.json` is written last and marks it
    finished.

    Args:
        path: the folder, which may hold an earlier run of the same command.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    def claim(self, config: Config) -> None:
        """Take the folder for this config, or go on where the same config was interrupted.

        Raises:
            InputError: see `check`.
        """
        self.check(config)
        if config["restart"]:
            for old in [self.metrics_file, *self.checkpoints.glob("*.ckpt")]:
                old.unlink(missing_ok=True)
        if not self.metrics_file.is_file():  # a finished run keeps what it was made with
            (self.path / MANIFEST).unlink(missing_ok=True)
            write_json(self.path / "config.json", config)

    def check(self, config: Config) -> None:
        """That the folder is free for this config, or for its restart.

        Raises:
            OtherRun: it holds a run of another config; the message names what differs.
            InputError: what it holds cannot be read.
        """
        is_there = (self.path / "config.json").is_file() and self.holds_work()
        if config["restart"] or not is_there:
            return
        recorded = self.recorded()
        current = settings(config)
        if keys := differing(current, recorded):
            changes = ", ".join(
                f"{key}: {recorded.get(key)} there, {current.get(key)} now" for key in keys[:6]
            )
            raise OtherRun(
                f"{self.path} holds another run ({changes}); choose name=NEW, or restart=true to"
                " replace it"
            )

    def recorded(self) -> dict[str, Any]:
        """The settings of the run that is there, as dotted keys."""
        return settings(read_config(self.path, AGAIN))

    def holds_work(self) -> bool:
        """Whether an earlier run has come to its first checkpoint; a start that failed takes no
        name.
        """
        return self.metrics_file.is_file() or any(self.checkpoints.glob("*.ckpt"))

    @property
    def metrics_file(self) -> Path:
        """The scores of the run; it is there only when the run has finished."""
        return self.path / "metrics.json"

    @property
    def last_checkpoint(self) -> Path | None:
        """Where an interrupted run goes on."""
        path = self.checkpoints / "last.ckpt"
        return path if path.is_file() else None

    def set_aside_unreadable(self) -> None:
        """Keep, under another name, checkpoints from which an interrupted run cannot go on: it
        starts anew.
        """
        last = self.last_checkpoint
        if last is None:
            return
        best = self.checkpoints / "best.ckpt"
        needed = [last] if ends_without_best(last) else [last, best]
        for path in needed:
            if reason := why_unreadable(path):
                aside = last.with_name("last.unreadable.ckpt")
                last.replace(aside)
                log.warning(
                    "%s cannot be read (%s): %s is now %s, training starts anew",
                    path,
                    reason,
                    last.name,
                    aside.name,
                )
                return

    def finished(self) -> dict[str, Any] | None:
        """The metrics of a finished run.

        Raises:
            InputError: the run is finished, but not whole.
        """
        if not self.metrics_file.is_file():
            return None
        check_files(self.path)
        metrics = read_json(self.metrics_file, AGAIN)
        check_shape(metrics, {"val_score": float}, str(self.metrics_file))
        return metrics
