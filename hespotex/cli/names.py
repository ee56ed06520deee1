"""Names in a config that become folders: they stay inside the folder of outputs."""

import re
from collections.abc import Sequence
from typing import Any

from hespotex.common.errors import InputError

FOLDERS = ("data.name", "model.name", "fold.name", "name")  # keys whose values name a run's folder
WORD = re.compile(rf"[+]{{0,2}}(?P<key>{'|'.join(map(re.escape, FOLDERS))})=(?P<value>.*)", re.S)


def check_names(arguments: Sequence[str]) -> None:
    """Refuse names of runs, in words such as `name=mine`, that lie outside the folder of outputs.

    Raises:
        InputError: a name that is empty, absolute, leads out of its folder, or cannot be seen.
    """
    for match in filter(None, map(WORD.fullmatch, arguments)):
        for name in re.split(r"[,()\[\]]", match["value"]) if match["value"] else [""]:
            _check(match["key"], name.strip().strip("'\""), match["value"])


def check_config_names(config: Any) -> None:
    """Refuse names of runs in a composed config, one from a file among them, as `check_names` does.

    Raises:
        InputError: as there.
    """
    from omegaconf import OmegaConf

    for key in FOLDERS:
        name = OmegaConf.select(config, key, throw_on_resolution_failure=False)
        if name is not None:
            _check(key, str(name), str(name))


def _check(key: str, name: str, value: str) -> None:
    if not name and value.strip(" '\""):  # between the parts of a sweep
        return
    leaves = name.startswith(("/", "~")) or ".." in re.split(r"[/\\]", name)
    if leaves or name in ("", ".", "null") or not name.isprintable():
        raise InputError(
            f"{key}={value!r}: expected a name of a folder inside the folder of outputs, found"
            f" {name!r}; choose one such as {key}=mine (paths.outputs=DIR moves the whole folder)"
        )
