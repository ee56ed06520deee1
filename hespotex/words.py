"""The command line that made something, as it can be given again."""

from collections.abc import Iterable
from pathlib import Path
from shlex import quote

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from hespotex.cli import config_folder


def given_command() -> str:
    """Of this job; "" where Python was called without a command line."""
    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    line = _line(str(hydra.job.name), hydra.overrides.task)
    if hydra.mode != RunMode.MULTIRUN:
        return line
    return f"{line} (job {hydra.job.num} of a sweep: to repeat it, give the command of the sweep)"


def sweep_command(folder: Path) -> str:
    """Of the sweep that filled a folder, as Hydra has recorded it; "" where there is no record."""
    file = folder / "multirun.yaml"
    if not file.is_file():
        return ""
    hydra = yaml.safe_load(file.read_text())["hydra"]
    return _line(hydra["job"]["name"], ["-m", *hydra["overrides"]["task"]])


def _line(name: str, words: Iterable[str]) -> str:
    installed = config_folder().parent == Path(__file__).resolve().parent
    program = f"python -m hespotex.{name}" if installed else f"python {name}.py"
    return " ".join([program, *map(quote, words)])
