"""One section as a graph of spots whose rows are read when a batch is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from hespotex.batches.cut import Block, cut
from hespotex.common.files import digest
from hespotex.common.numerics.digests import array_digest
from hespotex.genes.target import Expressed, Rows, in_chunks

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass
class SpotGraph:
    """What a model is given of a section.

    Args:
        section_id: its key.
        pos: spot centres (n_spots, 2) in um, x then y.
        edges: (2, n_edges), row 0 the neighbour, row 1 the spot.
        inputs: what the model looks at, by the name of the batch's field: read for the spots of a
          block and its halo.
        target: measured expression, where there is any.
        outcomes: what else it learns, read for the block's own spots only.
        n_context: how many spots, the last ones, are there as neighbours only: nothing is
            predicted for them. `len` does not count them.
    """

    section_id: str
    pos: NDArray[np.float64]
    edges: NDArray[np.int64]
    inputs: dict[str, Rows]
    target: Expressed | None = None
    outcomes: dict[str, Rows] = field(default_factory=dict)
    n_context: int = 0

    def __len__(self) -> int:
        return len(self.pos) - self.n_context

    def blocks(self, most: int, n_hops: int) -> list[Block]:
        """See `cut`."""
        return cut(self.pos, self.edges, most, n_hops, self.n_context)

    def fingerprint(self) -> str:
        """Hash of all rows of all fields, of the target, of places and edges."""
        fields = {
            name: [array_digest(part.numpy()) for part in in_chunks(rows)]
            for name, rows in sorted((self.inputs | self.outcomes).items())
        }
        target = self.target.fingerprint() if self.target else None
        return digest([fields, target, array_digest(self.pos), array_digest(self.edges)])

    def whole(self) -> Data:
        """All spots in one."""
        return self.data(Block(np.arange(len(self.pos)), len(self), self.edges))

    def data(self, block: Block) -> Data:
        """The tensors of a block of `n_inner` spots, `n` with the halo.

        Fields: `inputs` (n, ...), `outcomes` (n_inner, ...), `target`, a `BlockTarget` of the
        n_inner spots, `pos` (n, 2) float32, `edge_index` (2, n_edges), `inner` (n,) bool; `spot`
        (n_inner,), the spots' numbers in the section; `n_inner` and `n_spots` (1,), sizes of
        block and section.
        """
        from torch_geometric.data import Data  # takes seconds, and the doctor needs none

        spots = torch.from_numpy(block.spots)
        own = torch.from_numpy(block.spots[: block.n_inner])
        return Data(
            **{name: rows[spots] for name, rows in self.inputs.items()},
            **{name: rows[own] for name, rows in self.outcomes.items()},
            pos=torch.from_numpy(self.pos[block.spots].astype(np.float32)),
            edge_index=torch.from_numpy(block.edges),
            inner=torch.arange(len(spots)) < block.n_inner,
            spot=own,
            n_inner=torch.tensor([block.n_inner]),
            n_spots=torch.tensor([len(self)]),
            section_id=self.section_id,
            num_nodes=len(spots),
            **({"target": self.target.block(own)} if self.target else {}),
        )
