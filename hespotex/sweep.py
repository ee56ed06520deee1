"""Hydra callbacks of a sweep: the table at its end, and which of its jobs failed."""

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from hespotex.endings import Sweep

log = logging.getLogger(__name__)


class JobsOfSweep(Callback):
    """Lets `cli.command` tell, at the end, which jobs of the sweep failed: the others went on."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        Sweep.begin(Path(config.hydra.sweep.dir))


class SummariseSweep(JobsOfSweep):
    """Summarises the sweep folder; the summary can also be made, and made again, by `python -m hespotex.summary`."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from hespotex.errors import InputError
        from hespotex.summary import summarise

        try:
            summarise(Path(config.hydra.sweep.dir))
        except InputError as error:
            log.warning("no summary: %s", error)
