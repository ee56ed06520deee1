"""One of a thing has no s."""

from hespotex.common.counted import counted


def test_one_and_more() -> None:
    assert [counted(n, "section") for n in (0, 1, 2)] == ["0 sections", "1 section", "2 sections"]
