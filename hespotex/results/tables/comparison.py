"""Two sweeps, or two models, paired by fold strategy, section and gene."""

from typing import Any

import numpy as np
import pandas as pd

from hespotex.common.errors import InputError
from hespotex.records.record import RunRecord, Runs
from hespotex.results.report import few_groups
from hespotex.results.tables.aggregate import gene_scores
from hespotex.results.tables.gene_table import FDR
from hespotex.results.tables.markdown import interval, markdown, number
from hespotex.results.tables.statistics import (
    FEW_GROUPS,
    benjamini_hochberg,
    bootstrap_interval,
    sign_flip,
    t_test,
)

PLACE = ["fold_strategy", "section_id"]
SAME = 1e-3  # relative difference of measured means that rounding explains
HEADER = [
    "folds",
    "model A",
    "model B",
    "A",
    "B",
    "B - A",
    "95 % interval",
    "p (sections)",
    "sections",
    "groups",
    "genes better",
    "genes worse",
    "genes tested",
]


def scores(runs: Runs, model: str) -> pd.DataFrame:
    """PCC and measured mean of each gene and test section of one model, seeds averaged.

    Raises:
        InputError: the sweep has no such model.
    """
    runs_of_model = [run for run in runs if run.model == model]
    if not runs_of_model:
        models = ", ".join(dict.fromkeys(run.model for run in runs))
        raise InputError(
            f"no model {model!r}; there are {models}: choose with --model-a and --model-b"
        )
    table = gene_scores(runs_of_model)
    columns = [name for name in ("pcc", "mean_measured") if name in table]
    groups = {
        section["section_id"]: section["group"] for run in runs_of_model for section in run.sections
    }
    means = table.groupby([*PLACE, "gene"])[columns].mean().reset_index()
    return means.assign(group=means["section_id"].map(groups))


def pair(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per fold strategy, section and gene that has a PCC in both: `pcc_a`, `pcc_b`,
    `difference` (b - a).
    """
    both = a.merge(b.drop(columns="group"), on=[*PLACE, "gene"], suffixes=("_a", "_b")).dropna(
        subset=["pcc_a", "pcc_b"]
    )
    both = both.assign(difference=both["pcc_b"] - both["pcc_a"])
    return both[["fold_strategy", "section_id", "group", "gene", "pcc_a", "pcc_b", "difference"]]


def rows(pairs: pd.DataFrame, model_a: str, model_b: str) -> list[list[str]]:
    """Cells of `HEADER`, one row per fold strategy; means over genes, then sections, then
    groups.
    """
    return [
        [str(strategy), model_a, model_b, *_row(pairs_of_strategy)]
        for strategy, pairs_of_strategy in pairs.groupby("fold_strategy")
    ]


def _row(pairs: pd.DataFrame) -> list[str]:
    sections = pairs.groupby(["group", "section_id"])[["pcc_a", "pcc_b", "difference"]].mean()
    groups = sections.groupby("group").mean()
    difference = sections["difference"].to_numpy()
    means = groups.mean()
    better, worse, tested = _genes(pairs)
    return [
        number(means["pcc_a"]),
        number(means["pcc_b"]),
        number(means["difference"], "+.4f"),
        interval(*bootstrap_interval(groups["difference"].to_numpy()), "+.4f"),
        number(sign_flip(difference) if difference.any() else np.nan, ".3g"),
        str(len(sections)),
        str(len(groups)),
        str(better),
        str(worse),
        str(tested),
    ]


def _genes(pairs: pd.DataFrame) -> tuple[int, int, int]:
    """Genes better in B, worse in B at a false discovery rate of 5 %, and tested; t-test over
    sections.
    """
    wide = pairs.pivot(index="gene", columns="section_id", values="difference").to_numpy()
    q = benjamini_hochberg(t_test(wide, "two-sided"))
    mean = np.nanmean(wide, axis=1)
    significant = q <= FDR
    return (
        int((significant & (mean > 0)).sum()),
        int((significant & (mean < 0)).sum()),
        int(np.isfinite(q).sum()),
    )


def warnings(a: Runs, b: Runs, scores_a: pd.DataFrame, scores_b: pd.DataFrame) -> list[str]:
    """What makes the two differ beside the model, or cannot be paired."""
    notes = [_differing(name, a, b) for name in ("data", "unit")]
    notes += [_alone("fold strategies", scores_a["fold_strategy"], scores_b["fold_strategy"])]
    notes += [_alone("sections", scores_a["section_id"], scores_b["section_id"])]
    notes += [
        _alone("genes", scores_a["gene"], scores_b["gene"]),
        _truth(scores_a, scores_b),
        _folds(a, b),
    ]
    notes += [
        f"LEAK in {name}: {leak}" for name, runs in (("A", a), ("B", b)) for leak in _leaks(runs)
    ]
    few = min(len(set(table["group"])) for table in (scores_a, scores_b))
    notes += [few_groups(few).removesuffix(".")] if few < FEW_GROUPS else []
    return [text for text in notes if text]


def _differing(name: str, a: Runs, b: Runs) -> str:
    one, other = ({str(getattr(run, name)) for run in runs} for runs in (a, b))
    return (
        f"{name} differs: {', '.join(sorted(one))} in A, {', '.join(sorted(other))} in B"
        if one != other
        else ""
    )


def _leaks(runs: Runs) -> list[str]:
    return sorted({leak for run in runs for leak in run.leaks})


def _alone(label: str, a: "pd.Series[Any]", b: "pd.Series[Any]") -> str:
    one = set(a)
    other = set(b)
    if one == other:
        return ""
    return (
        f"{label}: {len(one)} in A, {len(other)} in B, {len(one & other)} in both; only those in"
        " both are compared"
    )


def _truth(a: pd.DataFrame, b: pd.DataFrame) -> str:
    """Pairs must be scored against the same measurement."""
    if not {"mean_measured"} <= set(a) & set(b):
        return ""
    both = a.merge(b, on=[*PLACE, "gene"], suffixes=("_a", "_b"))
    one = both["mean_measured_a"]
    other = both["mean_measured_b"]
    differing = both[(one - other).abs() > SAME * np.maximum(one.abs(), other.abs())]
    sections = ", ".join(sorted(set(differing["section_id"])))
    return (
        f"measured expression differs in {sections}: the two are not scored against the same truth"
        if sections
        else ""
    )


def _folds(a: Runs, b: Runs) -> str:
    """Folds that test the same sections, but were trained on others or given other data."""
    one, other = ({_tested(run): run for run in runs} for runs in (a, b))
    shared = sorted(set(one) & set(other))
    texts = {
        "training sections": [key for key in shared if _trained(one[key]) != _trained(other[key])],
        "data fingerprint": [
            key for key in shared if one[key].data_fingerprint != other[key].data_fingerprint
        ],
    }
    return "; ".join(
        f"{name} differs in {len(keys)} of {len(shared)} folds"
        for name, keys in texts.items()
        if keys
    )


def _tested(run: RunRecord) -> tuple[str, ...]:
    return (run.fold_strategy, *sorted(section["section_id"] for section in run.sections))


def _trained(run: RunRecord) -> list[str]:
    return sorted([*run.split.train, *run.split.val])


def table(cells: list[list[str]]) -> str:
    """The comparison as Markdown."""
    return markdown(HEADER, cells)
