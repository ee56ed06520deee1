"""Make the model that comes with HESpotEx: `python experiments/breast_her2st/make.py HER2ST`, where
HER2ST is the folder that holds `ST-cnts/`. Patients are left out, then sections, then the model is
fitted on all of them and packed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
NAME = "breast_her2st"
TISSUE = "HER2-positive breast cancer (legacy spatial transcriptomics, H&E at 0.69 um per px)"
SOURCE = (
    "sections B4 and C2 to C5 of Andersson et al. 2021, Nature Communications 12:6012, as published"
    " at Zenodo 4751624 (CC BY 4.0); the weights are fitted numbers, no image or count is in them"
)
LICENCE = "CC BY 4.0, as the data they were fitted on"


# what people ask of breast slides, by what the genes are known for: neither counts nor scores had a
# say. Not all sections list PGR, KRT5 and KRT14.
MARKERS = (
    *("ERBB2", "GRB7", "ESR1", "EGFR", "MKI67", "TOP2A", "KRT7", "KRT8", "KRT18", "KRT19", "EPCAM"),
    *("CDH1", "GATA3", "FOXA1", "XBP1", "FASN", "GNAS", "VIM", "ACTA2", "COL1A1", "COL3A1", "FN1"),
    *("SPARC", "POSTN", "DCN", "PDGFRB", "PECAM1", "VWF", "PTPRC", "CD3D", "CD3E", "CD4", "CD8A"),
    *("MS4A1", "CD79A", "IGKC", "IGHG1", "CD68", "CD163", "CD74"),
    *("HLA-DRA", "HLA-A", "B2M", "STAT1"),
)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("her2st", type=Path, help="folder that holds ST-cnts/")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="for the runs")
    parser.add_argument(
        "--bundle", type=Path, default=CHECKOUT / "hespotex" / "prediction" / "models" / NAME
    )
    words = parser.parse_args()
    folder = words.outputs / NAME
    cross_validate("leave_one_group_out", "patients", words)
    cross_validate("leave_one_section_out", "sections", words)
    for fold in sorted(folder.glob("patients/*/fold*")):
        run("hespotex.audit", str(fold))
    run("hespotex.finalize", str(folder))
    told = ("--tissue", TISSUE, "--source", SOURCE, "--licence", LICENCE)
    run("hespotex.bundle", str(folder), "--output", str(words.bundle), *told)


def cross_validate(fold: str, name: str, words: argparse.Namespace) -> None:
    """Every fold of one way to split the sections."""
    run(
        *("hespotex.train", "data=her2st", f"data.reader.root={words.her2st.resolve()}"),
        *(f"data.panel.markers=[{','.join(MARKERS)}]", f"fold={fold}", "fold.index=all"),
        *(f"name={NAME}/{name}", f"paths.outputs={words.outputs}"),
    )


def run(*words: str) -> None:
    """One command of HESpotEx."""
    subprocess.run([sys.executable, "-m", *words], check=True)


if __name__ == "__main__":
    main()
