"""Measure the embedded nucleus detector against dots and masks: `README.md` beside this file."""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from hespotex.histology import detect_nuclei, label_nuclei
from hespotex.nuclei.haematoxylin import HaematoxylinNuclei
from hespotex.sections.section import Section, SectionKey, make_adata

MPP = 0.5
REACH_UM = 3.0
OTHER_MPPS = (0.25, 1.0, 1.6)
# The masks come without a scale: it is set so that the median true nucleus has this area.
ASSUMED_AREA_UM2 = 40.0
SHOWN = (2, 3, 6)
SHOWN_PX = 180
SMALL_TILE = 128  # px at 0.7 um per px

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
Finder = Callable[[Image, float], Points]


def read_rgb(path: Path) -> Image:
    """Image file -> (height, width, 3) RGB."""
    bgr = cv2.imread(str(path))
    if bgr is None:
        raise FileNotFoundError(f"no image {path}: --data takes the folder that holds nuclei/")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def breast_tiles(data: Path) -> list[tuple[Image, Points]]:
    """Tiles at 0.5 um per px in order of name, and the centres of their nuclei."""
    folder = data / "nuclei" / "brca_m2c"
    dots = pd.read_csv(folder / "dots.csv")
    groups = sorted(dots.groupby("image"), key=lambda group: str(group[0]))
    return [
        (read_rgb(folder / "images" / str(name)), table[["x", "y"]].to_numpy(np.float64))
        for name, table in groups
    ]


def masked_tiles(data: Path) -> Iterator[tuple[Image, Points, float]]:
    """Tiles with instance masks: image, centres of nuclei, assumed mpp."""
    folder = data / "nuclei" / "dsb2018_he"
    for path in sorted((folder / "labels").iterdir()):
        labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        image = next((folder / "images").glob(f"{path.stem}.*"))
        number, index = np.unique(labels, return_inverse=True)
        area = np.bincount(index.ravel())
        y, x = np.indices(labels.shape)
        centres = [np.bincount(index.ravel(), axis.ravel()) / area for axis in (x, y)]
        real = number > 0
        mpp = float(np.sqrt(ASSUMED_AREA_UM2 / np.median(area[real])))
        yield read_rgb(image), np.stack(centres, axis=1)[real], mpp


def resample(image: Image, mpp: float) -> Image:
    """A tile of 0.5 um per px at another pixel size."""
    side = (round(image.shape[1] * MPP / mpp), round(image.shape[0] * MPP / mpp))
    how = cv2.INTER_AREA if mpp > MPP else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, side, interpolation=how), dtype=np.uint8)


def as_section(path: Path, size: tuple[int, ...], mpp: float) -> Section:
    """An image file with one spot in its middle."""
    height, width = size[:2]
    adata = make_adata(sparse.csr_matrix((1, 0)), ["spot"], [], np.array([[width / 2, height / 2]]))
    return Section(SectionKey("tile", "tile"), adata, mpp, "known", 100.0, 55.0, image=path)


def find_in_tiles(image: Image, mpp: float) -> Points:
    """Centroids as the program finds them: from a file, in many small tiles."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tile.png"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        source = HaematoxylinNuclei(2 * max(image.shape) * mpp, tile_px=SMALL_TILE)
        return source.nuclei(as_section(path, image.shape, mpp)).centroids - 0.5


def find_at_once(image: Image, mpp: float) -> Points:
    """Centroids without tiles."""
    return detect_nuclei(image, mpp).centroids.astype(np.float64)


def compare(
    image: Image, truth: Points, mpp: float, find: Finder = find_at_once
) -> tuple[int, int, int]:
    """Numbers of nuclei found, true, and matched one to one within 3 um."""
    found = find(image, mpp)
    distance = cdist(found, truth) * mpp
    rows, columns = linear_sum_assignment(np.where(distance <= REACH_UM, distance, 1e3))
    return len(found), len(truth), int((distance[rows, columns] <= REACH_UM).sum())


def row(name: str, numbers: list[tuple[int, int, int]]) -> str:
    """One line of the table from the numbers of several tiles."""
    found, truth, hits = np.array(numbers, dtype=np.float64).T
    values = (
        f"{len(numbers)}",
        f"{truth.sum():.0f}",
        f"{found.sum():.0f}",
        f"{np.corrcoef(found, truth)[0, 1]:.3f}",
        f"{np.median(np.abs(found - truth) / truth):.1%}",
        f"{hits.sum() / found.sum():.3f}",
        f"{hits.sum() / truth.sum():.3f}",
        f"{2 * hits.sum() / (found.sum() + truth.sum()):.3f}",
    )
    return " | ".join(("", name, *values, "")).strip()


def speed(image: Image, mpp: float) -> tuple[float, float]:
    """Megapixels per second of one core, best of five on a large image: in memory, and read from
    JPEG tiles of a TIFF.
    """
    large = np.ascontiguousarray(np.tile(image, (8, 8, 1)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        tifffile.imwrite(path, large, tile=(512, 512), photometric="rgb", compression="jpeg")
        source = HaematoxylinNuclei(2 * max(large.shape) * mpp, workers=1)
        section = as_section(path, large.shape, mpp)
        in_memory = min(seconds(lambda: detect_nuclei(large, mpp)) for _ in range(5))
        from_file = min(seconds(lambda: _fresh(source, section)) for _ in range(5))
    return large.size / 3e6 / in_memory, large.size / 3e6 / from_file


def _fresh(source: HaematoxylinNuclei, section: Section) -> None:
    os.utime(section.pixels)  # so that no decoded tile is remembered
    source.nuclei(section)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of some work, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def table(data: Path) -> str:
    """The result table as markdown."""
    tiles = breast_tiles(data)
    at_half = [compare(image, truth, MPP) for image, truth in tiles]
    lines = [
        "| tiles | n | true | found | r of counts | median error | precision | recall | F1 |",
        "|---|---|---|---|---|---|---|---|---|",
        row("breast, tuning half", at_half[::2]),
        row("breast, held-out half", at_half[1::2]),
        row("breast, all", at_half),
        row(
            f"breast, all, in tiles of {SMALL_TILE} px",
            [compare(image, truth, MPP, find_in_tiles) for image, truth in tiles],
        ),
    ]
    for mpp in OTHER_MPPS:
        moved = [compare(resample(i, mpp), (t + 0.5) * MPP / mpp - 0.5, mpp) for i, t in tiles]
        lines.append(row(f"breast, all, at {mpp} um/px", moved))
    lines.append(row("data science bowl", [compare(*tile) for tile in masked_tiles(data)]))
    lines.append("")
    for mpp in (0.25, 0.5, 0.7):
        memory, file = speed(tiles[2][0], mpp)
        lines.append(
            f"{mpp} um/px: {memory:.0f} megapixels/s in memory, {file:.0f} from JPEG tiles."
        )
    return "\n".join(lines) + "\n"


def overlay(image: Image, truth: Points) -> Image:
    """Corner of a tile at twice the size: outlines of what was found, dots of what is true."""
    corner = np.ascontiguousarray(image[:SHOWN_PX, :SHOWN_PX])
    labels = label_nuclei(image, MPP)[:SHOWN_PX, :SHOWN_PX]
    large = cv2.resize(corner, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    wide = labels.repeat(2, axis=0).repeat(2, axis=1)
    edge = np.zeros(wide.shape, dtype=np.bool_)
    edge[1:] |= wide[1:] != wide[:-1]
    edge[:, 1:] |= wide[:, 1:] != wide[:, :-1]
    large[edge] = (0, 230, 0)
    for x, y in truth[(truth < SHOWN_PX).all(axis=1)]:
        cv2.circle(large, (round(2 * x + 1), round(2 * y + 1)), 4, (255, 255, 0), -1)
    return np.asarray(large, dtype=np.uint8)


def main() -> None:
    """Write table.md (copied into the README) and the overlays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds nuclei/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    (arguments.out / "table.md").write_text(table(arguments.data), encoding="utf-8")
    tiles = breast_tiles(arguments.data)
    for number in SHOWN:
        picture = cv2.cvtColor(overlay(*tiles[number]), cv2.COLOR_RGB2BGR)
        half = "held-out" if number % 2 else "tuning"
        cv2.imwrite(str(arguments.out / f"overlay-{number:02d}-{half}.png"), picture)


if __name__ == "__main__":
    main()
