"""Nuclei found in the image around the spots, none of them cut or found twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.progress import progress_bar
from hespotex.nuclei.table import Floats, NucleiTable, join
from hespotex.nuclei.tiles import ALIGN, Box, boxes_around, working_grid
from hespotex.sections.images import open_image
from hespotex.sections.patch_reader import iterate_patches
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section, check_spots

STORED_BATCH = 64
# RGB (height, width, 3) at some um per px -> its nuclei, centroids in px of this picture.
Finder = Callable[[NDArray[np.uint8], float], NucleiTable]


class DetectedNuclei:
    """Base of the detectors, which add `finder`.

    The squares around the spots are covered by tiles, each read with a margin in which nuclei are
    seen whole; a nucleus belongs to the tile that holds its centroid. Of HEST's stored patches,
    which overlap too, it belongs to the patch in whose square it lies most centrally; there the
    border of a patch cuts nuclei.

    Args:
        around_um: side of the square around each spot in which nuclei are looked for (um).
        mpp: pixel size at which the detector looks (um per px); a coarser image is taken as it is.
        margin_um: what a tile must see beyond its border (um).
        workers: threads.
        tile_px: side of a tile, a multiple of 8 px at `mpp`. The result does not depend on it.
    """

    name: str

    def __init__(
        self, around_um: float, mpp: float, margin_um: float, workers: int, tile_px: int
    ) -> None:
        self.around_um = float(around_um)
        self.mpp = mpp
        self.margin_um = margin_um
        self.workers = workers
        self.tile_px = tile_px

    def identity(self, section: Section) -> dict[str, Any]:
        """Where and at what pixel size nuclei are looked for; detectors add their own settings."""
        return {"around_um": self.around_um, "mpp": self.mpp}

    def finder(self, section: Section) -> Finder:
        """The function that finds the nuclei of a picture of this section; called by several
        threads.
        """
        raise NotImplementedError

    def expected_seconds(self, section: Section) -> float | None:
        """None: detection may always be tried, unless a detector says otherwise."""
        return None

    def nuclei(self, section: Section) -> NucleiTable:
        """Nuclei found in the image, or in HEST's stored patches where there is no image.

        Raises:
            InputError: spots outside the image, or stored patches that are too small.
        """
        return (
            self._in_stored_patches(section) if section.image is None else self._in_image(section)
        )

    def megapixels(self, section: Section) -> float:
        """What the detector has to look at, margins included."""
        if section.image is None:
            return len(section.adata) * (self.around_um / self.mpp) ** 2 / 1e6
        grid = working_grid(open_image(section.image), section.mpp, self.mpp)
        boxes = boxes_around(grid, section.pos_px, self.around_um, self.tile_px)
        sides = boxes[:, 2:] - boxes[:, :2] + 2 * self.margin_um / grid.mpp
        return float(sides.prod(axis=1).sum() / 1e6)

    def _in_image(self, section: Section) -> NucleiTable:
        image = open_image(section.pixels)
        check_spots(section, *image.size)
        grid = working_grid(image, section.mpp, self.mpp)
        boxes = boxes_around(grid, section.pos_px, self.around_um, self.tile_px)
        margin = ALIGN * round(np.ceil(self.margin_um / grid.mpp / ALIGN))
        find = self.finder(section)

        def search(box: Box) -> NucleiTable:
            window = box + np.array([-margin, -margin, margin, margin])
            table = find(grid.read(image, window), grid.mpp)
            place = table.centroids + window[:2]
            in_box = ((place >= box[:2]) & (place < box[2:])).all(axis=1)
            return table.keep(in_box).moved(window[:2], grid.scale)

        with (
            ThreadPoolExecutor(self.workers) as pool,
            self._bar(section, len(boxes), "tile") as bar,
        ):
            nuclei = join([_counted(table, bar) for table in pool.map(search, boxes)])
        inside = ((nuclei.centroids >= 0) & (nuclei.centroids < image.size)).all(axis=1)
        return nuclei.keep(inside & self._around_spots(section, nuclei.centroids))

    def _in_stored_patches(self, section: Section) -> NucleiTable:
        spec = PatchSpec(self.around_um, round(self.around_um / self.mpp))
        find = self.finder(section)
        tree = cKDTree(section.pos_px)

        def search(spot: int, patch: NDArray[np.uint8]) -> NucleiTable:
            scale = spec.mpp / section.mpp
            corner = section.pos_px[spot] / scale - spec.px / 2
            table = find(patch, spec.mpp).moved(corner, scale)
            return table.keep(tree.query(table.centroids, p=np.inf)[1] == spot)

        with self._bar(section, len(section.adata), "patch") as bar:
            return join(
                [_counted(search(spot, patch), bar) for spot, patch in _one_by_one(section, spec)]
            )

    def _around_spots(self, section: Section, centroids: Floats) -> NDArray[np.bool_]:
        reach = self.around_um / 2 / section.mpp
        distance, _ = cKDTree(section.pos_px).query(centroids, p=np.inf)
        return np.asarray(distance <= reach)

    def _bar(self, section: Section, total: int, unit: str) -> Any:
        return progress_bar(total, unit, f"nuclei-{self.name} {section.section_id}")


def _counted(table: NucleiTable, bar: Any) -> NucleiTable:
    bar.update()
    return table


def _one_by_one(section: Section, spec: PatchSpec) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for spots, patches in iterate_patches(section, spec, STORED_BATCH):
        yield from zip(spots.tolist(), patches, strict=True)
