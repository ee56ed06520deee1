"""Where the programmes of a sweep are written, and what stands there."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = "programmes"  # below the sweep's folder
FILE = f"{FOLDER}/programmes.csv"
GENES = f"{FOLDER}/genes.csv"
SAID = 2  # of what the image is like, in the reason of a gene
LEAST_PCC = 0.2  # on left-out sections, below which a programme is doubted
log = logging.getLogger(__name__)
COLUMNS = {
    "programme": "its number, by share",
    "share": "of the variance of all genes' predictions within training sections",
    "pcc": "of its predicted with its measured score on left-out sections, mean over groups",
    "returned": "folds whose own model has it (|r| of loadings over genes of 0.5 or more)",
    "n_folds": "folds",
    "genes_up": "genes of the largest loadings, largest first",
    "genes_down": "the same at the other end",
    "seen": "what the image is like where it is high, by named statistics",
    "gene_sets": "gene sets at either end, at a false discovery rate of 5 %",
    "model": "whose predictions these are",
    "fold_strategy": "how its test sections were left out",
    "leaks": "what its runs have seen of their test sections, so that pcc is too good",
    "section": "that the map is of: the one whose PCC is in the middle",
}
EXPLAINED = (
    "A programme is a direction of gene space along which the predictions vary: a principal factor"
    " of all genes' predictions within training sections, rotated (varimax) so that few genes stand"
    " out. Share: of that variance. r: its predicted with its measured score over the spots of"
    " sections that the model never saw, mean over groups. Returned: folds whose own model has it."
    " What the image is like: correlation of the score on left-out sections with named statistics"
    " of stain, colour and nuclei; it says what goes together, not what causes what."
)


def read_programmes(folder: Path) -> pd.DataFrame | None:
    """The table of a sweep; None where it was not asked for, or is not as it was written."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        table = pd.read_csv(file, keep_default_na=False, na_values={"pcc": ""})
    except ValueError:
        table = pd.DataFrame()
    if missing := [name for name in COLUMNS if name not in table]:
        log.warning(
            "%s is left out of the report, it lacks %s: python -m hespotex.explain %s writes it",
            *(file, ", ".join(missing), folder),
        )
        return None
    return table


def read_gene_programmes(folder: Path) -> pd.DataFrame | None:
    """`genes.csv` of the programmes, by gene; None where it is not there, or not as it was written.

    Its columns: `programme`, `share`, `seen`, and `programme_1` and so on, the loadings.
    """
    file = folder / GENES
    if not file.is_file():
        return None
    try:
        table = pd.read_csv(file, dtype={"gene": str}, keep_default_na=False)
    except ValueError:
        return None
    if not {"gene", "programme", "share", "seen", "programme_1"} <= set(table):
        return None
    return table.set_index("gene")


def loadings_of(genes: pd.DataFrame) -> pd.DataFrame:
    """Genes down, programmes across, from such a table."""
    return genes.filter(regex=r"^programme_\d+$").astype(float)


def because(row: Mapping[Any, Any]) -> str:
    """Why a gene is predicted as it is: what the image is like where it is predicted high, and the
    programme that says most of its prediction.

    Args:
        row: of `read_gene_programmes`.
    """
    seen = ", ".join(str(row["seen"]).split(", ")[:SAID])
    side = "the low end of " if row[f"programme_{row['programme']}"] < 0 else ""
    part = f"{side}programme {row['programme']} ({row['share']:.0%} of its prediction)"
    return f"{seen}; {part}" if seen else part


def picture_of(folder: Path, programme: int) -> Path:
    """The map of a programme."""
    return folder / FOLDER / f"programme_{programme}.png"


def patches_of(folder: Path, programme: int) -> Path:
    """The patches at both ends of a programme."""
    return folder / FOLDER / f"programme_{programme}_patches.png"


def in_lines(table: pd.DataFrame) -> list[str]:
    """A paragraph for each programme."""
    return [f"{title_of(row)}\n  " + "\n  ".join(about(row)) for row in table.to_dict("records")]


def title_of(row: Mapping[Any, Any]) -> str:
    """A programme's number, its share, how well it is predicted, and whether it returns."""
    return (
        f"Programme {row['programme']}: {row['share']:.0%} of the predictions' variance, r ="
        f" {row['pcc']:.2f} on left-out sections, in {row['returned']} of {row['n_folds']} folds"
    )


def about(row: Mapping[Any, Any]) -> list[str]:
    """What is `described`, and why to doubt it, a sentence each."""
    doubt = _doubt(row)
    return [*described(row), *([f"Not to be relied on: {doubt}."] if doubt else [])]


def described(row: Mapping[Any, Any]) -> list[str]:
    """Its genes, what the image is like, and its gene sets, a sentence each."""
    sentences = {
        "Genes up": row["genes_up"].replace(" ", ", "),
        "Genes down": row["genes_down"].replace(" ", ", "),
        "High where there are": row["seen"],
        "Gene sets": row["gene_sets"],
    }
    return [f"{heading}: {words}." for heading, words in sentences.items() if words]


def _doubt(row: Mapping[Any, Any]) -> str:
    """Why a programme may be of its training sections alone; empty if nothing says so."""
    reasons = {
        "its score is hardly predicted on left-out sections": not row["pcc"] >= LEAST_PCC,
        "half of the folds or fewer have it": row["returned"] * 2 <= row["n_folds"],
    }
    return " and ".join(words for words, holds in reasons.items() if holds)
