"""A block's own spots among all that a network is given."""

from torch import Tensor

Inner = Tensor | slice  # of the spots of a block, those that are its own and not its halo
ALL = slice(None)
