"""The model card of a bundle: what a stranger must know before using or quoting it."""

from typing import Any

import pandas as pd

from hespotex.common.counted import counted
from hespotex.records.record import Runs
from hespotex.results.report import EXPLANATION, across, headline, notes, title
from hespotex.results.tables.markdown import inert, inert_values, markdown

HUB_HEADER = (
    "---\nlibrary_name: hespotex\ntags: [histology, spatial-transcriptomics, gene-expression]\n---"
)
LIMITS = """- For research. Not for diagnosis, nor for any decision about a patient.
- Believe a gene as far as it has earned it: `genes.csv` has its correlation on patients that the
  model had not seen; the prediction carries it as `test_pcc`. A gene that was never scored is
  marked there.
- For tissue, stain and scanner like those of training. Each predicted spot has a `strangeness`,
  above 1 where it is more unlike the training spots than 99 % of these are; `predict.py` warns
  where much of a slide is.
- Scores are about differences between the spots of a section; levels between slides were not
  scored. `fold_std` says how far the folds agree, not how far they are right.
- Ids of sections and patients of training are in these files, as the data set names them, with
  hashes of their counts and images, by which HESpotEx refuses to score what was trained on."""


def model_card(facts: dict[str, Any], row: pd.DataFrame, sections: pd.DataFrame, runs: Runs) -> str:
    """Markdown.

    Args:
        facts: `facts.json` of the bundle.
        row: the model's own row of `model_table`; sections: its rows of `section_table`; runs: its
          runs. All are empty where nothing was scored.
    """
    facts = inert_values(facts)
    problems = [
        "**LEAK: do not quote the scores below as those of unseen patients.**"
        f" {'; '.join(facts['problems'])}."
    ]
    parts = [
        HUB_HEADER,
        f"# {facts['model']} on {facts['data']}: gene expression from H&E",
        *(problems if facts["problems"] else []),
        _predicts(facts),
        "## Use",
        "```\npython predict.py checkpoint=FOLDER slides='slides/*.svs' output=predicted\n```",
        (
            "FOLDER is where this file lies. The checkpoints hold tensors and plain values: they"
            " are read as nothing else. What they name is built only if it is a class of HESpotEx"
            " at its place, an optimiser of torch, or of a package that you trust (HESPOTEX_TRUST)."
        ),
        "## What it is",
        markdown(["", ""], _what(facts)),
        *(_scored(facts, row, sections, runs) if runs else _unscored()),
        "## Intended use and limits",
        LIMITS,
        "## Licence",
        _licence(facts),
        "## Versions",
        inert(_versions(facts)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _predicts(facts: dict[str, Any]) -> str:
    """What the bundle is, in a sentence or two."""
    n_folds = len(facts["folds"])
    begin = f"Predicts {facts['n_genes']} genes ({facts['unit']}) at spots of an H&E slide, "
    if facts["final"] is None:
        return begin + f"as the mean of {n_folds} models, one for each fold of a cross-validation."
    sections = counted(len(facts["final"]["fitted_on"]), "section")
    groups = counted(len(facts["final"]["groups"]), "group")
    whole = f"by one model, fitted on all {sections} of {groups} (patients)."
    folds = (
        f" The {n_folds} models of the cross-validation lie beside it: `folds=true` averages them,"
        " for the genes that all of them know."
    )
    return begin + whole + (folds if n_folds else "")


def _scored(
    facts: dict[str, Any], row: pd.DataFrame, sections: pd.DataFrame, runs: Runs
) -> list[str]:
    """What the folds have reached on sections that were left out."""
    remarks = [*notes(row), *facts["audit"]]
    return [
        inert(f"## How well it does: {title(facts['fold_strategy'], runs)}"),
        EXPLANATION,
        headline(row),
        "\n".join(inert(f"- {note}") for note in remarks),
        _whose(facts),
        *_not_covered(facts),
        across(sections, ["group", "section_id"]),
    ]


def _unscored() -> list[str]:
    return [
        "## How well it does: not known",
        (
            "No section was left out and scored, so there is no score of this model, nor of any of"
            " its genes."
        ),
    ]


def _whose(facts: dict[str, Any]) -> str:
    """Of which models the scores are, and of which genes."""
    each = "Each score is of one fold's model on sections that it did not train on."
    if facts["final"] is None:
        rest = (
            " Their mean, which `predict.py` takes, has no score on this data set: some fold has"
            " seen each section."
        )
    else:
        rest = (
            " The model on all sections, which `predict.py` takes, has no score of its own: it has"
            " seen each of them."
        )
    never = facts["n_genes"] - facts["n_genes_scored"]
    genes = (
        f" Of the {facts['n_genes']} genes that it predicts, {facts['n_genes_scored']} have a score"
        f" (`genes.csv`: mean PCC, interval, number of folds, q). Of {facts['n_genes_tested']} that"
        f" two or more sections scored, {facts['n_genes_found']} were found; {never} were never"
        " scored: nothing is known of these."
    )
    return each + rest + genes


def _not_covered(facts: dict[str, Any]) -> list[str]:
    """What the estimate leaves open, a line each."""
    if facts["final"] is None:
        return []
    lines = "\n".join(f"- {words}" for words in facts["final"]["does_not_cover"])
    return [*_other_splits(facts), "The cross-validation does not cover:", lines]


def _other_splits(facts: dict[str, Any]) -> list[str]:
    """Scores of other ways to split, which are not those above."""
    lines = "\n".join(f"- {words}" for words in facts["final"].get("other_splits", []))
    return ["The same model with its sections split in other ways:", lines] if lines else []


def _what(facts: dict[str, Any]) -> list[list[str]]:
    trained = facts["trained_on"]
    return [
        ["model", f"{facts['model']} ({facts['role']})"],
        *([["settings found by a search", facts["search"]]] if facts["search"] else []),
        ["encoder", facts["encoder"]],
        *([["tissue", facts["tissue"]]] if facts.get("tissue") else []),
        ["data", f"{facts['data']}: {counted(len(trained), 'section')} ({', '.join(trained)})"],
        ["groups (patients)", f"{len(facts['groups'])} ({', '.join(facts['groups'])})"],
        ["genes", f"{facts['n_genes']}, {_chosen_on(facts)}"],
        ["unit", facts["unit"]],
        [
            "spots",
            f"{facts['spot_diameter_um']:g} um wide, {facts['pitch_um']:g} um apart"
            f" ({facts['grid']} grid)",
        ],
        ["neighbours", f"{facts['image_inputs']['n_neighbours']}"],
        ["embeddings", f"standardised by {facts['image_inputs']['standardize']}"],
    ]


def _versions(facts: dict[str, Any]) -> str:
    named = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return f"{named}; commit {facts['git_commit'] or 'unknown'}"


def _chosen_on(facts: dict[str, Any]) -> str:
    """What the genes were chosen on."""
    if facts["final"] is not None:
        chosen = facts["final"]["panel_fitted_on"]
        return "chosen on all sections" if chosen else "a list given from outside"
    own = all(fold["panel_fitted_on"] for fold in facts["folds"])
    where = "its training sections" if own else "a list given from outside"
    return f"which all folds know; each fold chose its own on {where}"


def _licence(facts: dict[str, Any]) -> str:
    encoder = facts["encoder"]
    own = f"These weights: {facts['licence']}. " if facts.get("licence") else ""
    data = f"The data: {facts['source']}. " if facts.get("source") else ""
    if facts["encoder_licence"]:
        return own + data + _of_encoder(encoder, facts["encoder_licence"])
    ask = "" if own else " State here under which licence you give these weights away."
    return own + data + f"The encoder {encoder} is part of HESpotEx (MIT).{ask}"


def _of_encoder(encoder: str, licence: str) -> str:
    return (
        f"The encoder {encoder} has the licence {licence}. Its weights are not in this folder"
        " (`predict.py` fetches them, or takes weights=FILE), but models trained on its embeddings"
        " may fall under its terms: read them before you publish."
    )
