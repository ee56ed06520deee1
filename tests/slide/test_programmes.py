"""The chapter "What the model saw" of a slide's page, in a real browser."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest

from hespotex.results.predictions import write_h5ad
from hespotex.results.slide.programmes import (
    SlideProgrammes,
    add_programmes,
    chapter,
    programme_features,
    reason_of,
)
from hespotex.results.slide.viewer import write_viewer
from hespotex.sections.section import Section

from .page import Page


@pytest.fixture
def seen(table: ad.AnnData, section: Section) -> ad.AnnData:
    """A programme that rises from left to right, and its opposite."""
    x = section.pos_px[:, 0]
    score = ((x - x.mean()) / x.std()).astype(np.float32)
    add_programmes(
        table,
        SlideProgrammes(
            "Whose they are.",
            ["Programme 1: 60%", "Programme 2: <b>40%</b>"],
            [["Genes up: LEFT.", "High where there are: many nuclei."], ["Genes up: FLAT."]],
            np.column_stack([score, -score]),
            {"LEFT": "many nuclei; programme 1 (90% of its prediction)"},
            55.0,
        ),
    )
    return table


def test_the_page_tells_and_shows_each_programme(
    browser: Any, seen: ad.AnnData, section: Section, tmp_path: Path
) -> None:
    write_viewer(seen, section, ["LEFT"], tmp_path / "slide.html")
    page = Page(browser.new_page(), section, tmp_path / "slide.html")
    told = page.page.inner_text("#seen")
    assert "Whose they are." in told and "Programme 2: <b>40%</b>" in told
    assert page.page.inner_text("#because") == (
        "Predicted because of many nuclei; programme 1 (90% of its prediction)."
    )
    assert page.page.locator("#seen img").count() == 16
    page.page.get_by_role("button", name="Show programme 2 on the slide").click()
    assert page.page.inner_text("#shown") == "programme 2"
    assert not page.page.locator("#because").is_visible()
    left = int(page.pos[:, 0].argmin())
    tip = page.tip(page.at(left))
    assert tip is not None and "standard deviations over this slide" in tip
    value = float(tip.removeprefix("programme 2").split()[0])
    assert value == pytest.approx(seen.obsm["programmes"][left, 1], abs=0.02)
    assert page.troubles == []


def test_patches_are_of_the_spots_at_both_ends(seen: ad.AnnData, section: Section) -> None:
    told = chapter(seen, section)
    assert told is not None
    first, second = (programme["patches"] for programme in told["programmes"])
    assert first["highest"] == second["lowest"] != first["lowest"] == second["highest"]


def test_it_outlives_the_file(seen: ad.AnnData, section: Section, tmp_path: Path) -> None:
    write_h5ad(seen, tmp_path / "slide.h5ad")
    again = ad.read_h5ad(tmp_path / "slide.h5ad")
    assert chapter(again, section) == chapter(seen, section)
    assert reason_of(again, "LEFT").startswith("Predicted because of many nuclei")
    assert reason_of(again, "FLAT") == ""


def test_a_slide_without_programmes_says_why(
    table: ad.AnnData, section: Section, tmp_path: Path
) -> None:
    assert chapter(table, section) is None
    add_programmes(table, SlideProgrammes.none("No programmes: too few spots."))
    assert list(programme_features(table)) == []
    write_viewer(table, section, [], tmp_path / "slide.html")
    assert "No programmes: too few spots." in (tmp_path / "slide.html").read_text()
