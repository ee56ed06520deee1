"""Nuclei can be seen on the page of a slide: tiles beside it, where there is tissue."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from builders import halves, write_pyramid
from builders.slides import EOSIN, glass
from numpy.typing import NDArray

from hespotex.results.slide.table import slide_table
from hespotex.results.slide.viewer import tiles as made
from hespotex.results.slide.viewer import write_viewer
from hespotex.results.slide.viewer.tiles import SIDE, write_tiles
from hespotex.sections.readers.slide import read_slide
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue, slide_tissue

SIZE = (4500, 3300)  # px, at 0.25 um
MPP = 0.25
TISSUE = ((1800, 1600), 1100)  # centre and radius, px
CHECKS = 4  # px of a square of the chessboard that stands for nuclei: 1 um


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    picture = glass(*SIZE)
    disc = np.zeros(picture.shape[:2], np.uint8)
    cv2.circle(disc, *TISSUE, 255, -1)
    y, x = np.indices(disc.shape)
    dark = ((x // CHECKS + y // CHECKS) % 2).astype(bool)
    picture[disc > 0] = EOSIN
    picture[(disc > 0) & dark] = np.array(EOSIN) // 2
    return picture


@pytest.fixture(scope="module")
def slide(pixels: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "my slide#1.tif"
    return write_pyramid(path, halves(pixels, 2), MPP, compression="deflate")


@pytest.fixture(scope="module")
def tissue(slide: Path) -> Tissue:
    return slide_tissue(slide, MPP, min_piece_um2=1000)


@pytest.fixture(scope="module")
def section(slide: Path, tissue: Tissue) -> Section:
    how: dict[str, Any] = {"pitch_um": 100.0, "spot_diameter_um": 55.0, "min_tissue": 0.5}
    return read_slide(slide, MPP, "told", tissue, positions=None, grid="square", **how)


def read(path: Path) -> NDArray[np.float64]:
    return np.asarray(cv2.imread(str(path)), dtype=np.float64)[..., ::-1]


def test_tiles_are_the_slide_at_their_scale(
    pixels: NDArray[np.uint8], section: Section, tissue: Tissue, tmp_path: Path
) -> None:
    facts = write_tiles(section, tissue, tmp_path / "a_tiles", 50)
    assert facts is not None and facts["folder"] == "a_tiles/" and facts["um"] == 0.5
    # 0.25 um shows no more nuclei, and 1 um is coarser than the picture of the page (2000 px)
    (level,) = facts["levels"]
    small = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(float)
    for number in level["held"]:
        row, column = divmod(number, level["columns"])
        tile = read(tmp_path / "a_tiles" / "2" / f"{column}_{row}.jpg")
        part = small[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        assert tile.shape == part.shape and np.abs(tile - part).mean() < 10  # of JPEG
    files = {path.stem for path in (tmp_path / "a_tiles" / "2").iterdir()}
    held = {f"{n % level['columns']}_{n // level['columns']}" for n in level["held"]}
    assert files == held
    # the tissue spans 350 to 1450 px of them, so three columns and four rows, less empty corners
    assert {"0_0", "2_0"} <= files and "4_0" not in files and "4_3" not in files


def test_coarser_tiles_are_made_of_finer_ones(
    pixels: NDArray[np.uint8],
    section: Section,
    tissue: Tissue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three levels, the finest with an odd number of tiles, and glass beside the tissue."""
    monkeypatch.setattr(made, "NUCLEI_UM", 0.3)
    monkeypatch.setattr(made, "PICTURE_PX", 600)
    facts = write_tiles(section, tissue, tmp_path / "t", 50)
    assert facts is not None and [level["step"] for level in facts["levels"]] == [4, 2, 1]
    for level in facts["levels"]:
        step = level["step"]
        small = cv2.resize(pixels, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        for number in level["held"]:
            row, column = divmod(number, level["columns"])
            tile = read(tmp_path / "t" / str(step) / f"{column}_{row}.jpg")
            part = small[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            assert tile.shape == part.shape
            assert np.abs(tile - part.astype(float)).mean() < 12


def test_too_little_room_takes_coarser_tiles_and_then_none(
    section: Section, tissue: Tissue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "NUCLEI_UM", 0.3)
    monkeypatch.setattr(made, "PICTURE_PX", 600)

    def steps(max_mb: float) -> list[int]:
        facts = write_tiles(section, tissue, tmp_path / "t", max_mb)
        return [level["step"] for level in facts["levels"]] if facts else []

    whole = steps(50)
    size = sum(path.stat().st_size for path in (tmp_path / "t").rglob("*.jpg")) / 1e6
    assert whole == [4, 2, 1] and steps(1.3 * size) == whole
    fewer = steps(0.6 * size)
    assert fewer in ([4, 2], [4])
    left = sum(path.stat().st_size for path in (tmp_path / "t").rglob("*.jpg")) / 1e6
    assert left < 0.6 * size and not (tmp_path / "t" / "1").exists()  # of the first call
    assert steps(0.001) == []


def test_spots_beside_the_tissue_have_their_tiles(
    section: Section, tissue: Tissue, tmp_path: Path
) -> None:
    """Positions of the user's own may lie where no tissue was found."""
    bare = Tissue(np.zeros_like(tissue.mask), tissue.scale, "nothing")
    facts = write_tiles(section, bare, tmp_path / "t", 50)
    assert facts is not None
    at = {(int(y) // 2 // SIDE, int(x) // 2 // SIDE) for x, y in section.pos_px}
    (level,) = facts["levels"]
    assert {divmod(number, level["columns"]) for number in level["held"]} == at


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["desktop", "phone"])
def test_nuclei_are_seen_on_the_page(
    browser: Any, section: Section, tissue: Tissue, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Zoomed in, the chessboard is there with its contrast; the page's own picture has lost it."""
    values = np.ones((len(section.adata), 1), np.float32)
    table = slide_table(section, ["G"], values, {"unit": "log1p"})
    tiles = write_tiles(section, tissue, tmp_path / "my slide#1_tiles", 50)
    page = tmp_path / "my slide#1.html"
    context = browser.new_context(viewport=dict(zip(("width", "height"), size, strict=True)))

    def contrast(with_tiles: bool) -> tuple[float, str]:
        write_viewer(table, section, ["G"], page, tiles=tiles if with_tiles else None)
        shown = context.new_page()
        troubles: list[str] = []
        shown.on("console", lambda message: troubles.append(message.text))
        shown.on("request", lambda request: troubles.extend(outside(request.url)))
        shown.goto(page.as_uri())
        canvas = shown.locator("#canvas")
        canvas.press("h")
        # about the middle of the tissue
        box = canvas.bounding_box()
        shown.evaluate(
            f"view.scale = 1 / data.scale / 2; view.left = {box['width'] / 2} - 900;"
            f"view.top = {box['height'] / 2} - 800; redraw()"
        )
        shown.wait_for_timeout(500)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        shot = shown.screenshot(clip={"x": x - 64, "y": y - 64, "width": 128, "height": 128})
        grey = np.asarray(cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_GRAYSCALE))
        assert troubles == []
        facts = shown.inner_text("dl")
        shown.close()
        return float(grey.std()), facts

    def outside(url: str) -> list[str]:
        home = tmp_path.as_uri()
        return [] if url.startswith(("data:", home)) else [url]

    with_tiles, facts = contrast(True)
    without, others = contrast(False)
    assert with_tiles > 30 and without < 0.6 * with_tiles
    assert "0.5 µm a px" in facts and "zoom" not in others
    context.close()


def test_a_page_that_was_moved_alone_says_what_it_lacks(
    browser: Any, section: Section, tissue: Tissue, tmp_path: Path
) -> None:
    values = np.ones((len(section.adata), 1), np.float32)
    table = slide_table(section, ["G"], values, {"unit": "log1p"})
    tiles = write_tiles(section, tissue, tmp_path / "a_tiles", 50)
    (tmp_path / "elsewhere").mkdir()
    write_viewer(table, section, ["G"], tmp_path / "elsewhere" / "a.html", tiles=tiles)
    page = browser.new_page()
    page.goto((tmp_path / "elsewhere" / "a.html").as_uri())
    assert not page.is_visible("#no-tiles")
    page.locator("#canvas").press("1")
    page.wait_for_selector("#no-tiles", state="visible")
    assert "keep the folder a_tiles/ with it" in page.inner_text("#no-tiles")
    page.close()
