"""What each gene has earned in cross-validation, so that a reader of a map knows which to
believe.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from hespotex.records.layout import METRICS, home_of
from hespotex.records.runs import read_run
from hespotex.results.tables.final import FACTS as FINAL_FACTS
from hespotex.results.tables.final import cross_validated_genes, read_final_genes
from hespotex.results.tables.markdown import number

# columns of `var` in the table of a predicted slide, by those of `genes.csv`
COLUMNS = {
    "pcc": "test_pcc",
    "low": "low",
    "high": "high",
    "r2": "test_r2",
    "noise_ceiling": "test_ceiling",
    "n_sections": "test_sections",
    "q": "q",
    "found": "found",
    "scored": "scored",
}
FOUND = "found"
NOT_FOUND = "not found"
UNSCORED = "never scored"
FEW = 20  # genes that `first_genes` names
UNKNOWN = "no score"  # none lies with the model, or one section alone


@dataclass(frozen=True)
class Earned:
    """What a gene has earned, in words.

    Attributes:
        state: `FOUND`, `NOT_FOUND`, `UNSCORED` or `UNKNOWN`.
        short: for a list of genes.
        sentence: for whoever looks at its map.
    """

    state: str
    short: str
    sentence: str


def gene_evidence(checkpoints: Sequence[Path], genes: list[str]) -> pd.DataFrame:
    """What these genes have earned on sections that were left out, from the scores that training
    left with the checkpoints.

    Args:
        checkpoints: those that predict: a model on all sections, whose `genes.csv` has the scores
          of its folds, or runs, each with those of its own test sections.
        genes: that they predict.

    Returns:
        A row a gene, see `cross_validated_genes`: `test_pcc`, `low`, `high`, `test_r2`,
        `test_ceiling`, `test_sections`, `q`, `found`, `scored`. No rows where no
        scores lie with the checkpoints.
    """
    homes = [home_of(path) for path in checkpoints]
    if len(homes) == 1 and (homes[0] / FINAL_FACTS).is_file():
        return evidence_columns(read_final_genes(homes[0]))
    runs = [read_run(home) for home in homes if (home / METRICS).is_file()]
    runs = [run for run in runs if run.sections]
    return evidence_columns(cross_validated_genes(runs, genes)) if runs else pd.DataFrame()


def evidence_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `cross_validated_genes` as columns of `var`: NaN where a gene was never scored,
    not found where that cannot be said.
    """
    numbers = [name for name in COLUMNS if name not in ("found", "scored")]
    flags = {name: table[name].astype(str).eq("True") for name in ("found", "scored")}
    # models of before 30 November 2026 do not know r2 and noise_ceiling
    table = table.reindex(columns=numbers).astype(float).assign(**flags)
    return table[list(COLUMNS)].rename(columns=COLUMNS)


def by_evidence(table: ad.AnnData, genes: Sequence[str]) -> list[str]:
    """The genes in the order in which to believe them: those that were found, then the others, each
    by decreasing cross-validated PCC; without one they keep their order, at the end.
    """
    if "test_pcc" not in table.var:
        return list(genes)
    known = table.var.loc[list(genes)]
    pcc = known["test_pcc"].fillna(-np.inf).to_numpy(dtype=float)
    order = np.lexsort((-pcc, ~known["found"].to_numpy(dtype=bool)))  # the last key goes first
    return [genes[i] for i in order]


def first_genes(table: ad.AnnData, asked: Sequence[str]) -> list[str]:
    """The few genes that are written where all would be too many: the best predicted of those that
    were asked for, or without any the best predicted of those that were found.
    """
    if asked:
        return by_evidence(table, asked)[:FEW]
    if "found" not in table.var:
        return []
    found = table.var_names[table.var["found"].to_numpy(dtype=bool)]
    return by_evidence(table, [str(gene) for gene in found])[:FEW]


def earned(table: ad.AnnData, gene: str) -> Earned:
    """What a gene of a predicted slide has earned, in words."""
    if "scored" not in table.var:
        return Earned(UNKNOWN, "", "No score of cross-validation lies with the model.")
    row: Mapping[Hashable, Any] = table.var.loc[gene].to_dict()
    if not row["scored"]:
        words = "Never scored in cross-validation: how well it is predicted is not known."
        return Earned(UNSCORED, UNSCORED, words)
    return _scored(row)


def _scored(row: Mapping[Hashable, Any]) -> Earned:
    pcc = number(row["test_pcc"], ".2f")
    n = int(row["test_sections"])
    sections = f"{n} section{'s' if n > 1 else ''}"
    told = f"Cross-validated PCC {pcc} ({_interval(row)}) over {sections} left out"
    told += _of_ceiling(row)
    if not np.isfinite(row["q"]):
        sentence = f"{told}: whether it is above 0 cannot be said."
        return Earned(UNKNOWN, f"{pcc} on {sections}", sentence)
    if not row["found"]:
        words = f"{told}: not found to be above 0, so its map may mean nothing."
        return Earned(NOT_FOUND, f"{pcc} {NOT_FOUND}", words)
    return Earned(FOUND, f"{pcc} {FOUND}", f"{told}: found.{_level(row)}")


def _of_ceiling(row: Mapping[Hashable, Any]) -> str:
    """The share of what could be reached, where that is known."""
    ceiling = row.get("test_ceiling", np.nan)
    if not ceiling > 0:
        return ""
    share = f"{row['test_pcc'] / ceiling:.0%}" if row["test_pcc"] > 0 else "none"
    return f", {share} of the {ceiling:.2f} that the noise of counting leaves"


def _level(row: Mapping[Hashable, Any]) -> str:
    """That the gene's level is no measurement, where cross-validation says so."""
    r2 = row.get("test_r2", np.nan)
    if not r2 < 0:
        return ""
    return f" Its level is not predicted (R2 {r2:.2g})."


def _interval(row: Mapping[Hashable, Any]) -> str:
    if not np.isfinite(row["low"]):
        return "one patient, no interval"
    return f"95 % interval {row['low']:.2f} to {row['high']:.2f}"


def genes_in_words(var: pd.DataFrame) -> str:
    """How many genes there are, and what they have earned."""
    if "scored" not in var:
        return f"{len(var):,}, none with a score of cross-validation"
    n_scored = int(var["scored"].sum())
    never = len(var) - n_scored
    n_tested = int(var["q"].notna().sum())
    n_found = int(var["found"].sum())
    found = f"found {n_found:,} of the {n_tested:,} that two or more sections scored"
    text = f"{len(var):,}, of which cross-validation scored {n_scored:,}; {found}"
    return f"{text}; {never:,} were never scored"
