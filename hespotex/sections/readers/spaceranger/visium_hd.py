"""Visium HD: Space Ranger `outs/binned_outputs/square_016um/`, whose bins, or pools of them, are
the spots; or the cells of Space Ranger 4.
"""

import logging
from pathlib import Path

import numpy as np
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.common import read_json
from hespotex.sections.readers.groups import Groups
from hespotex.sections.readers.pictures import Images
from hespotex.sections.readers.spaceranger.cells import FOLDER as CELLS
from hespotex.sections.readers.spaceranger.cells import (
    POSITIONS,
    cells_files,
    cells_matrix,
    read_cells,
)
from hespotex.sections.readers.spaceranger.files import Spots, read_positions, read_spots
from hespotex.sections.readers.spaceranger.find import find_file, need_file
from hespotex.sections.readers.spaceranger.matrix import matrix_genes
from hespotex.sections.readers.spaceranger.visium import SCALE, VisiumReader
from hespotex.sections.scale import pitch_px

log = logging.getLogger(__name__)
UNITS = ("bins", "cells")


class VisiumHDReader(VisiumReader):
    """As `VisiumReader`, for folders with `binned_outputs/`.

    Args:
        root, images, groups, sections, check_frame: see `VisiumReader`.
        mpp: um per px; by default the `microns_per_pixel` of the scale factors.
        bin_um: side of the bins to read: 16 or 8 (2 needs much memory).
        pool: this many bins along each side become one spot: counts are summed, the position is the
          block's middle.
        unit: "bins", or "cells" as Space Ranger 4 segments them; a run without cells gives its
          bins, with a warning.
    """

    step = (1.0, 1.0)

    def __init__(
        self,
        root: str,
        images: Images = None,
        groups: Groups = None,
        mpp: float | None = None,
        sections: list[str] | None = None,
        bin_um: int = 16,
        pool: int = 1,
        check_frame: bool = True,
        unit: str = "bins",
    ) -> None:
        if unit not in UNITS:
            raise InputError(f"data.reader.unit={unit!r}: expected {' or '.join(UNITS)}")
        if pool < 1:
            raise InputError(
                f"data.reader.pool={pool}: expected 1 or more bins along each side of a spot"
            )
        super().__init__(root, images, groups, mpp, sections, check_frame)
        self.unit = unit
        self.bin_um = bin_um
        self.pool = pool
        self.pitch_um = self.spot_diameter_um = float(bin_um * pool)

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        cells = self._cells(section_id, self._outs[section_id], say=False)
        return matrix_genes(cells_matrix(section_id, cells)) if cells else super().genes(section_id)

    def _files(self, section_id: str, outs: Path) -> list[Path]:
        """Those of the bins, or of the cells and of whatever tells where these are."""
        cells = self._cells(section_id, outs, say=False)
        if cells is None:
            return super()._files(section_id, outs)
        return [*cells_files(section_id, cells), need_file(cells, SCALE)]

    def _how(self) -> str:
        return f"{self.unit} {self.bin_um} {self.pool}"

    def _cells(self, section_id: str, outs: Path, say: bool = True) -> Path | None:
        """`segmented_outputs/`, where cells are asked for and there; says where they are not."""
        if self.unit == "bins":
            return None
        path = find_file(outs, CELLS)
        if path is None and say:
            log.warning(
                "%s: no %s in %s: bins of %d um are read instead of cells",
                section_id,
                CELLS,
                outs,
                self.bin_um,
            )
        return path

    def _ruler(self, outs: Path, spots: Spots) -> tuple[float, float | None]:
        """Cells are no ruler: the bins beside them are, where they were kept."""
        if spots.array is not None:
            return super()._ruler(outs, spots)
        for side in (16, 8):
            binned = outs / "binned_outputs" / f"square_{side:03d}um"
            if file := find_file(binned, *POSITIONS):
                bins = read_positions(file)
                pos = bins[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
                array = bins[["array_col", "array_row"]].to_numpy(float)
                return pitch_px(pos, array, self.step), float(side)
        return pitch_px(spots.pos_px), None

    def _counts_folder(self, section_id: str, outs: Path) -> Path:
        binned = need_file(outs, "binned_outputs")
        folder = binned / f"square_{self.bin_um:03d}um"
        if not folder.is_dir():
            bins = sorted(p.name for p in binned.iterdir())
            raise InputError(
                f"{section_id}: no {folder.name} in {binned}, found {bins}; set data.reader.bin_um"
            )
        bin_um = read_json(need_file(folder, SCALE)).get("bin_size_um", self.bin_um)
        if bin_um != self.bin_um:
            raise InputError(
                f"{folder}: expected bins of {self.bin_um} um, but the scale factors say"
                f" {bin_um} um"
            )
        return folder

    def _spots(self, section_id: str, outs: Path) -> tuple[Path, Spots]:
        if cells := self._cells(section_id, outs):
            return cells, read_cells(section_id, cells)
        folder = self._counts_folder(section_id, outs)
        spots = read_spots(section_id, folder)
        return folder, spots if self.pool == 1 else self._pooled(spots, folder)

    def _pooled(self, spots: Spots, folder: Path) -> Spots:
        """Blocks of pool x pool bins; their middle is the mean over all bins of the block, also
        those off the tissue.
        """
        table = read_positions(need_file(folder, *POSITIONS))
        array = np.asarray(spots.array)
        names = ["pxl_col_in_fullres", "pxl_row_in_fullres"]
        middle = (
            table[names]
            .groupby([table["array_row"] // self.pool, table["array_col"] // self.pool])
            .mean()
        )
        # rows, then columns
        blocks, block_of = np.unique(array[:, ::-1] // self.pool, axis=0, return_inverse=True)
        entries = (np.ones(len(array)), (block_of.ravel(), np.arange(len(array))))
        counts = sparse.csr_matrix(sparse.csr_matrix(entries) @ spots.counts)
        barcodes = [
            f"s_{self.bin_um * self.pool:03d}um_{row:05.0f}_{column:05.0f}-1"
            for row, column in blocks
        ]
        pos = middle.loc[list(map(tuple, blocks))].to_numpy(float)
        return Spots(barcodes, spots.genes, counts, pos, blocks[:, ::-1])

    def _is_outs(self, folder: Path) -> bool:
        return find_file(folder, "binned_outputs", CELLS) is not None

    def _layout(self) -> str:
        return "Visium HD outs/ (binned_outputs/square_016um/; for Visium use data=visium)"
