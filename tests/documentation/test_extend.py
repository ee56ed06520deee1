"""The pages on extending: their files go into a copy of the checkout, their patches apply, and
their commands train.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import pandas as pd
from conftest import CHECKOUT
from nuclei.formats import known_nuclei

from documentation.pages import blocks, commands, split
from hespotex.sections.images import open_image
from hespotex.sections.readers.hest.folder import HestReader

ELSEWHERE = ("own_package", "testing")  # tests/extending and tests/contracts have these
PAGES = sorted(
    path for path in (CHECKOUT / "docs" / "extend").glob("*.md") if path.stem not in ELSEWHERE
)
FILE = re.compile(r"# ((?:hespotex|conf)/\S+\.(?:py|yaml))\n")
DRIVER = """
import json, pathlib, sys
sys.path[:0] = ["tests", "."]
from conftest import compose_config
from hespotex.training.run import train
for name, words in json.loads(sys.argv[1]).items():
    folder = pathlib.Path("runs", name)
    folder.mkdir(parents=True)
    train(compose_config("train", words, folder))
"""


def test_what_the_pages_add_trains(small_demo: Path, store: Path, tmp_path: Path) -> None:
    """All pages in one process: importing takes longer than training."""
    for name in ("hespotex", "conf"):
        shutil.copytree(
            CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "local")
        )
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "forks.py"):
        shutil.copy(CHECKOUT / "tests" / name, tmp_path / "tests")
    for page in PAGES:
        _apply(page, tmp_path)
    folders = {
        "reader": _as_tables(small_demo, tmp_path / "tables"),
        "nuclei": _as_points(small_demo, tmp_path / "points"),
    }
    words = {page.stem: _words(page, folders.get(page.stem), small_demo, store) for page in PAGES}
    _in(
        tmp_path,
        Path(sys.executable).parent / "ruff",
        "check",
        "--config",
        CHECKOUT / "ruff.toml",
        "hespotex",
    )
    _in(tmp_path, sys.executable, "-c", DRIVER, json.dumps(words))
    metrics = {
        page.stem: json.loads((tmp_path / "runs" / page.stem / "metrics.json").read_text())
        for page in PAGES
    }
    assert all(found["sections"] for found in metrics.values())
    assert 0 < metrics["metric"]["test/cosine"] <= 1
    assert "cosine" in pd.read_csv(tmp_path / "runs" / "metric" / "per_gene.csv")


def _in(folder: Path, *words: str | Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _apply(page: Path, copy: Path) -> None:
    """Write the files of a page, and apply its patch."""
    for block in blocks(page):
        if block.language == "diff":
            subprocess.run(
                ["git", "apply", "--unidiff-zero", "-"],
                cwd=copy,
                input=block.text,
                text=True,
                check=True,
            )
        elif match := FILE.match(block.text):
            path = copy / match[1]
            assert not path.exists(), f"{page.name}: {match[1]} is there already"
            path.write_text(block.text[match.end() :])


def _words(page: Path, folder: Path | None, demo: Path, store: Path) -> list[str]:
    """The command of the page, on the small demo."""
    (line,) = commands(page)
    words = [word.replace("FOLDER", str(folder)) for word in split(line)[2:]]
    few = "data.reader.sections=[DEMO1,DEMO3,DEMO5]"
    data = [] if page.stem == "reader" else ["data=hest", f"data.reader.root={demo}", few]
    encoder = [] if page.stem == "encoder" else ["encoder=random_vit"]
    return [
        *data,
        *encoder,
        f"paths.store={store}",
        "~callbacks.progress",
        "data.panel.n_top=40",
        "model.max_epochs=2",
        *words,
    ]


def _as_tables(demo: Path, root: Path) -> Path:
    reader = HestReader(str(demo))
    for key in reader.section_keys():
        section = reader.read(key.section_id)
        folder = root / f"{key.group}-{key.section_id}"
        folder.mkdir(parents=True)
        _frame(section.adata, list(section.adata.var_names), section.adata.X.toarray()).to_csv(
            folder / "counts.csv"
        )
        _frame(section.adata, ["x", "y"], section.pos_px).to_csv(folder / "spots.csv")
        image = open_image(section.pixels)
        cv2.imwrite(str(folder / "image.png"), image.read(0, 0, 0, *image.size)[..., ::-1])
    return root


def _frame(adata: ad.AnnData, columns: list[str], values: Any) -> pd.DataFrame:
    return pd.DataFrame(values, index=adata.obs_names, columns=columns)


def _as_points(demo: Path, root: Path) -> Path:
    root.mkdir()
    reader = HestReader(str(demo))
    for key in reader.section_keys():
        nuclei = known_nuclei(open_image(reader.read(key.section_id).pixels).size, pitch=28)
        pd.DataFrame(nuclei.centroids, columns=["x", "y"]).to_parquet(
            root / f"{key.section_id}.parquet"
        )
    return root
