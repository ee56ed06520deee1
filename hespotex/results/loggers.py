"""Scores and maps to the loggers: W&B, TensorBoard, MLflow."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytorch_lightning as pl

from hespotex.common.errors import InputError
from hespotex.records.runs import read_genes

LOGIN = (
    "logger=wandb: nobody is logged in to W&B here, and there is no terminal to ask; run `wandb"
    " login`, set WANDB_API_KEY, or keep the run here with logger.wandb.offline=true"
)


PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow"}  # of loggers that are extras


def check_packages(settings: Mapping[str, Any]) -> None:
    """Refuse a logger whose package is not installed.

    Args:
        settings: of each logger by its name.

    Raises:
        InputError: with the words that bring it.
    """
    for name, package in PACKAGES.items():
        if settings.get(name) and find_spec(package) is None:
            raise InputError(
                f"logger={name} needs the package {package}: pip install 'hespotex[{name}]' (in a"
                f" checkout: pip install -e '.[{name}]')"
            )


def check_login(loggers: list[Any]) -> None:
    """Refuse, before any work, a W&B logger that could only fail.

    Raises:
        InputError: no login, and nobody to ask for one.
    """
    online = [
        one for one in loggers if isinstance(one, pl.loggers.WandbLogger) and not one._offline
    ]
    if not online or os.environ.get("WANDB_MODE", "online") != "online" or sys.stdin.isatty():
        return
    if not os.environ.get("WANDB_API_KEY") and not _in_netrc():
        raise InputError(LOGIN)


def _in_netrc() -> bool:
    """Whether `wandb login` has left its key, without asking the network."""
    import wandb

    host = urlsplit(wandb.Settings().base_url).hostname or ""
    places = [os.environ.get("NETRC"), "~/.netrc", "~/_netrc"]
    for path in (Path(place).expanduser() for place in places if place):
        with suppress(OSError, NetrcParseError):
            if netrc(str(path)).authenticators(host):
                return True
    return False


def log_results(loggers: list[Any], scores: dict[str, float], folder: Path) -> None:
    """Test scores, if there are any, to every logger; to W&B also the maps as images and the scores
    of genes as a table.
    """
    if not scores:
        return
    maps = sorted((folder / "maps").glob("*.png"))
    for logger in loggers:
        at = "." if isinstance(logger, pl.loggers.MLFlowLogger) else "@"  # it allows no other
        logger.log_metrics({name.replace("@", at): value for name, value in scores.items()})
        if isinstance(logger, pl.loggers.WandbLogger):
            logger.log_image(
                "maps", [str(path) for path in maps], caption=[path.stem for path in maps]
            )
            logger.log_table("genes", dataframe=read_genes(folder))


def close(loggers: list[Any]) -> None:
    """End the W&B run: the next fold of a sweep would go on in it."""
    if any(isinstance(logger, pl.loggers.WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()
