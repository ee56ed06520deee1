"""One trial: a sound data set, one damage, and how the reader takes it."""

import random
import shutil
import traceback
import warnings
from collections.abc import Iterable
from pathlib import Path

from hespotex.common.errors import InputError

from .damage import copy_links, damage
from .sets import DATA_SETS


def sound(folder: Path, names: Iterable[str] = DATA_SETS) -> None:
    """The sound data sets, each in a folder of its name; they read."""
    for name in names:
        root = folder / name
        root.mkdir(parents=True)
        DATA_SETS[name].write(root)
        DATA_SETS[name].read(root)


def attempt(folder: Path, name: str, seed: int) -> str | None:
    """What went wrong, None where the damage was read over or refused in our words."""
    work = folder / "work" / f"{name}-{seed}"
    shutil.rmtree(work, ignore_errors=True)
    copy_links(folder / name, work)
    how = damage(work, random.Random(f"{name} {seed}"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            DATA_SETS[name].read(work)
    except InputError as error:
        return None if str(error).strip() else f"{name} {seed} ({how}): an error without words"
    except Exception:  # that is what is looked for
        lines = traceback.format_exc().strip().splitlines()
        return (
            f"{name} {seed} ({how}): {lines[-1]} |"
            f" {[line.strip() for line in lines if 'hespotex' in line][-1:]}"
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return None
