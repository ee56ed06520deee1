"""Words from data are text in our Markdown and in the report's page."""

import re
from pathlib import Path

import pytest
from conftest import Run

from hespotex.packing.pack import pack
from hespotex.results.tables.markdown import inert, inert_values, markdown, picture
from hespotex.summary import summarise

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[here](javascript:alert(1))",
    "![x](http://evil/p.png)",
    "a\n# heading\n\n<b>",
    "[x]: http://evil",
    "a|b",
    "a\u2028b\u202ec\x1b[31m",
    "<!--",
]
ALIVE = re.compile(r"<|[^\\]\]\(|[\u2028\u202e\x1b]")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_line_is_text(name: str) -> None:
    assert not ALIVE.search(inert(name)) and "\n" not in inert(name)
    table = markdown([name, "x"], [[name, "1"]])
    assert len(table.splitlines()) == 3 and not ALIVE.search(table)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in table.splitlines())
    assert len(re.findall(r"\]\(", picture(name, f"maps/{name}.png"))) == 1
    assert " " not in picture("a", f"maps/{name}.png").partition("](")[2]
    assert inert_values({"a": [name, 1, None]}) == {"a": [inert(name), 1, None]}


@pytest.mark.parametrize(
    "text", ["PCC > 0.3", "**ridge: LEAK.** x", "a_b-c", "n = 3 [1, 2]", "95 % interval"]
)
def test_what_is_plain_stays(text: str) -> None:
    assert inert(text) == text
    assert f"| {text} |" in markdown([text], [["1"]])


def test_the_summary_the_card_and_the_page(train: Run, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>[a](javascript:b)|"
    folder = train(
        "model=ridge",
        "data.panel.n_top=20",
        f"model.name='{name}'",
        f"data.name='{name}'",
        folder=tmp_path / "run",
    )
    summarise(folder)
    pack(folder, tmp_path / "bundle")
    texts = [
        folder / "summary.md",
        tmp_path / "bundle" / "README.md",
        folder / "report" / "index.html",
    ]
    for file in texts:
        text = file.read_text()
        assert "onerror" in text
        assert "<img src=x" not in text
        assert file.suffix == ".html" or "](javascript" not in text
