"""Gene sets that stand at one end of a programme's genes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from hespotex.common.errors import InputError
from hespotex.programmes.factors import Array
from hespotex.results.tables.statistics import benjamini_hochberg

END = 0.05  # share of the genes that stand at an end
FEWEST_AT_END = 10
FEWEST = 5  # genes of a set in the panel
FOUND = 0.05  # false discovery rate
SHOWN = 3  # sets at each end
COLUMNS = ["programme", "end", "gene_set", "n_genes", "at_end", "n_end", "p"]


@dataclass(frozen=True)
class End:
    """The genes of the largest loadings of a programme, `up` or `down`."""

    programme: int
    name: str
    genes: set[str]


def set_table(
    loadings: Array, genes: Sequence[str], sets: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """A hypergeometric test of each set at both ends of each programme: the largest loadings of
    either sign, a twentieth of the genes.

    `n_genes`: of the set in the panel; `at_end`: of these among the `n_end` genes there; `q`: false
    discovery rate over all sets, programmes and ends (Benjamini-Hochberg).

    Raises:
        InputError: no set has enough genes in the panel.
    """
    known = {name: set(own) & set(genes) for name, own in sets.items()}
    tested = {name: own for name, own in known.items() if len(own) >= FEWEST}
    if not tested:
        raise InputError(
            f"--gene-sets: no set has {FEWEST} genes or more among the {len(genes)} of the model,"
            f" such as {', '.join(genes[:3])}; are their names of the same kind?"
        )
    rows = [_tested(end, tested, len(genes)) for end in _ends(loadings, genes)]
    table = pd.DataFrame([row for own in rows for row in own], columns=COLUMNS)
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    return table.sort_values(["programme", "q"], kind="stable")


def _ends(loadings: Array, genes: Sequence[str]) -> list[End]:
    n = max(round(END * len(genes)), FEWEST_AT_END)
    return [
        End(number, name, {genes[i] for i in np.argsort(-sign * column)[:n]})
        for number, column in enumerate(loadings.T, 1)
        for name, sign in (("up", 1), ("down", -1))
    ]


def _tested(end: End, sets: Mapping[str, set[str]], n_genes: int) -> list[tuple[object, ...]]:
    """A row for each set."""
    n = len(end.genes)
    rows: list[tuple[object, ...]] = []
    for name, own in sets.items():
        found = len(own & end.genes)
        p = float(hypergeom.sf(found - 1, n_genes, len(own), n))
        rows.append((end.programme, end.name, name, len(own), found, n, p))
    return rows


def sets_in_words(table: pd.DataFrame, programme: int) -> str:
    """The clearest sets of one programme, up and down; empty where none is found."""
    own = table[(table["programme"] == programme) & (table["q"] <= FOUND)]
    return "; ".join(
        f"{row.gene_set} {row.end} ({row.at_end} of {row.n_end} genes, q = {row.q:.2g})"
        for _, there in own.groupby("end", sort=False)
        for row in there.head(SHOWN).itertuples()
    )
