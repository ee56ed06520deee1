"""Measured expression that tests make up."""

import torch

from hespotex.common.numerics.digests import array_digest
from hespotex.genes.block_target import BlockTarget


class Table:
    """Measured expression that is in memory."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, spots: torch.Tensor) -> torch.Tensor:
        return self.values[spots]

    def fingerprint(self) -> str:
        return array_digest(self.values.numpy())

    def block(self, spots: torch.Tensor) -> BlockTarget:
        return BlockTarget.of_table(self.values[spots])
