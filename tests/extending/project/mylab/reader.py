"""A reader: `ROOT/PATIENT_NUMBER.csv`, a row a spot with barcode, x, y (px) and the counts, and a tif of the same name."""

from pathlib import Path

import pandas as pd
from scipy.sparse import csr_matrix

from hespotex.data.section import Section, SectionKey, make_adata


class CsvReader:
    def __init__(self, root: str, mpp: float, pitch_um: float) -> None:
        self.root, self.mpp, self.pitch_um = Path(root), mpp, pitch_um

    def section_keys(self) -> list[SectionKey]:
        return [SectionKey(path.stem, group=path.stem.split("_")[0]) for path in sorted(self.root.glob("*.csv"))]

    def read(self, section_id: str) -> Section:
        table = pd.read_csv(self.root / f"{section_id}.csv", index_col="barcode")
        counts = table.drop(columns=["x", "y"])
        adata = make_adata(csr_matrix(counts.to_numpy()), list(table.index), list(counts.columns), table[["x", "y"]].to_numpy())
        key, image = SectionKey(section_id, section_id.split("_")[0]), self.root / f"{section_id}.tif"
        return Section(key, adata, self.mpp, "the config", self.pitch_um, spot_diameter_um=55, image=image)
