"""A reader: `ROOT/PATIENT_NUMBER.csv`, a row a spot (barcode, x, y in px, counts), and its tif."""

from pathlib import Path

import pandas as pd
from scipy.sparse import csr_matrix

from hespotex.sections.section import Section, SectionKey, make_adata


class CsvReader:
    def __init__(self, root: str, mpp: float, pitch_um: float) -> None:
        self.root = Path(root)
        self.mpp = mpp
        self.pitch_um = pitch_um

    def section_keys(self) -> list[SectionKey]:
        stems = sorted(path.stem for path in self.root.glob("*.csv"))
        return [SectionKey(stem, group=stem.split("_")[0]) for stem in stems]

    def read(self, section_id: str) -> Section:
        table = pd.read_csv(self.root / f"{section_id}.csv", index_col="barcode")
        pos = table[["x", "y"]].to_numpy()
        counts = table.drop(columns=["x", "y"])
        matrix = csr_matrix(counts.to_numpy())
        adata = make_adata(matrix, list(counts.index), list(counts.columns), pos)
        key = SectionKey(section_id, section_id.split("_")[0])
        image = self.root / f"{section_id}.tif"
        return Section(key, adata, self.mpp, "the config", self.pitch_um, 55, image=image)
