"""The page of all slides of a folder, and what is heard while one of them is predicted."""

import logging
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest

from hespotex.common.failures import Failure, note_outcome
from hespotex.results.slide.index import INDEX, write_index
from hespotex.results.slide.trust import KEY, Trust, trust_of
from hespotex.results.slide.write import write_slide
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue

ODD = "look </td><script>odd"


@pytest.fixture
def folder(table: ad.AnnData, section: Section, tissue: Tissue, tmp_path: Path) -> Path:
    """A slide in doubt, one of an older version without a page, a torn one and one that failed."""
    own = {"tissue_mm2": 12.345, "mpp": 4.0, "mpp_source": "mpp="}
    table.uns["hespotex"][KEY] = own | Trust(0.5, [ODD], ["few spots"]).to_dict()
    write_slide(table, section, tissue, [], tmp_path)
    del table.uns["hespotex"][KEY]
    table.write_h5ad(tmp_path / "old.h5ad")
    (tmp_path / "torn.h5ad").write_bytes(b"no")
    note_outcome(tmp_path, "lost", Failure("InputError", "no tissue"))
    write_index(tmp_path)
    return tmp_path


@pytest.mark.parametrize("width", [1280, 390])
def test_a_row_a_slide(folder: Path, browser: Any, section: Section, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.goto((folder / INDEX).as_uri())
    rows = page.locator("tbody tr")
    texts = dict(zip(["case", "lost", "old", "torn"], rows.all_inner_texts(), strict=True))
    n_spots = f"{len(section.adata):,}"
    for words in ("case", n_spots, "12.3", "50%", "4 (mpp=)", f"Do not trust {ODD}", "few spots"):
        assert words in texts["case"], words
    assert "Not predicted: no tissue" in texts["lost"]
    assert "not known" in texts["old"] and "Do not trust" not in texts["old"]
    assert "torn.h5ad cannot be read" in texts["torn"]
    summary = page.inner_text("body > p")
    assert summary == (
        "2 slides predicted, 1 of them not to be trusted without a check; 2 could not be predicted."
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    pictures = "[...document.images].map(image => image.naturalWidth)"
    assert page.evaluate(pictures) == [260, 260]
    rows.nth(0).locator("a").first.click()
    assert page.inner_text("h1") == section.section_id and not troubles
    page.close()


def test_nothing_without_a_slide(tmp_path: Path) -> None:
    note_outcome(tmp_path, "lost", Failure("InputError", "no tissue"))
    write_index(tmp_path)
    assert not (tmp_path / INDEX).exists()


class TestTrust:
    def test_from_which_share_on(self, caplog: pytest.LogCaptureFixture) -> None:
        trust = Trust()
        trust.look_at("x", np.array([2, 0.5, 0.5, 0.5], np.float32))
        assert trust.unlike_training == 0.25 and trust.trusted == "yes" and not caplog.text
        trust.look_at("x", np.array([2, 1.1, 0.5, 0.5], np.float32))
        assert trust.trusted == "no" and trust.doubts[0].startswith("50% of the spots look unlike")
        assert "x: 50% of the spots" in caplog.text

    def test_warnings_become_remarks_and_doubts_do_not(self) -> None:
        trust = Trust()
        log = logging.getLogger("hespotex.data.somewhere")
        log.warning("before")
        with trust.hearing(["/slides/x.tif", "x"]):
            log.warning("/slides/x.tif: spots are %d um apart", 50)
            log.info("x: not this")
            logging.getLogger("elsewhere").warning("x: nor this")
            trust.doubt("x", "it is odd")
        log.warning("after")
        assert trust.remarks == ["spots are 50 um apart"] and trust.doubts == ["it is odd"]

    @pytest.mark.parametrize("trust", [Trust(), Trust(0.5, ["a", "b"], ["c"])])
    def test_comes_back_from_a_table(self, trust: Trust, tmp_path: Path) -> None:
        table = ad.AnnData(np.ones((1, 1), np.float32), uns={"hespotex": {KEY: trust.to_dict()}})
        table.write_h5ad(tmp_path / "x.h5ad")
        again = trust_of(ad.read_h5ad(tmp_path / "x.h5ad").uns["hespotex"])
        assert (again.doubts, again.remarks) == (trust.doubts, trust.remarks)
        np.testing.assert_equal(again.unlike_training, trust.unlike_training)
