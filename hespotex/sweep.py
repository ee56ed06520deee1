"""Hydra callbacks of a sweep: the table at its end, the model to use, and which of its jobs
failed.
"""

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from hespotex.endings import Sweep

log = logging.getLogger(__name__)


class JobsOfSweep(Callback):
    """Lets `cli.command` tell, at the end, which jobs of the sweep failed: the others went on."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        Sweep.begin(Path(config.hydra.sweep.dir))


class SummariseSweep(JobsOfSweep):
    """Summarises the sweep folder; with `finalize: true` it then fits the model on all sections.

    Both can also be made, and made again: `python -m hespotex.summary`, `python -m
    hespotex.finalize`.
    """

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from hespotex.errors import InputError
        from hespotex.summary import summarise

        try:
            summarise(Path(config.hydra.sweep.dir))
        except InputError as error:
            log.warning("no summary: %s", error)
        if config.get("finalize"):
            _finalize(config)


def _finalize(config: DictConfig) -> None:
    """The model to use, on the trainer and with the loggers of the sweep."""
    from hespotex.errors import InputError
    from hespotex.finalize import MACHINE, finalize

    sweep = Path(config.hydra.sweep.dir)
    parts = OmegaConf.masked_copy(config, list(MACHINE))
    machine: dict[str, Any] = OmegaConf.to_container(parts)  # type: ignore[assignment]
    try:
        finalize(sweep, machine=machine, restart=bool(config.restart))
    except InputError as error:
        log.warning(
            "no final model: %s (python -m hespotex.finalize %s makes it later)", error, sweep
        )
