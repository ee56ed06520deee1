"""The command line that made something, as it can be given again."""

import logging
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from hespotex.cli.entry import PACKAGE, config_folder

log = logging.getLogger(__name__)


def given_command() -> str:
    """Of this job; "" where Python was called without a command line."""
    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    line = _line(hydra, [*_options(hydra), *hydra.overrides.task])
    if hydra.mode != RunMode.MULTIRUN:
        return line
    return f"{line} (job {hydra.job.num} of a sweep: to repeat it, give the command of the sweep)"


def sweep_command(folder: Path) -> str:
    """Of the sweep that filled a folder, as Hydra has recorded it; "" where there is no record."""
    file = folder / "multirun.yaml"
    if not file.is_file():
        return ""
    try:
        hydra = yaml.safe_load(file.read_text(encoding="utf-8"))["hydra"]
        return _line(hydra, ["-m", *_options(hydra), *hydra["overrides"]["task"]])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        log.warning(
            "%s: cannot be read (%s): the command of the sweep is not known",
            file,
            type(error).__name__,
        )
        return ""


def _options(hydra: Any) -> list[str]:
    """What Hydra itself was given: the user's folder of configs, and words such as
    hydra/launcher=joblib.
    """
    sources = (hydra.get("runtime") or {}).get("config_sources") or []
    folders = [str(source["path"]) for source in sources if source["provider"] == "command-line"]
    overrides = [
        str(word)
        for word in hydra["overrides"].get("hydra") or []
        if not str(word).startswith("hydra.mode=")
    ]
    return [*(word for folder in folders for word in ("--config-dir", folder)), *overrides]


def _line(hydra: Any, arguments: Iterable[str]) -> str:
    return " ".join([_program(hydra), *map(quote, arguments)])


def _program(hydra: Any) -> str:
    """`python NAME.py` where it was started beside that script of a checkout, else the module,
    which is found from any folder.
    """
    name = str(hydra["job"]["name"])
    checkout = config_folder().parent
    started = Path((hydra.get("runtime") or {}).get("cwd") or checkout)
    beside = checkout != PACKAGE and started.resolve() == checkout.resolve()
    return f"python {name}.py" if beside else f"python -m hespotex.{name}"
