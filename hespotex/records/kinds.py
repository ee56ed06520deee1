"""What may be built at which place of a config that comes from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.loader import Batching
from hespotex.modules.base import ExpressionModule
from hespotex.modules.teacher import ExpressionAutoencoderModule
from hespotex.sections.gene_names import GeneNames
from hespotex.splits.strategies import FoldStrategy


@dataclass(frozen=True)
class Kind:
    """Classes of one purpose.

    Args:
        package: where a class of ours, or of torch, must be defined itself.
        base: what it must inherit from.
        members: names that it must have, where the kind is a protocol.
        inside: kinds that may stand among its settings, at any depth.
        partial: whether `_partial_` makes sense.
        forced: settings that no file decides.
    """

    package: str
    base: type = object
    members: tuple[str, ...] = ()
    inside: tuple["Kind", ...] = ()
    partial: bool = False
    forced: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, candidate: type) -> bool:
        """Whether this class is of the kind."""
        members = {
            name for parent in candidate.__mro__ if parent is not object for name in vars(parent)
        }
        return issubclass(candidate, self.base) and members.issuperset(self.members)


OPTIMISER = Kind("torch.optim", Optimizer, partial=True)
SCHEDULER = Kind("torch.optim", LRScheduler, partial=True)
NUCLEI_SOURCE = Kind("hespotex.nuclei", members=("identity", "nuclei"))
READ_ONLY = {"download": False, "generate": False}  # an audit fetches and makes nothing

KINDS: dict[str, Kind] = {
    "model.module": Kind(
        "hespotex.modules", ExpressionModule, inside=(OPTIMISER, SCHEDULER), partial=True
    ),
    "model.teacher.module": Kind(
        "hespotex.modules", ExpressionAutoencoderModule, inside=(OPTIMISER, SCHEDULER), partial=True
    ),
    "encoder": Kind(
        "hespotex.encoders",
        members=("identity",),
        inside=(Kind("hespotex.encoders", members=("identity",)),),
    ),
    "nuclei.counter": Kind(
        "hespotex.nuclei", members=("identity", "__call__"), inside=(NUCLEI_SOURCE,)
    ),
    "data.expression": Kind("hespotex.genes", members=("__call__", "fit", "restore", "state")),
    "data.panel": Kind("hespotex.genes", members=("fit", "sees_all_sections")),
    "data.inputs": Kind("hespotex.batches", ImageInputs),
    "data.batching": Kind("hespotex.batches", Batching),
    "data.genes": Kind("hespotex.sections", GeneNames),
    "data.reader": Kind(
        "hespotex.sections.readers", members=("section_keys", "read"), forced=READ_ONLY
    ),
    "fold": Kind("hespotex.splits", FoldStrategy),
}
