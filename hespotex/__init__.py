"""HESpotEx: spot-level gene expression from H&E slides, with honest numbers.

From Python: `load` a trained model and `predict`, `read` a section, `train` and `cross_validate`,
`read_results`. The commands are in `hespotex --help`.
"""

from typing import TYPE_CHECKING, Any

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
