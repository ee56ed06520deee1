"""What the entry points share: errors in words, and exit codes."""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

from hespotex.errors import InputError

log = logging.getLogger("hespotex")


def plain_errors(main: Callable[..., Any]) -> Callable[..., Any]:
    """Show an `InputError` as one message and exit with 2; anything else is a defect and keeps its traceback."""

    @wraps(main)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _quiet()
        try:
            return main(*args, **kwargs)
        except InputError as error:
            if os.environ.get("HYDRA_FULL_ERROR"):
                raise
            log.error("%s", error)
            sys.exit(2)

    return wrapper


def _quiet() -> None:
    """Keep the libraries' advice out of the way of our own messages."""
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for noise in (
        ".*torch.jit.script.*",
        ".*LeafSpec.*",
        ".*does not have many workers.*",
        ".*sync_dist=True.*",
        ".*returned `None`, this fit.*",
    ):
        warnings.filterwarnings("ignore", message=noise)
