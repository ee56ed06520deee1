"""Hydra callbacks: the config is checked before a folder is made; and of a sweep, the table at its
end, the model to use, and which of its jobs failed.
"""

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from hespotex.cli.endings import Sweep, refuse
from hespotex.cli.entry import settle
from hespotex.cli.names import check_config_names
from hespotex.cli.numbers import check_numbers
from hespotex.common.errors import InputError, stopped_by

log = logging.getLogger(__name__)


def _job_folder(number: int, *, _root_: DictConfig) -> str:
    """Of the job that is about to start; its number where the config cannot be made whole, as its
    own task then says.

    Args:
        number: of the job.
        _root_: its config, by which name OmegaConf hands it over.
    """
    folder = Path(_root_.hydra.sweep.dir)
    if not (folder / str(number)).is_dir():  # nothing to look at: Lightning is not loaded for it
        return str(number)
    settle()  # this is before the job's own start
    from hespotex.training.job_folder import job_folder

    try:
        return job_folder(folder, str(number), _root_)
    except (InputError, MissingMandatoryValue, InterpolationResolutionError) as error:
        log.debug("no other folder for job %s: %s", number, error)
        return str(number)


# here, as every process of a sweep knows its callbacks
OmegaConf.register_new_resolver("job_folder", _job_folder, replace=True)


class CheckedConfig(Callback):
    """Refuses names and numbers of the config that are out of bounds before Hydra makes a folder.

    A job of a sweep makes its folder first; its numbers are looked at again where it starts.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config of a single run, and end the program in words if it is wrong."""
        try:
            check_config_names(config)
            check_numbers(config)
        except InputError as error:  # Hydra makes a warning of an error in a callback
            refuse(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config that all jobs of the sweep start from."""
        self.on_run_start(config)


class JobsOfSweep(CheckedConfig):
    """Lets `cli.command` tell, at the end, which jobs of the sweep failed: the others went on."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config, and forget what failed in an earlier sweep into the same folder."""
        super().on_multirun_start(config)
        Sweep.begin(Path(config.hydra.sweep.dir))


class SummariseSweep(JobsOfSweep):
    """Summarises the sweep folder; with `finalize: true` it then fits the model on all sections.

    Both can also be made, and made again: `python -m hespotex.summary`, `python -m
    hespotex.finalize`.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """As the parent, and write `search.json` where the sweeper is Optuna's."""

        from hespotex.records.search import begin_search

        super().on_multirun_start(config, **kwargs)
        if "optuna" in str(config.hydra.sweeper.get("_target_")).lower():
            folder = Path(config.hydra.sweep.dir)
            begin_search(folder, int(config.hydra.sweeper.n_trials), bool(config.restart))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Summarise, and finalize where asked. An error here is only logged: the runs are whole."""

        from hespotex.summary import summarise

        try:
            summarise(Path(config.hydra.sweep.dir))
        except InputError as error:
            log.warning("no summary: %s", error)
        if config.get("finalize"):
            _finalize(config)


def _finalize(config: DictConfig) -> None:
    """The model to use, on the trainer and with the loggers of the sweep; not on the machine that
    has only handed the folds to a cluster.
    """
    from hespotex.common.failures import failure_of
    from hespotex.finalize import MACHINE, finalize

    sweep = Path(config.hydra.sweep.dir)
    if "submitit" in str(config.hydra.launcher.get("_target_")):
        log.info("python -m hespotex.finalize %s fits the model on all sections", sweep)
        return
    settings = OmegaConf.masked_copy(config, list(MACHINE))
    machine: dict[str, Any] = OmegaConf.to_container(settings)  # type: ignore[assignment]
    try:
        finalize(sweep, machine=machine, restart=bool(config.restart))
    except Exception as error:  # Hydra would make a warning of it
        if stop := stopped_by(error):
            raise stop from None
        log.warning(
            "no final model: %s (python -m hespotex.finalize %s makes it later)",
            failure_of(error).reason,
            sweep,
        )
