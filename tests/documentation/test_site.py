"""The documentation builds without a warning, and asks nothing of any other host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT

FETCHED = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*(?:src|href)=["'](?:https?:)?//[^"']*["']|@import\s|url\(["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    folder = tmp_path_factory.mktemp("site")
    build = [
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(folder / "doctrees"),
        "docs",
        str(folder / "html"),
    ]
    done = subprocess.run(
        [sys.executable, *build], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_the_site(site: Path) -> None:
    """One test, so that it is built once, whoever shares the work."""
    _fetches_nothing(site)
    _holds_what_is_generated(site)


def _fetches_nothing(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(files) > 40
    found = {
        path.name: match[0]
        for path in files
        if (match := FETCHED.search(path.read_text(encoding="utf-8")))
    }
    assert not found


def _holds_what_is_generated(site: Path) -> None:
    generated = site / "generated"
    for page, word in (
        ("config/data.html", "data.reader.patient_pattern"),
        ("config/encoder.html", "QuiltNet"),
        ("commands.html", "--older DAYS"),
        ("commands.html", "experiment=cross_validation"),
        ("api/sections.html", "full-resolution px, x then y"),
        ("../reference/formats.html", "gene_gene_correlation"),
    ):
        assert word in (generated / page).read_text(encoding="utf-8"), (page, word)
