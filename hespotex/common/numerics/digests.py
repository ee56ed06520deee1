"""Hashes of arrays."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CHUNK = 2**20  # numbers at a time


def array_digest(array: NDArray[Any], dtype: DTypeLike | None = None) -> str:
    """`digest` of the numbers of an array in this type, in the order of its rows.

    Some are turned into bytes at a time: those of a section's counts take longer to lay out in
    memory than to hash.
    """
    content = hashlib.blake2b(digest_size=8)
    numbers = array.reshape(-1)
    for start in range(0, len(numbers), CHUNK):
        content.update(np.ascontiguousarray(numbers[start : start + CHUNK], dtype).data)
    return content.hexdigest()
