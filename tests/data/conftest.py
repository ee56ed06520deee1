"""Fixtures of the tests of the data layer."""

from pathlib import Path

import pytest

from hespotex.data.section import Section

from .builders import picture, section, write_pyramid


@pytest.fixture
def spots(tmp_path: Path) -> Section:
    """25 spots of a section on a small image."""
    return section(image=write_pyramid(tmp_path / "a.tif", [picture(340, 340)]))
