"""Claims about single genes, with a false discovery rate."""

import numpy as np
import pandas as pd

from hespotex.results.tables.aggregate import reference
from hespotex.results.tables.statistics import Array, benjamini_hochberg, t_test

FDR = 0.05
COUNTS = {
    "measured_sections": "max",
    "measured_groups": "max",
    "trained_sections": "min",
    "trained_groups": "min",
}
MEANS = ("r2", "noise_ceiling")  # over sections
GENE = ["fold_strategy", "model", "gene"]


def gene_table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per fold strategy, model and gene.

    `pcc`: mean over test sections, `n_sections` of them, of `n_groups`, have one. `p`: one-sided
    t-test over sections of "its PCC is above 0", `q`: the same by Benjamini-Hochberg over the genes
    of the model, `found`: q at most 5 %. `gain`, `gain_p`, `gain_q`: the paired difference to
    ridge, two-sided. The section is the unit: sections of one patient are no independent witnesses,
    so with few patients these claims are about these patients. `r2`, `noise_ceiling`: means over
    test sections; with an R2 below 0 the section's own mean is the better guess.

    `measured_sections`, `measured_groups`: how many measured the gene; `trained_sections`,
    `trained_groups`: how many of those that train, in the fold with the fewest.

    Args:
        scores: see `gene_scores`.
    """
    wide = scores.groupby([*GENE, "section_id"])["pcc"].mean().unstack("section_id")
    others = pd.MultiIndex.from_arrays(
        [
            wide.index.get_level_values(0),
            wide.index.get_level_values(1).map(reference),
            wide.index.get_level_values(2),
        ]
    )
    pcc = wide.to_numpy()
    gain = pcc - wide.reindex(others).to_numpy()
    table = wide.index.to_frame(index=False).assign(
        pcc=_mean(pcc), n_sections=np.isfinite(pcc).sum(axis=1),
        n_groups=_n_groups(scores).reindex(wide.index, fill_value=0).to_numpy(),
        p=t_test(pcc, "greater"),
        gain=_mean(gain), gain_p=t_test(gain, "two-sided"),
    )  # fmt: skip
    for p, q in (("p", "q"), ("gain_p", "gain_q")):
        table[q] = table.groupby(GENE[:2])[p].transform(
            lambda values: benjamini_hochberg(values.to_numpy())
        )
    return table.assign(found=table["q"] <= FDR, **_means(scores), **_counts(scores))


def _n_groups(scores: pd.DataFrame) -> "pd.Series[int]":
    """Groups where the gene has a PCC, by `GENE`; a gene without any is not there."""
    return scores.dropna(subset="pcc").groupby(GENE)["group"].nunique()


def _means(scores: pd.DataFrame) -> dict[str, Array]:
    """Of each row of the table, seeds averaged first; NaN for runs of before these columns."""
    columns = scores.reindex(columns=[*GENE, "section_id", *MEANS])
    sections = columns.groupby([*GENE, "section_id"])[list(MEANS)].mean()
    means = sections.groupby(GENE).mean()
    return {name: means[name].to_numpy() for name in MEANS}


def _counts(scores: pd.DataFrame) -> dict[str, Array]:
    """Of each row of the table; NaN for runs of before these columns."""
    columns = scores.reindex(columns=[*GENE, *COUNTS])
    counts = columns.groupby(GENE).agg(COUNTS)
    return {name: counts[name].to_numpy() for name in COUNTS}


def _mean(values: Array) -> Array:
    """Mean of each row's values that are there."""
    finite = np.isfinite(values)
    n = finite.sum(axis=1)
    return np.where(n > 0, np.where(finite, values, 0).sum(axis=1) / np.maximum(n, 1), np.nan)
