"""Hydra callback: the table at the end of a sweep."""

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)


class SummariseSweep(Callback):
    """Summarises the sweep folder; the summary can also be made, and made again, by `python -m hespotex.summary`."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from hespotex.errors import InputError
        from hespotex.summary import summarise

        try:
            summarise(Path(config.hydra.sweep.dir))
        except InputError as error:
            log.warning("no summary: %s", error)
