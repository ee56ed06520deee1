"""Visium HD: Space Ranger `outs/binned_outputs/square_016um/`, whose bins, or pools of them, are
the spots.
"""

from pathlib import Path

import numpy as np
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.readers.common import read_json
from hespotex.sections.readers.groups import Groups
from hespotex.sections.readers.pictures import Images
from hespotex.sections.readers.spaceranger.files import Spots, read_positions, read_spots
from hespotex.sections.readers.spaceranger.find import find_file, need_file
from hespotex.sections.readers.spaceranger.visium import VisiumReader


class VisiumHDReader(VisiumReader):
    """As `VisiumReader`, for folders with `binned_outputs/`.

    Args:
        root, images, groups, sections, check_frame: see `VisiumReader`.
        mpp: um per px; by default the `microns_per_pixel` of the scale factors.
        bin_um: side of the bins to read: 16 or 8 (2 needs much memory).
        pool: this many bins along each side become one spot: counts are summed, the position is the
          block's middle.
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
    ) -> None:
        if pool < 1:
            raise InputError(
                f"data.reader.pool={pool}: expected 1 or more bins along each side of a spot"
            )
        super().__init__(root, images, groups, mpp, sections, check_frame)
        self.bin_um = bin_um
        self.pool = pool
        self.pitch_um = self.spot_diameter_um = float(bin_um * pool)

    def _counts_folder(self, section_id: str, outs: Path) -> Path:
        binned = need_file(outs, "binned_outputs")
        folder = binned / f"square_{self.bin_um:03d}um"
        if not folder.is_dir():
            found = sorted(p.name for p in binned.iterdir())
            raise InputError(
                f"{section_id}: no {folder.name} in {binned}, found {found}; set data.reader.bin_um"
            )
        told = read_json(need_file(folder, "scalefactors_json.json")).get(
            "bin_size_um", self.bin_um
        )
        if told != self.bin_um:
            raise InputError(
                f"{folder}: expected bins of {self.bin_um} um, but the scale factors say {told} um"
            )
        return folder

    def _spots(self, section_id: str, outs: Path) -> tuple[Path, Spots]:
        folder = self._counts_folder(section_id, outs)
        spots = read_spots(section_id, folder)
        return folder, spots if self.pool == 1 else self._pooled(spots, folder)

    def _pooled(self, spots: Spots, folder: Path) -> Spots:
        """Blocks of pool x pool bins; their middle is the mean over all bins of the block, also
        those off the tissue.
        """
        table = read_positions(
            need_file(folder, "tissue_positions.parquet", "tissue_positions.csv")
        )
        names = ["pxl_col_in_fullres", "pxl_row_in_fullres"]
        middle = (
            table[names]
            .groupby([table["array_row"] // self.pool, table["array_col"] // self.pool])
            .mean()
        )
        # rows, then columns
        blocks, block_of = np.unique(spots.array[:, ::-1] // self.pool, axis=0, return_inverse=True)
        entries = (np.ones(len(spots.array)), (block_of.ravel(), np.arange(len(spots.array))))
        counts = sparse.csr_matrix(sparse.csr_matrix(entries) @ spots.counts)
        barcodes = [
            f"s_{self.bin_um * self.pool:03d}um_{row:05.0f}_{column:05.0f}-1"
            for row, column in blocks
        ]
        pos = middle.loc[list(map(tuple, blocks))].to_numpy(float)
        return Spots(barcodes, spots.genes, counts, pos, blocks[:, ::-1])

    def _is_outs(self, folder: Path) -> bool:
        return find_file(folder, "binned_outputs") is not None

    def _layout(self) -> str:
        return "Visium HD outs/ (binned_outputs/square_016um/; for Visium use data=visium)"
