"""The report in a real browser: it opens from disk, needs no network, sorts, filters, and fits a
phone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import compose_config
from test_tables import write_run

from hespotex.summary import summarise
from hespotex.training.run import train

RUNS = {
    "ridge": ["model=ridge", "fold.index=all"],
    "gene_mean": ["model=gene_mean", "fold.index=all"],
    "within": ["model=ridge", "fold=leave_one_section_out", "fold.index=1"],
}
GENES = "#leave_one_group_out .genes"


@pytest.fixture(scope="module")
def sweep(small_demo: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with patients left out, one with one section left out, summarised."""
    folder = tmp_path_factory.mktemp("page") / "sweep"
    same = [
        "data=hest",
        f"data.reader.root={small_demo}",
        f"paths.store={store}",
        "encoder=random_vit",
        "~callbacks.progress",
    ]
    same += [
        "data.reader.sections=[DEMO1,DEMO3,DEMO4]",
        "data.panel.n_top=60",
        "data.panel.markers=[DEMO-M002]",
    ]
    for name, words in RUNS.items():
        home = folder / name
        home.mkdir(parents=True)
        train(compose_config("train", [*same, *words], home))
    summarise(folder)
    return folder


@pytest.fixture
def page(sweep: Path, browser: Any) -> Iterator[Any]:
    """The open page, at the width of a laptop; its complaints and requests are in
    `page.complaints`, `page.requested`.
    """
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.complaints = []
    opened.requested = []
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("request", lambda request: opened.requested.append(request.url))
    opened.goto((sweep / "report" / "index.html").as_uri())
    yield opened
    opened.close()


def column(page: Any, index: int, place: str = f"{GENES} [data-model]:not([hidden])") -> list[str]:
    """Visible cells of a column."""
    rows = page.locator(f"{place} tbody tr:visible")
    found: list[str] = rows.evaluate_all(f"rows => rows.map(row => row.cells[{index}].textContent)")
    return found


def test_it_opens_in_silence_without_a_network(page: Any, sweep: Path) -> None:
    assert page.complaints == []
    assert [url for url in page.requested if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in page.requested) == 1
    text = (sweep / "report" / "index.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\(|@import|https?:", text)
    assert len(text) < 3e6


def test_every_image_loads(page: Any) -> None:
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) >= 2 * (6 + 3)  # figures, and three maps of a section
    assert min(widths) > 200
    assert page.locator("figure.map").count() >= 6
    texts = page.evaluate("[...document.images].map(image => image.alt)")
    assert all(texts)
    assert any("an oracle's choice" in text for text in texts) and any(
        "DEMO-M002: a marker" in text for text in texts
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_window(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for figure in page.locator(".figures img").all():
        box = figure.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('p, td, dd, figcaption')].map(e =>"
        " parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12


def test_a_click_sorts_and_another_turns_it(page: Any) -> None:
    before = column(page, 2)
    assert before == sorted(before, key=float, reverse=True)
    head = page.locator(f"{GENES} th", has_text="mean PCC").first
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, 2) == before
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, 2) == sorted(before, key=float) != before
    page.locator(f"{GENES} th", has_text="gene").first.locator("button").click()
    assert column(page, 0) == sorted(column(page, 0))
    assert head.get_attribute("aria-sort") is None


def test_the_keyboard_sorts_too_and_no_value_comes_last(page: Any) -> None:
    place = "#leave_one_group_out [aria-label='Cross-validation']"
    head = page.locator(f"{place} th", has_text="PCC over groups")
    for wanted, order in (("Enter", -1), ("Space", 1)):
        head.locator("button").focus()
        page.keyboard.press(wanted)
        values = column(page, 2, place)
        assert values[-1] == "no value"
        assert [float(value) for value in values[:-1]] == sorted(
            map(float, values[:-1]), key=lambda value: order * value
        )


def test_the_filter_takes_parts_of_names(page: Any) -> None:
    everything = column(page, 0)
    search = page.locator(f"{GENES} input")
    count = page.locator(f"{GENES} .count")
    search.fill("m00")
    assert column(page, 0) == [gene for gene in everything if "M00" in gene]
    assert 0 < len(column(page, 0)) < len(everything)
    assert count.inner_text() == f"{len(column(page, 0))} of {len(everything)} genes"
    search.fill(f"{everything[3]}, {everything[7]}")
    assert column(page, 0) == [everything[3], everything[7]]
    page.locator(f"{GENES} th", has_text="mean PCC").first.locator("button").click(click_count=2)
    assert column(page, 0) == [everything[7], everything[3]]  # sorting keeps the filter
    search.fill("no such gene")
    assert column(page, 0) == []
    search.fill("")
    assert set(column(page, 0)) == set(everything)


def test_headers_stay_in_sight(page: Any) -> None:
    box = page.locator(f"{GENES} .scroll:visible")
    head = box.locator("th").first
    box.scroll_into_view_if_needed()
    box.evaluate("box => { box.scrollTop = 300; }")
    assert abs(head.bounding_box()["y"] - box.bounding_box()["y"]) < 2


def test_what_is_said_beside_the_numbers(page: Any) -> None:
    one, other = (
        page.locator(f"#{name}") for name in ("leave_one_group_out", "leave_one_section_out")
    )
    assert one.locator(".leak").count() == 0
    assert "both sides of the split" in other.locator(".leak").inner_text()
    cards = page.locator(".verdicts article").all_inner_texts()
    assert cards[0].startswith("Leave one group out\n")
    assert "2 groups: an interval over so few means little." in cards[0]
    assert "One group: there is no interval." in cards[1]
    assert "Audit: 4 of 4 runs audited; no rule failed." in cards[0]
    assert "Audit: 1 of 1 runs audited; groups failed in 1." in cards[1]
    runs = page.locator("[aria-label='Runs']").inner_text()
    assert "FAIL groups" in runs and "(as asked for by fold" in runs
    asked = page.locator("main > section").nth(1).inner_text()
    for part in (
        "Data fingerprint",
        "Each group (patient) is the test set once",
        "random_vit",
        "log1p of counts per 10,000",
        "Git commit",
    ):
        assert part in asked
    assert page.locator("details pre").text_content().count("DEMO-M002") == 1


def test_a_sweep_with_nothing_but_scores_has_a_page(tmp_path: Path, browser: Any) -> None:
    """No predictions, maps or config, odd names; two models to look at."""
    for fold, sections in enumerate((["A1"], ["B1", "B2"])):
        for model in ("ridge", "strict", "gene_mean"):
            write_run(tmp_path, model, fold, sections)
    for path in tmp_path.rglob("per_gene.csv"):
        pd.read_csv(path).replace({"gene": {"G1": "<b>G1</b> & co"}}).to_csv(path, index=False)
    summarise(tmp_path)
    page = browser.new_page()
    page.goto((tmp_path / "report" / "index.html").as_uri())
    assert "<b>G1</b> & co" in column(page, 0)
    page.locator(f"{GENES} select").select_option("ridge")
    assert column(page, 2)[0] == "0.500"
    assert "strict: PCC 0.475" in page.locator(".verdicts").inner_text()
    assert page.locator("img").count() == 2
    page.close()


def test_made_again_the_page_is_the_same(sweep: Path) -> None:
    path = sweep / "report" / "index.html"
    before = path.read_bytes()
    summarise(sweep)
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".*"))
