"""What cross-validation says of the model on all sections: each gene's score, and what the estimate
does not cover.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path, read_json, write_json
from hespotex.common.shapes import COUNT, NUMBER_OR_NONE, Rule, check_shape
from hespotex.common.spreadsheet import unmarked, write_csv
from hespotex.records.about import About
from hespotex.records.layout import BEST
from hespotex.records.record import Runs
from hespotex.records.runs import read_genes
from hespotex.results.tables.aggregate import gene_scores
from hespotex.results.tables.gene_table import gene_table
from hespotex.results.tables.markdown import interval, number
from hespotex.results.tables.statistics import FEW_GROUPS, bootstrap_interval
from hespotex.results.tables.sweep import Tables

FACTS = "final.json"
GENES = "genes.csv"
MEANS = ["pcc", "r2", "noise_ceiling"]
COLUMNS = [*MEANS[:1], "low", "high", *MEANS[1:], "n_sections", "n_folds", "q", "found", "scored"]
# of the model's row in the summary
QUOTED = ["pcc_gene", "low", "high", "n_groups", "pcc_sections", "missing_folds"]
NUMBERS = dict.fromkeys(("pcc_gene", "low", "high", "pcc_sections"), NUMBER_OR_NONE)
SCORES = NUMBERS | {"n_groups": COUNT, "fold_strategy": str}
SHAPE = {
    "scores": Rule('"none", or scores by name', lambda value: value == "none" or _scores(value)),
    "does_not_cover": [str],
    "other_splits?": [str],
    "folds?": [str],
    "search?": Rule("text or null", lambda value: value is None or isinstance(value, str)),
}


def cross_validated_genes(runs: Runs, genes: list[str]) -> pd.DataFrame:
    """What each of these genes has earned on sections that were left out; one that never was scored
    says so.

    Args:
        runs: of one model and fold strategy; none where nothing could be left out.
        genes: of the final model.

    Returns:
        A row a gene. `pcc`, `r2`, `noise_ceiling`, `n_sections`, `q`, `found`: as in the sweep's
        `genes.csv`; `low`, `high`: 95 % interval of the PCC, bootstrap over groups; `n_folds`: in
        which it was scored; `scored`: whether it was.
    """
    if not runs:
        return _completed(pd.DataFrame(columns=COLUMNS[:-1]), genes)
    scores = gene_scores(runs)
    table = gene_table(scores).set_index("gene")[[*MEANS, "n_sections", "q", "found"]]
    return _completed(table.join(_over_groups(scores, runs)), genes)


def _over_groups(scores: pd.DataFrame, runs: Runs) -> pd.DataFrame:
    """Interval over groups and number of folds, by gene."""
    places = {row["section_id"]: (row["group"], run.fold) for run in runs for row in run.sections}
    scored = scores.dropna(subset="pcc")
    scored = scored.assign(
        group=[places[i][0] for i in scored["section_id"]],
        fold=[places[i][1] for i in scored["section_id"]],
    )
    sections = scored.groupby(["gene", "group", "section_id"])["pcc"].mean()
    groups = sections.groupby(["gene", "group"]).mean()
    intervals = {
        gene: bootstrap_interval(values.to_numpy()) for gene, values in groups.groupby("gene")
    }
    table = pd.DataFrame.from_dict(intervals, orient="index", columns=["low", "high"])
    return table.assign(n_folds=scored.groupby("gene")["fold"].nunique())


def _completed(table: pd.DataFrame, genes: list[str]) -> pd.DataFrame:
    """A row for each gene of the panel, in its order; empty where it was never scored."""
    table = table.reindex(pd.Index(genes, name="gene"))
    counts = table[["n_sections", "n_folds"]].astype(float).fillna(0).astype(int)
    scored = counts["n_sections"] > 0
    significant = table["found"].astype(object).where(scored & table["q"].notna(), None)
    table = table.assign(n_sections=counts["n_sections"], n_folds=counts["n_folds"])
    return table.assign(found=significant, scored=scored)[COLUMNS]


def final_facts(
    sweep: Path, model: str, runs: Runs, every_run: Runs, about: About
) -> dict[str, Any]:
    """What a reader of the final model must know of its fit and of its estimate.

    Args:
        sweep: its folder.
        model: name in the sweep's tables.
        runs: of this model, scored; every_run: of the sweep, for the panels.
        about: facts of the final checkpoint.
    """
    fitted_on = {
        i: str(facts_of_section["group"]) for i, facts_of_section in about["section_facts"].items()
    }
    facts = {
        "sweep": sweep.resolve().name,
        "model": model,
        "seed": about["seed"],
        "search": next((str(run.search) for run in runs if run.search), None),
        "n_genes": len(about["genes"]),
        "folds": [run.folder.relative_to(sweep).as_posix() for run in runs],
        "fitted_on": fitted_on,
        "groups": sorted(set(fitted_on.values())),
        "leaks": about["leaks"],
        "panel_fitted_on": about["panel_fitted_on"],
        "data_fingerprint": about["data_fingerprint"],
    }
    return facts | _estimate(model, runs, every_run, about)


def _estimate(model: str, runs: Runs, every_run: Runs, about: About) -> dict[str, Any]:
    if not runs:
        only = "no section was left out and scored, so nothing is known of how well this model does"
        return {"scores": "none", "does_not_cover": [only]}
    strategy = runs[0].fold_strategy
    table = Tables.make([run for run in every_run if run.fold_strategy == strategy]).models
    scores = quoted(table[table["model"] == model]) | {
        "fold_strategy": strategy,
        "seeds": sorted({run.seed for run in runs}),
    }
    if scores["n_groups"] < 2:
        scores["interval"] = "none: one group"
    return {
        "scores": scores,
        "other_splits": _other_splits(model, strategy, every_run),
        "does_not_cover": _not_covered(scores, runs, about),
    }


def _other_splits(model: str, strategy: str, every_run: Runs) -> list[str]:
    """The model's scores where the sections were split in other ways, in words."""
    runs_of_model = [run for run in every_run if run.model == model]
    others = sorted({run.fold_strategy for run in runs_of_model} - {strategy})
    tables = [
        Tables.make([run for run in runs_of_model if run.fold_strategy == name]) for name in others
    ]
    rows = [table.models.iloc[0] for table in tables]
    return [_split_line(name, row) for name, row in zip(others, rows, strict=True)]


def _split_line(strategy: str, row: Any) -> str:
    between = interval(row["low"], row["high"])
    groups = counted(row["n_groups"], "group")
    score = f"PCC {number(row['pcc_gene'])} ({between}) over {groups}"
    leaks = "".join(f"; {leak}" for leak in row["leaks"])
    return f"{strategy.replace('_', ' ')}: {score}{leaks}"


def quoted(row: pd.DataFrame) -> dict[str, Any]:
    """The scores of a model's own row of `model_table` that are told elsewhere."""
    return {str(name): value for name, value in row[QUOTED].iloc[0].to_dict().items()}


def _not_covered(scores: dict[str, Any], runs: Runs, about: About) -> list[str]:
    """In words, what the estimate leaves open."""
    panels = [set(read_genes(run.folder)["gene"]) for run in runs]
    ever = set.intersection(set(about["genes"]), set().union(*panels))
    gaps = [
        "the final model itself was scored on nothing: every section that there is has trained it"
    ]
    gaps.append("levels between slides, other scanners, stains and tissues than those of training")
    if lost := len(about["genes"]) - len(ever):
        gaps.append(
            f"{lost} of {len(about['genes'])} genes were in no fold's panel and have no score"
        )
    if any(panel != set(about["genes"]) for panel in panels):
        gaps.append(
            "each fold chose its own panel on its own training sections; the final panel is chosen"
            " on all"
        )
    if scores["n_groups"] < FEW_GROUPS:
        gaps.append(f"other patients: {scores['n_groups']} group(s) say little of them")
    if scores["missing_folds"]:
        gaps.append(f"folds without a finished run: {scores['missing_folds']}")
    return gaps


def read_final(folder: Path) -> dict[str, Any]:
    """`final.json` of a final model.

    Raises:
        InputError: it is not there, or not as it was written.
    """
    file = folder / FACTS
    facts: dict[str, Any] = read_json(file, "python -m hespotex.finalize makes it anew")
    check_shape(facts, SHAPE, str(file))
    return facts


def folds_of(folder: Path) -> list[Path]:
    """Folders of the runs whose scores a final model quotes.

    Args:
        folder: of the final model, two below its sweep or bundle.

    Raises:
        InputError: there are less than two, they are not there, or not named.
    """
    file = folder / FACTS
    facts = read_final(folder)
    if len(facts.get("folds", [])) < 2:
        raise InputError(f"{file} names no two folds; a bundle holds them where --folds asked for")
    sweep = folder.absolute().parent.parent
    folders = [sweep / name for name in facts["folds"]]
    for name, path in zip(facts["folds"], folders, strict=True):
        outside = Path(name).is_absolute() or ".." in Path(name).parts
        if outside or not (path / BEST).is_file():
            raise InputError(f"{file} names the fold {name}, which has no {BEST} in {sweep}")
    return folders


def _scores(value: Any) -> bool:
    try:
        check_shape(value, SCORES, FACTS)
    except InputError:
        return False
    return True


def write_final(folder: Path, genes: pd.DataFrame, facts: dict[str, Any]) -> None:
    """`genes.csv`, and last `final.json`, beside the checkpoint."""
    write_genes(genes, folder / GENES)
    write_json(folder / FACTS, facts)


def write_genes(genes: pd.DataFrame, path: Path) -> None:
    """The table of `cross_validated_genes`."""
    with atomic_path(path) as partial:
        write_csv(genes, partial, index_label="gene", float_format="%.6g")


def read_final_genes(folder: Path) -> pd.DataFrame:
    """`genes.csv` of a final model or a bundle, by gene; a gene may be called NA."""
    table = pd.read_csv(folder / GENES, dtype={"gene": str}, keep_default_na=False, na_values=[""])
    return table.assign(gene=table["gene"].map(unmarked)).set_index("gene")
