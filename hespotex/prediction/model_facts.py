"""What a trained model is and how far to believe it, from the files that lie with it; nothing that
they name is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.common.counted import counted
from hespotex.common.provenance import KEY
from hespotex.prediction.checkpoints import find_checkpoints, is_final
from hespotex.records.about import About
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.facts import check_facts
from hespotex.records.layout import METRICS, home_of
from hespotex.records.remarks import remarks_of
from hespotex.records.runs import read_run
from hespotex.results.tables.final import (
    FACTS,
    cross_validated_genes,
    quoted,
    read_final,
    read_final_genes,
)
from hespotex.results.tables.markdown import interval, number
from hespotex.results.tables.sweep import Tables

BEST_GENES = 10
Facts = dict[str, Any]


@dataclass(frozen=True)
class ModelFacts:
    """What is told of a model.

    Attributes:
        lines: facts by their heading.
        genes: a row a gene that it predicts, see `cross_validated_genes`.
    """

    lines: dict[str, str]
    genes: pd.DataFrame

    def __str__(self) -> str:
        width = max(map(len, self.lines))
        return "\n".join(f"{name:{width}}  {text}" for name, text in self.lines.items())


@dataclass(frozen=True)
class Evidence:
    """What cross-validation says: by gene, as a whole, and what it leaves open."""

    genes: pd.DataFrame
    scores: Facts | None
    open: list[str]
    search: str | None
    other_splits: list[str] = field(default_factory=list)


def model_facts(checkpoint: str, folds: bool = False) -> ModelFacts:
    """Facts of what `predict.py checkpoint=...` would take.

    Args:
        checkpoint: a file, or the folder of a run, a sweep or a bundle.
        folds: the folds, where there is a model on all sections beside them.

    Raises:
        InputError: there is none, or what lies there is not as it was written.
    """
    paths = find_checkpoints(checkpoint, folds)
    members = [_facts_in(path) for path in paths]
    shared = set.intersection(*(set(member["genes"]) for member in members))
    genes = [gene for gene in members[0]["genes"] if gene in shared]
    evidence = _of_final(paths[0]) if _has_facts(paths) else _of_folds(paths, genes)
    return ModelFacts(_lines(paths, members, evidence), evidence.genes)


def _facts_in(path: Path) -> About:
    content = read_checkpoint(path)
    check_facts(path, content[KEY], content.get("state_dict"))
    about: About = content[KEY]
    return about


def _has_facts(paths: Sequence[Path]) -> bool:
    return len(paths) == 1 and (home_of(paths[0]) / FACTS).is_file()


def _of_final(path: Path) -> Evidence:
    """The folds' scores that lie with a model on all sections."""
    folder = home_of(path)
    facts = read_final(folder)
    scores = None if facts["scores"] == "none" else facts["scores"]
    genes = read_final_genes(folder)
    splits = facts.get("other_splits", [])
    return Evidence(genes, scores, facts["does_not_cover"], facts.get("search"), splits)


def _of_folds(paths: Sequence[Path], genes: list[str]) -> Evidence:
    """The scores of single runs, on their own test sections."""
    homes = [home_of(path) for path in paths]
    runs = [read_run(home) for home in homes if (home / METRICS).is_file()]
    runs = [run for run in runs if run.sections]
    table = cross_validated_genes(runs, genes)
    if not runs:
        return Evidence(table, None, ["nothing was left out and scored"], None)
    row = Tables.make(runs).models.iloc[[0]]
    scores = quoted(row) | {"fold_strategy": runs[0].fold_strategy}
    left = ["the mean of the folds: some fold has seen each section"] if len(runs) > 1 else []
    return Evidence(table, scores, left, None)


def _lines(paths: Sequence[Path], members: list[About], evidence: Evidence) -> dict[str, str]:
    about = members[0]
    remarks = remarks_of(paths)
    facts = {
        "what": _kind(paths, members),
        "tissue": remarks.get("tissue", ""),
        "source of the data": remarks.get("source", ""),
        "licence of the weights": remarks.get("licence", ""),
        "model": f"{about['model']} ({about['role']})",
        "settings found by": evidence.search or "",
        "data": _data(about),
        "trained on": _trained_on(members),
        "encoder": _encoder(about),
        "spots": f"{about['spot_diameter_um']:g} um wide, {about['pitch_um']:g} um apart"
        f" ({about.get('grid', 'square')} grid)",
        "unit": about["unit"],
        "embeddings": f"standardised by {about['image_inputs']['standardize']}",
        "genes": _genes(evidence.genes),
        "best genes": _best(evidence.genes),
        "score": _score(evidence.scores),
        "split otherwise": "; ".join(evidence.other_splits),
        "not covered": "; ".join(evidence.open),
        "leaks": "; ".join(dict.fromkeys(leak for member in members for leak in member["leaks"])),
        "made with": _made_with(about),
        "checkpoints": ", ".join(map(str, paths)),
    }
    return {name: text for name, text in facts.items() if text}


def _kind(paths: Sequence[Path], members: list[About]) -> str:
    if len(paths) == 1 and is_final(paths[0]):
        return "the model on all sections of a cross-validation"
    folds = [f"fold {m['split']['index']} of {m['split']['n_folds']}" for m in members]
    strategy = members[0]["fold_strategy"]
    if len(members) == 1:
        return f"one model: {folds[0]} ({strategy}), seed {members[0]['seed']}"
    return f"the mean of {len(members)} models ({strategy}): {', '.join(folds)}"


def _data(about: About) -> str:
    """The data set, and what was selected of it, such as the organ."""
    select = about["config"].get("data", {}).get("select")
    choices = select.items() if isinstance(select, dict) else ()
    listed = ", ".join(f"{name} {value}" for name, value in choices if value not in (None, [], {}))
    return about["data"] + (f" ({listed})" if listed else "")


def _trained_on(members: list[About]) -> str:
    """Sections with their groups."""
    sections = {
        name: str(member.get("section_facts", {}).get(name, {}).get("group", "unknown"))
        for member in members
        for name in sorted([*member["split"]["train"], *member["split"]["val"]])
    }
    listed = ", ".join(f"{name} ({group})" for name, group in sections.items())
    n_groups = counted(len(set(sections.values())), "group")
    return f"{counted(len(sections), 'section')} of {n_groups}: {listed}"


def _encoder(about: About) -> str:
    settings = about["config"].get("encoder", {})
    sides = settings.get("patch_um")
    details = [f"patches of {', '.join(map(str, sides))} um"] if isinstance(sides, list) else []
    details += [f"licence {settings['licence']}"] if settings.get("licence") else []
    return "; ".join([about["encoder"], *details])


def _genes(genes: pd.DataFrame) -> str:
    n_scored = int(genes["scored"].sum())
    n_tested = int(genes["q"].notna().sum())
    n_found = int(genes["found"].astype(str).eq("True").sum())
    return (
        f"{len(genes)}: {n_scored} scored on sections that were left out; {n_found} found of the"
        f" {n_tested} that two or more sections scored (PCC above 0 at a false discovery rate of"
        f" 5 %); {len(genes) - n_scored} never scored"
    )


def _best(genes: pd.DataFrame) -> str:
    best = genes.dropna(subset="pcc").sort_values("pcc", ascending=False).head(BEST_GENES)
    return ", ".join(f"{gene} {number(pcc)}" for gene, pcc in best["pcc"].items())


def _score(scores: Facts | None) -> str:
    """The whole of it, with its interval."""
    if not scores:
        return "none"
    strategy = str(scores.get("fold_strategy", "unknown")).replace("_", " ")
    within = interval(scores["low"], scores["high"]) if scores["n_groups"] > 1 else "no interval"
    groups = counted(scores["n_groups"], "group")
    return f"PCC {number(scores['pcc_gene'])} ({within}) over {groups}, {strategy}"


def _made_with(about: About) -> str:
    version = about.get("versions", {}).get("hespotex", "unknown")
    commit = about.get("git_commit")  # none of an installed wheel
    return f"HESpotEx {version}" + (f", commit {commit}" if commit else "")
