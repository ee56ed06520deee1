"""What the page on Python shows is run, block by block, on a small demo."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import CHECKOUT

import hespotex

from .pages import blocks

PAGE = CHECKOUT / "docs" / "howto" / "python.md"
ELSEWHERE = "import scanpy"  # is no dependency of ours
DEMO = '"data=demo"'


def test_the_blocks_run(
    small_demo: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hespotex.results.scores.draw_pair", lambda *_: None)  # maps take longer
    Path("data").mkdir()
    Path("data/demo").symlink_to(small_demo)
    words = ["data=hest", "data.reader.root=data/demo", "encoder=random_vit"]
    words += [f"paths.store={store}", "data.panel.markers=[DEMO-M001,DEMO-R001]"]
    ridge = ["model=ridge", "data.panel.n_top=40", "name=demo"]
    hespotex.cross_validate([*words, *ridge])
    small = ", ".join(f'"{word}"' for word in words)
    names: dict[str, Any] = {}
    for block in blocks(PAGE):
        if block.language == "python" and ELSEWHERE not in block.text:
            exec(_small(block.text, small), names)
    assert names["few"].n_vars == 2 and len(names["few"]) != len(names["slide"])
    assert isinstance(names["results"].genes, pd.DataFrame)
    assert names["predicted"].shape[0] == names["embedded"].shape[0]
    assert names["run"].folder == Path("outputs/one_fold/fold1_seed0")


def _small(text: str, words: str) -> str:
    """The same on the small demo."""
    return re.sub(re.escape(DEMO), words, text)
