"""From the scores of single runs to numbers that can be quoted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.errors import InputError

N_BOOTSTRAP = 2000
REFERENCE = "ridge"


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """`metrics.json` of every finished run below a folder; of runs of one model, fold and seed the newest.

    Raises:
        InputError: no folder, or no finished run in it.
    """
    if not folder.is_dir():
        raise InputError(f"folder not found: {folder}; give the folder of a sweep, such as outputs/demo")
    files = sorted(folder.rglob("metrics.json"), key=lambda path: path.stat().st_mtime)
    runs = {}
    for file in files:
        run = json.loads(file.read_text()) | {"folder": str(file.parent)}
        runs[run["model"], run["encoder"], run["fold_strategy"], run["split"]["index"], run["seed"]] = run
    if not runs:
        raise InputError(f"no finished run (metrics.json) below {folder}")
    return list(runs.values())


def section_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per run and test section: model, fold, seed, section, group, metrics, and PCC on shared genes.

    Shared genes are those that every model of the folder predicted and could be scored on for the section, so
    that panels of different size can be compared.
    """
    rows = [
        {"model": run["model"], "fold": run["split"]["index"], "seed": run["seed"], "folder": run["folder"], **section}
        for run in runs
        for section in run["sections"]
    ]
    table = pd.DataFrame(rows)
    genes = pd.concat([_per_gene(run) for run in runs])
    n_models = genes.groupby(["section_id", "gene"])["model"].transform("nunique")
    wanted = genes.groupby("section_id")["model"].transform("nunique")
    shared = genes[n_models == wanted].groupby(["model", "seed", "section_id"])["pcc"].agg(["mean", "size"]).reset_index()
    shared.columns = pd.Index(["model", "seed", "section_id", "pcc_shared", "n_shared"])
    return table.merge(shared, on=["model", "seed", "section_id"], how="left")


def model_table(sections: pd.DataFrame, runs: list[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """One row per model. Seeds are averaged inside a section, sections inside a group, then groups.

    `low` and `high`: 95 % interval, bootstrap over groups. `gain`: paired mean difference to ridge over sections, on
    shared genes.
    """
    reference = _by_section(sections, REFERENCE)
    rows = []
    for model in dict.fromkeys(sections["model"]):
        own = _by_section(sections, model)
        groups = own.groupby("group")["pcc_gene"].mean().to_numpy()
        low, high = bootstrap_interval(groups, seed)
        mine = [run for run in runs if run["model"] == model]
        done, planned = {run["split"]["index"] for run in mine}, max(run["split"]["n_folds"] for run in mine)
        gain = own["pcc_shared"].sub(reference["pcc_shared"]).mean() if len(reference) else float("nan")
        rows.append(
            {
                "model": model,
                "pcc_gene": float(np.nanmean(groups)),
                "low": low,
                "high": high,
                "n_groups": len(groups),
                "pcc_sections": own["pcc_gene"].mean(),
                "pcc_median": own["pcc_gene_median"].mean(),
                "pcc_shared": own["pcc_shared"].mean(),
                "gain": gain,
                "rmse": own["rmse"].mean(),
                "n_genes": own["n_genes"].mean(),
                "n_genes_scored": own["n_genes_scored"].mean(),
                "n_seeds": len({run["seed"] for run in mine}),
                "missing_folds": sorted(set(range(planned)) - done),
                "leaks": _leaks(mine),
            }
        )
    return rows


def bootstrap_interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of group values; NaN for a single group."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).choice(values, (N_BOOTSTRAP, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def _leaks(runs: list[dict[str, Any]]) -> list[str]:
    """Each leak of a model in words, with the number of runs that have it."""
    count = Counter(leak for run in runs for leak in run["leaks"])
    return [f"{leak} (in {n} of {len(runs)} runs)" for leak, n in sorted(count.items())]


def _by_section(sections: pd.DataFrame, model: str) -> pd.DataFrame:
    own = sections[sections["model"] == model]
    numbers = own.drop(columns=["model", "folder"]).groupby(["section_id", "group"]).mean(numeric_only=True)
    return numbers.reset_index("group")


def _per_gene(run: dict[str, Any]) -> pd.DataFrame:
    table = pd.read_csv(
        Path(run["folder"]) / "per_gene.csv", dtype={"gene": str, "section_id": str}, keep_default_na=True, na_values=[""]
    )
    return table.dropna(subset="pcc").assign(model=run["model"], seed=run["seed"])
