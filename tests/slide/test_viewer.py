"""The page of a slide in a real browser: what is shown is what was predicted."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
from builders.slides import HOLE, SLIDE_MPP
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from hespotex.results.slide.evidence import earned
from hespotex.results.slide.table import Feature, by_variance, slide_table
from hespotex.results.slide.trust import KEY as SLIDE
from hespotex.results.slide.trust import Trust
from hespotex.results.slide.viewer import write_viewer
from hespotex.results.slide.viewer.features import quantised
from hespotex.sections.regions import read_regions
from hespotex.sections.section import Section

from .conftest import GENES, HOSTILE
from .page import Page

DESKTOP = (1280, 800)
PHONE = (390, 844)
MIXED = [[170, 0, 170], [85, 170, 0], [0, 85, 85]]  # light of three genes


@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.just(float("nan")), min_size=1, max_size=20))
def test_levels_are_the_values_within_half_a_step(numbers: list[float]) -> None:
    values = np.array(numbers, dtype=np.float32)
    made = quantised(Feature("A", "gene", "", values))
    levels = np.frombuffer(base64.b64decode(made["levels"]), np.uint8)
    known = np.isfinite(values)
    np.testing.assert_array_equal(levels == 255, ~known)
    step = (made["max"] - made["min"]) / 254
    back = made["min"] + levels[known] * step
    np.testing.assert_allclose(back, values[known], rtol=1e-9, atol=step * 0.5001)
    assert made["min"] <= made["low"] <= made["high"] <= made["max"]


@pytest.fixture
def html(table: ad.AnnData, section: Section, tmp_path: Path) -> Path:
    write_viewer(table, section, ["LEFT"], tmp_path / "slide.html")
    return tmp_path / "slide.html"


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def viewer(
    browser: Any, section: Section, html: Path, request: pytest.FixtureRequest
) -> Iterator[Page]:
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=request.param == PHONE
    )
    page = Page(context.new_page(), section, html)
    yield page
    assert page.troubles == []
    assert [url for url in page.requests if not url.startswith("data:")] == [html.as_uri()]
    context.close()


def number(tip: str | None, name: str) -> float:
    assert tip is not None and tip.startswith(name)
    return float(tip.removeprefix(name).split()[0])


def test_hover_tells_the_value_that_was_written(viewer: Page, table: ad.AnnData) -> None:
    for gene, column in (("LEFT", 0), (HOSTILE, 2), ("FLAT", 1)):
        viewer.choose(gene)
        step = float(np.ptp(table.X[:, column])) / 254
        for i in (0, 57, table.n_obs - 1):
            tip = viewer.tip(viewer.at(i))
            assert number(tip, gene) == pytest.approx(table.X[i, column], abs=step + 1e-4)
            place = ", ".join(str(round(v)) for v in viewer.pos[i] * 4)
            assert (
                tip is not None
                and "log1p counts" in tip
                and f"spot {table.obs_names[i]} at {place} µm" in tip
            )
    viewer.choose("nuclei")
    assert number(viewer.tip(viewer.at(5)), "nuclei") == pytest.approx(
        table.obs["nuclei"].iloc[5], abs=0.1
    )
    viewer.choose("SIDE/ONE")
    assert number(viewer.tip(viewer.at(5)), "SIDE/ONE") == pytest.approx(
        table.obsm["gene_sets"][5, 0], abs=0.02
    )
    assert viewer.tip((viewer.box["x"] + 3, viewer.box["y"] + 3)) is None


def test_colours_follow_the_gene_and_the_opacity(viewer: Page) -> None:
    # LEFT is lowest on the right
    ends = [int(viewer.pos[:, 0].argmax()), int(viewer.pos[:, 0].argmin())]
    viewer.page.locator("#opacity").fill("100")
    viewer.settle()
    dark, light = (viewer.colour(viewer.at(i)) for i in ends)
    assert (
        np.abs(np.subtract(dark, [68, 1, 84])).max() < 12
        and np.abs(np.subtract(light, [253, 231, 37])).max() < 12
    )
    viewer.choose("FLAT")
    assert viewer.colour(viewer.at(ends[0])) == viewer.colour(viewer.at(ends[1])) != dark
    viewer.page.locator("#opacity").fill("0")
    viewer.settle()
    bare = viewer.colour(viewer.at(ends[0]))
    # stained tissue
    assert bare[0] > bare[1] and bare != viewer.colour((viewer.box["x"] + 2, viewer.box["y"] + 2))


def test_slide_and_spots_lie_where_they_should(viewer: Page) -> None:
    """Each spot is a disc of 55 um around its centre; the drawn hole is where it was drawn."""
    viewer.page.locator("#opacity").fill("100")
    viewer.settle()
    x, y = viewer.pos[40]
    inside = viewer.colour(viewer.at(40))
    for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        for share, same in ((0.75, True), (1.35, False)):
            reach = share * 55 / 2 / SLIDE_MPP
            seen = viewer.colour(viewer.window(x + right * reach, y + down * reach))
            assert (np.abs(np.subtract(seen, inside)).max() < 25) == same
    viewer.page.locator("#opacity").fill("0")
    viewer.settle()
    (hole_x, hole_y), radius = HOLE
    for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        for share, glass in ((0.9, True), (1.15, False)):
            seen = viewer.colour(
                viewer.window(hole_x + right * share * radius, hole_y + down * share * radius)
            )
            assert (min(seen) > 225) == glass


def test_colour_bar_ends_where_the_colours_do(viewer: Page, table: ad.AnnData) -> None:
    low, high = np.percentile(table.X[:, 0], [1, 99])
    assert viewer.page.inner_text("#unit") == "log1p counts"
    found = [
        float(re.sub("[≤≥ ]", "", viewer.page.inner_text(f"#{end}"))) for end in ("low", "high")
    ]
    np.testing.assert_allclose(found, [low, high], atol=0.01)


def test_zoom_keeps_the_place_and_pan_moves_it(viewer: Page) -> None:
    spot = viewer.at(40)
    first = viewer.tip(spot)
    before = viewer.page.inner_text("#scale-text")
    viewer.page.mouse.wheel(0, -800)
    viewer.settle()
    assert (
        viewer.tip((spot[0] + 1, spot[1])) == first
        and viewer.page.inner_text("#scale-text") != before
    )
    viewer.page.mouse.move(*spot)
    viewer.page.mouse.down()
    viewer.page.mouse.move(spot[0] + 40, spot[1] + 30, steps=4)
    viewer.page.mouse.up()
    assert viewer.tip((spot[0] + 40, spot[1] + 30)) == first
    viewer.page.click("#zoom-all")
    assert viewer.tip(spot) == first and viewer.page.inner_text("#scale-text") == before
    viewer.page.click("#zoom-in")
    assert viewer.tip(spot) != first
    viewer.page.click("#zoom-out")
    assert viewer.tip(spot) == first


def test_scale_bar_has_its_length(viewer: Page) -> None:
    zoom = 1.0
    for key, factor in (("0", 1), ("+", 1.4), ("+", 1.4), ("-", 1 / 1.4)):
        zoom *= factor
        viewer.canvas.press(key)
        viewer.settle()
        length, unit = viewer.page.inner_text("#scale-text").split()
        um = float(length) * {"mm": 1000, "µm": 1}[unit]
        px = viewer.page.locator("#scale-bar").bounding_box()["width"]
        # 4 um per px of the slide
        assert px / um == pytest.approx(viewer.scale * zoom / 4, rel=0.01) and 30 < px <= 161


def test_keys_move_and_reach_everything(viewer: Page) -> None:
    spot = viewer.at(40)
    first = viewer.tip(spot)
    viewer.canvas.focus()
    viewer.page.keyboard.press("ArrowRight")
    assert viewer.tip((spot[0] - 60, spot[1])) == first
    viewer.page.keyboard.press("ArrowUp")
    assert viewer.tip((spot[0] - 60, spot[1] + 60)) == first
    reached = []
    for _ in range(12):
        viewer.page.keyboard.press("Tab")
        reached.append(viewer.page.evaluate("document.activeElement.id"))
    buttons = ["zoom-in", "zoom-out", "zoom-all", "spots", "lasso"]
    fields = ["layer", "search", "features", "second", "third", "opacity"]
    assert reached == [*buttons, *fields, ""]  # the last one opens the list of keys


def test_keys_tell_the_spot_in_the_middle_and_turn_the_list(
    viewer: Page, table: ad.AnnData
) -> None:
    viewer.canvas.focus()
    middle = np.array([320.0, 240.0])
    for key, right in (("ArrowRight", 60), ("ArrowRight", 60), ("ArrowLeft", -60)):
        viewer.page.keyboard.press(key)
        viewer.settle()
        middle[0] += right / viewer.scale
        distance = np.linalg.norm(viewer.pos - middle, axis=1)
        near = int(distance.argmin())
        reach = max(55 / 2 / SLIDE_MPP * viewer.scale, 10) / viewer.scale
        if distance[near] < reach - 1:
            assert f"spot {table.obs_names[near]} " in viewer.page.inner_text("#tip")
        elif distance[near] > reach + 1:
            assert not viewer.page.is_visible("#tip")
    for key, shown in (("PageDown", "SIDE/ONE"), ("PageDown", "NOISE"), ("PageUp", "SIDE/ONE")):
        viewer.page.keyboard.press(key)
        assert viewer.page.inner_text("#shown") == shown
    viewer.page.keyboard.press("PageUp")
    viewer.page.keyboard.press("PageUp")  # there is none before the first
    assert viewer.page.inner_text("#shown") == "LEFT"
    viewer.page.keyboard.press("/")
    assert viewer.page.evaluate("document.activeElement.id") == "search"


def test_spots_can_be_hidden(viewer: Page) -> None:
    spot = viewer.at(40)
    shown = viewer.colour(spot)
    viewer.canvas.press("h")
    viewer.settle()
    bare = viewer.colour(spot)
    assert np.abs(np.subtract(bare, shown)).max() > 30
    assert viewer.page.get_attribute("#spots", "aria-pressed") == "false"
    viewer.page.click("#spots")
    viewer.settle()
    assert viewer.colour(spot) == shown


def test_large_spots_are_rings(viewer: Page) -> None:
    """What lies in a spot is seen, and its colour at the rim."""
    viewer.page.locator("#opacity").fill("100")
    viewer.settle()
    i = int(np.linalg.norm(viewer.pos - [320, 240], axis=1).argmin())
    x, y = viewer.at(i)
    filled = viewer.colour((x, y))
    zoom = 12 / viewer.scale  # a spot is 165 px across
    still = np.floor([x, y])  # a pointer stands at whole px
    viewer.page.mouse.move(*still)
    viewer.page.mouse.wheel(0, -np.log(zoom) / 0.0016)
    viewer.settle()
    x, y = still + ([x, y] - still) * zoom
    radius = 55 / 2 / SLIDE_MPP * 12
    assert np.abs(np.subtract(viewer.colour((x + 0.93 * radius, y)), filled)).max() < 12
    assert np.abs(np.subtract(viewer.colour((x, y)), filled)).max() > 30


def test_the_autocorrelation_of_what_is_shown(viewer: Page, table: ad.AnnData) -> None:
    """By the formula, over the six nearest spots; none for a gene without a pattern to have."""
    away = table.X[:, 0].astype(float) - table.X[:, 0].mean(dtype=float)
    distance = cdist(viewer.pos, viewer.pos).round()
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1, kind="stable")[:, :6]
    moran = (away[near] * away[:, None]).sum() / near.size / (away**2).mean()
    text = viewer.page.inner_text("#moran")
    assert float(text.removeprefix("Moran's I ")) == pytest.approx(moran, abs=0.02) and moran > 0.8
    viewer.choose("NOISE1")
    assert abs(float(viewer.page.inner_text("#moran").removeprefix("Moran's I "))) < 0.25
    viewer.choose("FLAT")
    assert viewer.page.inner_text("#moran") == ""


def test_search_narrows_the_list_and_enter_chooses(viewer: Page) -> None:
    options = "[...document.querySelectorAll('#features option')].map(option => option.textContent)"
    listed = viewer.page.evaluate(options)
    assert listed == [
        "LEFT",
        "SIDE/ONE",
        "NOISE",
        "tissue_fraction",
        "nuclei",
        HOSTILE,
        "NOISE1",
        "NOISE2",
        "FLAT",
    ]
    viewer.page.fill("#search", " noise")
    assert viewer.page.evaluate(options) == ["NOISE", "NOISE1", "NOISE2"]
    viewer.page.fill("#search", "noise2")
    viewer.page.press("#search", "Enter")
    assert viewer.page.inner_text("#shown") == "NOISE2"
    viewer.page.fill("#search", "no such gene")
    viewer.page.press("#search", "Enter")
    assert viewer.page.evaluate(options) == [] and viewer.page.inner_text("#shown") == "NOISE2"


def test_names_are_text_and_the_page_is_readable(viewer: Page, section: Section) -> None:
    viewer.choose(HOSTILE)
    assert viewer.page.title() == section.section_id == "case <i>1&2"
    assert (
        viewer.page.inner_text("h1") == section.section_id
        and viewer.page.inner_text("#shown") == HOSTILE
    )
    assert viewer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in ("#canvas", "#legend", "#search", "#features", "#opacity"):
        box = viewer.page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= viewer.page.viewport_size["width"]
    smallest = (
        "Math.min(...[...document.querySelectorAll('body *')].map(e =>"
        " parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert viewer.page.evaluate(smallest) >= 13
    assert viewer.box["height"] > 0.55 * viewer.page.viewport_size["height"]


EVIDENCE = {  # test_pcc, low, high, test_sections, q, found, scored
    "LEFT": (0.1, -0.1, 0.3, 4, 0.3, False, True),
    "FLAT": (0.6, 0.5, 0.7, 4, 0.001, True, True),
    HOSTILE: (0.4, 0.35, 0.45, 4, 0.01, True, True),
    "NOISE1": (np.nan, np.nan, np.nan, 0, np.nan, False, False),
    "NOISE2": (0.9, np.nan, np.nan, 1, np.nan, False, True),
}


@pytest.fixture
def judged(table: ad.AnnData) -> ad.AnnData:
    """The table with what its genes have earned, and a slide that nobody should trust."""
    table.var[["test_pcc", "low", "high", "test_sections", "q", "found", "scored"]] = [
        EVIDENCE[gene] for gene in table.var_names
    ]
    trust = Trust(0.9, ["90% of the <b>spots</b> look odd"], ["the pitch is another"])
    table.uns["hespotex"][SLIDE] = trust.to_dict()
    table.uns["hespotex"]["leaks"] = ["the epoch was chosen on test sections"]
    table.obs["strangeness"] = np.float32(1.5)
    return table


def features_of(path: Path) -> tuple[list[dict[str, Any]], int]:
    pattern = r'<script type="application/json" id="data">(.*?)</script>'
    found = re.search(pattern, path.read_text(), re.DOTALL)
    assert found
    data = json.loads(found[1])
    return data["features"], data["start"]


class TestTrust:
    """What a reader must know stands where the map is."""

    @pytest.fixture
    def html(self, judged: ad.AnnData, section: Section, tmp_path: Path) -> Path:
        write_viewer(judged, section, ["LEFT", "FLAT"], tmp_path / "slide.html")
        return tmp_path / "slide.html"

    def test_opens_on_the_best_predicted_gene_that_was_asked_for(self, viewer: Page) -> None:
        assert viewer.page.inner_text("#shown") == "FLAT"
        assert viewer.page.inner_text("#evidence") == (
            "Cross-validated PCC 0.60 (95 % interval 0.50 to 0.70) over 4 sections left out: found."
        )

    def test_every_gene_says_what_it_has_earned(self, viewer: Page) -> None:
        options = "[...document.querySelectorAll('#features option')].map(o => o.textContent)"
        listed = [" ".join(text.split()) for text in viewer.page.evaluate(options)]
        assert listed[:2] == ["FLAT 0.60 found", "LEFT 0.10 not found"]
        assert listed[-3:] == [
            f"{HOSTILE} 0.40 found",
            "NOISE2 0.90 on 1 section",
            "NOISE1 never scored",
        ]
        for gene, words in (
            ("LEFT", "not found to be above 0, so its map may mean nothing"),
            ("NOISE1", "Never scored in cross-validation"),
            ("NOISE2", "one patient, no interval) over 1 section left out: whether it is above 0"),
        ):
            viewer.choose(gene)
            assert words in viewer.page.inner_text("#evidence")
        viewer.choose("nuclei")
        assert viewer.page.inner_text("#evidence") == ""

    @pytest.mark.parametrize(("r2", "said"), [(-5.31, True), (0.2, False), (np.nan, False)])
    def test_a_gene_whose_level_is_not_predicted(
        self, judged: ad.AnnData, r2: float, said: bool
    ) -> None:
        judged.var["test_r2"] = r2
        words = " Its level is not predicted (R2 -5.3)."
        assert earned(judged, "FLAT").sentence.endswith(words) is said

    @pytest.mark.parametrize(("ceiling", "said"), [(0.8, True), (0.0, False), (np.nan, False)])
    def test_the_share_of_what_counting_leaves(
        self, judged: ad.AnnData, ceiling: float, said: bool
    ) -> None:
        judged.var["test_ceiling"] = ceiling
        judged.var.loc["FLAT", "test_pcc"] = 0.2
        words = ", 25% of the 0.80 that the noise of counting leaves: found."
        assert (words in earned(judged, "FLAT").sentence) is said

    def test_a_banner_and_what_was_warned_of(self, viewer: Page) -> None:
        banner = viewer.page.inner_text("#doubts")
        assert banner == (
            "Do not trust this slide without a check: 90% of the <b>spots</b> look odd."
        )
        box = viewer.page.locator("#doubts").bounding_box()
        assert box["y"] == 0 and box["width"] == viewer.page.viewport_size["width"]
        remarks = viewer.page.inner_text("#remarks")
        assert "the pitch is another" in remarks
        assert "too good: the epoch was chosen on test sections" in remarks
        facts = viewer.page.inner_text("dl")
        assert "90% of the spots" in facts
        assert "scored 4; found 2 of the 3 that two or more sections scored; 1 were never" in facts

    def test_the_spread_of_the_folds_is_a_layer(self, viewer: Page, judged: ad.AnnData) -> None:
        viewer.choose("LEFT")
        viewer.page.select_option("#layer", label="spread of the folds")
        for i in (0, 57):
            tip = viewer.tip(viewer.at(i))
            spread = judged.layers["fold_std"][i, 0]
            assert number(tip, "LEFT") == pytest.approx(spread, abs=0.002)
            assert tip is not None and "spread of the folds, log1p counts" in tip
        viewer.choose(HOSTILE)  # stays on the layer
        tip = viewer.tip(viewer.at(5))
        assert number(tip, HOSTILE) == pytest.approx(judged.layers["fold_std"][5, 2], abs=0.002)
        viewer.choose("nuclei")
        assert not viewer.page.is_visible("#layer")


def test_without_a_gene_asked_for_it_opens_on_none(
    judged: ad.AnnData, section: Section, tmp_path: Path
) -> None:
    write_viewer(judged, section, [], tmp_path / "sets.html")
    features, start = features_of(tmp_path / "sets.html")
    assert features[start]["kind"] == "gene set"
    del judged.obsm["gene_sets"]
    write_viewer(judged, section, [], tmp_path / "none.html")
    features, start = features_of(tmp_path / "none.html")
    assert features[start]["name"] == "strangeness"
    assert "No gene was asked for" in (tmp_path / "none.html").read_text()
    genes = [feature["name"] for feature in features if feature["kind"] == "gene"]
    assert genes == ["FLAT", HOSTILE, "NOISE2", "LEFT", "NOISE1"]


def test_a_model_without_scores_says_so(
    table: ad.AnnData, section: Section, tmp_path: Path
) -> None:
    write_viewer(table, section, ["LEFT"], tmp_path / "slide.html")
    features, _ = features_of(tmp_path / "slide.html")
    assert features[0]["evidence"] == "No score of cross-validation lies with the model."
    page = (tmp_path / "slide.html").read_text()
    assert "5, none with a score of cross-validation" in page and 'id="doubts"' not in page


@pytest.mark.parametrize("viewer", [PHONE], indirect=True)
def test_fingers(viewer: Page) -> None:
    """A tap shows a value; two fingers zoom about their middle."""
    spot = viewer.at(40)
    viewer.page.touchscreen.tap(*spot)
    viewer.settle()
    first = viewer.page.inner_text("#tip")
    before = viewer.page.inner_text("#scale-text")
    wire = viewer.page.context.new_cdp_session(viewer.page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
        points = (
            [{"x": spot[0] + side * apart, "y": spot[1], "id": max(side, 0)} for side in (-1, 1)]
            if apart
            else []
        )
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    viewer.page.touchscreen.tap(*spot)
    viewer.settle()
    assert (
        viewer.page.inner_text("#tip") == first and viewer.page.inner_text("#scale-text") != before
    )


def test_a_page_holds_what_fits_and_says_so(
    table: ad.AnnData, section: Section, tmp_path: Path
) -> None:
    write_viewer(table, section, ["NOISE2"], tmp_path / "all.html")
    write_viewer(table, section, ["NOISE2"], tmp_path / "one.html", max_mb=0.001)
    full, small = ((tmp_path / name).read_text() for name in ("all.html", "one.html"))
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', small, re.DOTALL)
    assert found and [feature["name"] for feature in json.loads(found[1])["features"]] == ["NOISE2"]
    # genes, gene sets, numbers of a spot, less the one that is there
    left_out = len(GENES) + 2 + 2 - 1
    assert (
        f"{left_out} genes or sets" in small and "left-out" not in full and len(small) < len(full)
    )
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", full)


def test_many_genes_fill_the_page_and_no_more(section: Section, tmp_path: Path) -> None:
    values = (
        np.random.default_rng(0)
        .normal(0, np.linspace(1, 2, 600), (len(section.adata), 600))
        .astype(np.float32)
    )
    table = slide_table(section, [f"G{i}" for i in range(600)], values, {"unit": "log1p"})
    write_viewer(table, section, ["G3"], tmp_path / "a.html", max_mb=0.2)
    page = (tmp_path / "a.html").read_text()
    listed = re.findall(r'"name": "(G\d+)"', page)
    assert 140_000 < len(page.encode()) <= 200_000
    assert (
        listed[:2] == ["G3", by_variance(table)[0]] and f"{600 - len(listed)} genes or sets" in page
    )


def test_two_or_three_as_one_coloured_overlay(viewer: Page, table: ad.AnnData) -> None:
    """The one that is shown in magenta and the other in green; three in magenta, green and teal."""
    viewer.page.locator("#opacity").fill("100")
    viewer.page.fill("#second", "NOISE1")
    viewer.settle()
    shares = []
    for column in (0, 3, 4):
        low, high = np.percentile(table.X[:, column], [1, 99])
        shares.append(np.clip((table.X[:, column] - low) / (high - low), 0, 1) * 255)
    for i in (3, 40, 77):
        left, noise, third = (float(share[i]) for share in shares)
        assert viewer.colour(viewer.at(i)) == pytest.approx([left, noise, left], abs=3)
    legend = viewer.page.inner_text("#mix")
    assert "LEFT" in legend and "NOISE1" in legend and " ," not in legend
    assert not viewer.page.is_visible("#bar") and not viewer.page.is_visible("#moran")
    tip = viewer.tip(viewer.at(5))
    assert tip is not None
    line = next(line for line in tip.splitlines() if line.startswith("NOISE1 "))
    assert float(line.split()[1]) == pytest.approx(table.X[5, 3], abs=0.01)
    viewer.page.fill("#third", "NOISE2")
    viewer.settle()
    for i in (3, 40, 77):
        left, noise, third = (float(share[i]) for share in shares)
        light = np.array([left, noise, third]) @ MIXED / 255
        assert viewer.colour(viewer.at(i)) == pytest.approx(light, abs=3)
    for name in ("#second", "#third"):
        viewer.page.fill(name, "no such gene")
    viewer.settle()
    assert viewer.page.is_visible("#bar") and not viewer.page.is_visible("#mix")


def test_a_region_is_drawn_named_and_saved(
    viewer: Page, table: ad.AnnData, section: Section, tmp_path: Path
) -> None:
    """The mean over the spots inside; the file gives predict.py the very same spots."""
    corners = [(120.0, 90.0), (301.5, 90.0), (301.5, 350.0), (120.0, 350.0)]
    viewer.page.click("#lasso")
    viewer.page.mouse.move(*viewer.window(*corners[0]))
    viewer.page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        viewer.page.mouse.move(*viewer.window(*corner), steps=3)
    viewer.page.mouse.up()
    x, y = section.pos_px.T
    inside = (x > 120) & (x < 301.5) & (y > 90) & (y < 350)
    cells = viewer.page.locator("#regions td").all_inner_texts()
    assert cells[1] == f"{inside.sum()} spots"
    step = float(np.ptp(table.X[:, 0])) / 254
    assert float(cells[2]) == pytest.approx(table.X[inside, 0].mean(), abs=step + 0.005)
    viewer.choose("nuclei")
    mean = table.obs["nuclei"][inside].mean()
    shown = float(viewer.page.locator("#regions td").nth(2).inner_text())
    assert shown == pytest.approx(mean, abs=0.06)
    viewer.page.fill("#regions input", "my <b>gland")
    with viewer.page.expect_download() as download:
        viewer.page.click("#save")
    download.value.save_as(tmp_path / "drawn.geojson")
    (region,) = read_regions(tmp_path / "drawn.geojson", (640, 480))
    assert region.name == region.class_name == "my <b>gland"
    np.testing.assert_array_equal(region.holds(section.pos_px), inside)
    # the slide was not moved, and moves again
    viewer.settle()
    assert viewer.tip(viewer.at(40)) is not None
    viewer.page.click("#regions button")
    assert not viewer.page.is_visible("#regions") and not viewer.page.is_visible("#save")
