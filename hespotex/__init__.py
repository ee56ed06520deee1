"""HESpotEx: spot-level gene expression from H&E slides, with honest numbers.

From Python: `load` a trained model and `predict`, `read` a section, `train` and `cross_validate`,
`read_results`. The commands are in `hespotex --help`.
"""

import os
from typing import TYPE_CHECKING, Any

# Threads of torch and OpenBLAS that have nothing to do sleep: as they come, they keep a core busy,
# and beside another busy program a small fold took six times as long. Read when those libraries
# are loaded; what is set already is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

if TYPE_CHECKING:
    from hespotex.api import (
        TrainedModel,
        cross_validate,
        load,
        read,
        read_results,
        read_sections,
        train,
    )

__version__ = "0.1.0"
__all__ = [
    "TrainedModel",
    "cross_validate",
    "load",
    "read",
    "read_results",
    "read_sections",
    "train",
]


def __getattr__(name: str) -> Any:
    """What Python users call is imported when it is first asked for: commands start sooner."""
    if name not in __all__:
        raise AttributeError(f"module 'hespotex' has no attribute {name!r}")
    from hespotex import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
