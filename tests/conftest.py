"""Shared fixtures: where the real data is, and small data that tests make themselves."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout with real data and golden values."""
    data = Path(os.environ.get("HESPOTEX_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not data.is_dir():
        pytest.skip(f"real data not found at {data}; set HESPOTEX_SHARED_DATA")
    return data.parent
