"""Hashes of arrays are those of their bytes."""

import numpy as np
import pytest
from numpy.typing import DTypeLike

from hespotex.common.files import digest
from hespotex.common.numerics import digests
from hespotex.common.numerics.digests import array_digest


@pytest.mark.parametrize("dtype", [None, np.int64, np.float32])
@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 20])
def test_some_at_a_time(n: int, dtype: DTypeLike, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "CHUNK", 7)
    array = np.arange(n, dtype=np.int32)
    assert array_digest(array, dtype) == digest(array.astype(dtype or np.int32).tobytes())


def test_rows_follow_one_another_however_they_lie() -> None:
    array = np.arange(12.0).reshape(3, 4)
    for other in (array.T, array[:, ::2], array > 3):
        assert array_digest(other) == digest(np.ascontiguousarray(other).tobytes())
