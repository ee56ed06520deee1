"""From the scores of single runs to numbers that can be quoted: tidy tables by section, model and
gene.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from hespotex.records.record import RunRecord, Runs
from hespotex.records.runs import RESIDUALS, ROLES, read_genes
from hespotex.results.tables.statistics import bootstrap_interval, sign_flip

REFERENCE = "ridge"  # what gains are paired with
NOT_METRICS = ("fold_strategy", "model", "role", "fold", "seed", "folder", "section_id", "group")


def section_table(runs: Runs, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per run and test section: fold strategy, model, fold, seed, section, group, metrics,
    PCC on shared and on common genes.

    Shared genes are those that every model predicted and could be scored on for the section, under
    one fold strategy, so that panels of different size can be compared. A model that predicts
    constants takes no part in this. Common genes are those in the panel of every fold of a model.

    Args:
        scores: `gene_scores` of the runs.
    """
    rows = [
        {
            **{name: getattr(run, name) for name in ("fold_strategy", "model", "role", "seed")},
            "folder": str(run.folder),
            "fold": run.fold,
            **section,
        }
        for run in runs
        for section in run.sections
    ]
    place = ["fold_strategy", "section_id"]
    run_of = ["fold_strategy", "section_id", "model", "seed"]
    genes = scores.dropna(subset="pcc")
    n_models = genes.groupby([*place, "gene"])["model"].transform("nunique")
    n_expected = genes.groupby(place)["model"].transform("nunique")
    shared = (
        genes[n_models == n_expected]
        .groupby(run_of)["pcc"]
        .agg(pcc_shared="mean", n_shared="size")
        .reset_index()
    )
    common = _in_every_fold(scores).groupby(run_of)["pcc"].agg(pcc_common="mean", n_common="size")
    table = pd.DataFrame(rows).merge(shared, on=run_of, how="left")
    table = table.merge(common.reset_index(), on=run_of, how="left")
    return table.assign(n_common=table["n_common"].fillna(0).astype(int))


def _in_every_fold(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of genes that are in the panel of every fold of their model: each test section has
    one for each gene of its fold's panel.
    """
    model = ["fold_strategy", "model"]
    sections = scores.groupby([*model, "gene"])["section_id"].transform("nunique")
    return scores[sections == scores.groupby(model)["section_id"].transform("nunique")]


def model_table(sections: pd.DataFrame, runs: Runs, genes: pd.DataFrame) -> pd.DataFrame:
    """One row per fold strategy and model; models first, then baselines, controls and the ceiling,
    the best first.

    Every metric is averaged over seeds inside a section, over sections inside a group, and over
    groups; `pcc_sections`
    is the mean over sections. `low`, `high`: 95 % interval of `pcc_gene`, bootstrap over groups, of
    which `n_groups` have a value; the sections `without_value` have none. `gain`, `gain_low`,
    `gain_high`: the same of the paired difference to ridge on shared genes; `gain_p`: sign-flip
    test over the sections. `genes_found`: genes with a PCC above 0 at a false discovery rate of 5
    %, of the `genes_tested` that have a p (`gene_table`).
    """
    rows = []
    for (strategy, model), rows_of_model in sections.groupby(
        ["fold_strategy", "model"], sort=False
    ):
        mine = [run for run in runs if (run.fold_strategy, run.model) == (strategy, model)]
        table = by_section(rows_of_model)
        groups = table.drop(columns="section_id").groupby("group").mean()
        low, high = bootstrap_interval(groups["pcc_gene"].to_numpy())
        genes_of_model = genes[(genes["fold_strategy"] == strategy) & (genes["model"] == model)]
        rows.append(
            {"fold_strategy": strategy, "model": model, "role": mine[0].role}
            | groups.mean().to_dict()
            | {"low": low, "high": high, "n_groups": int(groups["pcc_gene"].notna().sum())}
            | {"pcc_sections": table["pcc_gene"].mean()}
            | {"without_value": sorted(table["section_id"][table["pcc_gene"].isna()])}
            | _gain(
                table,
                by_section(
                    sections[(sections["fold_strategy"] == strategy)], reference(str(model))
                ),
            )
            | {
                "genes_found": int(genes_of_model["found"].sum()),
                "genes_tested": int(genes_of_model["q"].notna().sum()),
                "genes_partly": _partly(genes_of_model),
            }
            | _about(mine)
        )
    table = pd.DataFrame(rows)
    table["role"] = pd.Categorical(table["role"], ROLES, ordered=True)
    table = table.sort_values(
        ["fold_strategy", "role", "pcc_gene"], ascending=[False, True, False], ignore_index=True
    )
    return table.astype({"role": str})


def _partly(genes: pd.DataFrame) -> int:
    """How many genes some sections did not measure."""
    counts = genes["measured_sections"]
    return int((counts < counts.max()).sum())


def by_section(sections: pd.DataFrame, model: str | None = None) -> pd.DataFrame:
    """Metrics of each test section, seeds averaged: columns `section_id`, `group` and the
    metrics.
    """
    selection = sections if model is None else sections[sections["model"] == model]
    numbers = selection[[name for name in selection if name not in NOT_METRICS]].columns
    return selection.groupby(["section_id", "group"])[list(numbers)].mean().reset_index()


def reference(model: str) -> str:
    """Ridge on the same embeddings and the same target."""
    name, _, encoder = model.partition(", ")
    ridge = REFERENCE + (RESIDUALS if name.endswith(RESIDUALS) else "")
    return f"{ridge}, {encoder}" if encoder else ridge


def _gain(table: pd.DataFrame, baseline: pd.DataFrame) -> dict[str, Any]:
    """Paired difference to the reference, section by section."""
    pairs = table.merge(
        baseline[["section_id", "pcc_shared"]], on="section_id", suffixes=("", "_reference")
    )
    pairs = pairs.assign(gain=pairs["pcc_shared"] - pairs["pcc_shared_reference"]).dropna(
        subset="gain"
    )
    groups = pairs.groupby("group")["gain"].mean().to_numpy()
    low, high = bootstrap_interval(groups)
    return {
        "gain": float(groups.mean()) if len(groups) else np.nan,
        "gain_low": low,
        "gain_high": high,
        "gain_p": sign_flip(pairs["gain"].to_numpy()) if (pairs["gain"] != 0).any() else np.nan,
        "n_paired": len(pairs),
    }


def _about(runs: Runs) -> dict[str, Any]:
    """Seeds, folds and leaks of one model, and its cost a run."""
    done = {run.fold for run in runs}
    planned = max(run.split.n_folds for run in runs)
    count = Counter(leak for run in runs for leak in run.leaks)
    costs = pd.DataFrame([{**run.cost, "seconds": run.seconds} for run in runs])
    return {
        "n_seeds": len({run.seed for run in runs}),
        "missing_folds": sorted(set(range(planned)) - done),
        "leaks": [f"{leak} (in {n} of {len(runs)} runs)" for leak, n in sorted(count.items())],
        **{str(name): value for name, value in costs.mean().items()},
    }


def gene_scores(runs: Runs) -> pd.DataFrame:
    """A row per run, test section and gene: what `per_gene.csv` holds, with fold strategy, model,
    seed and group.
    """
    return pd.concat([_gene_scores_of(run) for run in runs])


def _gene_scores_of(run: RunRecord) -> pd.DataFrame:
    names = ("fold_strategy", "model", "seed")
    groups = {section["section_id"]: section["group"] for section in run.sections}
    table = read_genes(run.folder).assign(**{name: getattr(run, name) for name in names})
    return table.assign(group=table["section_id"].map(groups))
