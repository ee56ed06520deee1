"""Contracts for those who extend HESpotEx: each check calls what you wrote as the program will, and
raises `AssertionError` with what it expected and what it found. For a test of your own package.
"""

from hespotex.testing.encoders import check_counter, check_encoder
from hespotex.testing.metrics import check_metric
from hespotex.testing.modules import check_module, tiny_fold
from hespotex.testing.readers import check_reader
from hespotex.testing.strategies import check_strategy

__all__ = [
    "check_counter",
    "check_encoder",
    "check_metric",
    "check_module",
    "check_reader",
    "check_strategy",
    "tiny_fold",
]
