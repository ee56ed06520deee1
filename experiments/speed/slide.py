"""A tiled TIFF of any size out of real tissue, with spots in Visium's hexagonal pattern."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import sparse

from hespotex.sections.section import Section, SectionKey, make_adata

MPP = 0.5
TILE = 256
PITCH_UM = 100.0
MARGIN_PX = 500


def make_slide(tissue: Path, side_px: int, path: Path) -> Section:
    """Write `side_px` squared px (JPEG tiles of a real image, no pyramid); spots at 100 um all over
    it.
    """
    if not path.is_file():
        write_mosaic(path, tissue_tiles(tissue), side_px)
    return _section(path, side_px)


def write_mosaic(path: Path, pieces: list[NDArray[np.uint8]], side_px: int, seed: int = 0) -> None:
    """A tiled TIFF of `side_px` squared px out of these tiles (256, 256, 3), drawn at random."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path,
        _mosaic(pieces, -(-side_px // TILE), seed),
        shape=(side_px, side_px, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="jpeg",
        photometric="rgb",
    )


def tissue_tiles(tissue: Path) -> list[NDArray[np.uint8]]:
    """Tiles of an H&E image that hold more tissue than glass."""
    bgr = cv2.imread(str(tissue))
    if bgr is None:
        raise FileNotFoundError(f"no image {tissue}: --tissue takes an H&E picture")
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    rows, columns = (n // TILE for n in rgb.shape[:2])
    tiles = [
        rgb[r * TILE : (r + 1) * TILE, c * TILE : (c + 1) * TILE]
        for r in range(rows)
        for c in range(columns)
    ]
    return [np.ascontiguousarray(tile) for tile in tiles if tile.mean() < 215]


def drawn_tiles(n: int = 64) -> list[NDArray[np.uint8]]:
    """Tiles in the colours of H&E where there is no picture at hand: smooth pink, with dark round
    nuclei.
    """
    rng = np.random.default_rng(0)
    tiles = []
    for _ in range(n):
        texture = cv2.resize(
            rng.normal(0, 12, (32, 32, 1)).astype(np.float32),
            (TILE, TILE),
            interpolation=cv2.INTER_CUBIC,
        )
        tile = (
            np.array([225.0, 170.0, 200.0])
            + texture[:, :, None]
            + rng.normal(0, 4, (TILE, TILE, 3))
        )
        image = np.clip(tile, 0, 255).astype(np.uint8)
        for x, y in rng.integers(0, TILE, (40, 2)).tolist():
            cv2.circle(image, (x, y), int(rng.integers(5, 10)), (90, 60, 140), -1)
        tiles.append(image)
    return tiles


def _mosaic(pieces: list[NDArray[np.uint8]], n: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return (pieces[rng.integers(len(pieces))] for _ in range(n * n))


def _section(path: Path, side_px: int) -> Section:
    step = PITCH_UM / MPP
    rows = np.arange(MARGIN_PX, side_px - MARGIN_PX, step * np.sqrt(3) / 2)
    pos = [
        (x + step / 2 * (i % 2), y)
        for i, y in enumerate(rows)
        for x in np.arange(MARGIN_PX, side_px - MARGIN_PX - step, step)
    ]
    barcodes = [f"spot{i}" for i in range(len(pos))]
    adata = make_adata(
        sparse.csr_matrix((len(pos), 1), dtype=np.float32), barcodes, ["none"], np.array(pos)
    )
    return Section(SectionKey("SPEED", "SPEED"), adata, MPP, "stated", PITCH_UM, 55.0, image=path)
