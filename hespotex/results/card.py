"""The model card of a bundle: what a stranger must know before using or quoting it."""

from typing import Any

import pandas as pd

from hespotex.results.markdown import inert, inert_values, markdown
from hespotex.results.report import EXPLANATION, across, headline, notes, title

HUB_HEADER = (
    "---\nlibrary_name: hespotex\ntags: [histology, spatial-transcriptomics, gene-expression]\n---"
)
LIMITS = """- For research. Not for diagnosis, nor for any decision about a patient.
- Believe a gene as far as it has earned it: `genes.csv` has its correlation on patients that the
  model had not seen; the prediction carries it as `test_pcc`.
- For tissue, stain and scanner like those of training. Each predicted spot has a `strangeness`,
  above 1 where it is more unlike the training spots than 99 % of these are; `predict.py` warns
  where much of a slide is.
- Scores are about differences between the spots of a section; levels between slides were not
  scored. `fold_std` says how far the folds agree, not how far they are right.
- Ids of sections and patients of training are in these files, as the data set names them, with
  hashes of their counts and images, by which HESpotEx refuses to score what was trained on."""


def model_card(
    facts: dict[str, Any], row: pd.DataFrame, sections: pd.DataFrame, runs: list[dict[str, Any]]
) -> str:
    """Markdown.

    Args:
        facts: `facts.json` of the bundle.
        row: the model's own row of `model_table`; sections: its rows of `section_table`; runs: its
          runs.
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
        (
            f"Predicts {facts['n_genes']} genes ({facts['unit']}) at spots of an H&E slide, as the"
            f" mean of {len(facts['folds'])} models, one for each fold of a cross-validation."
        ),
        "## Use",
        "```\npython predict.py checkpoint=FOLDER slides='slides/*.svs' output=predicted\n```",
        (
            "FOLDER is where this file lies. The checkpoints hold tensors and plain values: they"
            " are read as nothing else. What they name is built only if it is a class of HESpotEx"
            " at its place, an optimiser of torch, or of a package that you trust (HESPOTEX_TRUST)."
        ),
        "## What it is",
        markdown(["", ""], _what(facts)),
        inert(f"## How well it does: {title(facts['fold_strategy'], runs)}"),
        EXPLANATION,
        headline(row),
        "\n".join(inert(f"- {note}") for note in [*notes(row), *facts["audit"]]),
        (
            "Each score is of one fold's model on sections that it did not train on. Their mean,"
            " which `predict.py` takes, has no score on this data set: some fold has seen each"
            " section."
        ),
        across(sections, ["group", "section_id"]),
        "## Intended use and limits",
        LIMITS,
        "## Licence",
        _licence(facts["encoder"], facts["encoder_licence"]),
        "## Versions",
        inert(_versions(facts)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(facts: dict[str, Any]) -> list[list[str]]:
    folds = facts["folds"]
    trained = sorted({name for fold in folds for name in fold["trained_on"]})
    return [
        ["model", f"{facts['model']} ({facts['role']})"],
        ["encoder", facts["encoder"]],
        ["data", f"{facts['data']}: {len(trained)} sections ({', '.join(trained)})"],
        ["groups (patients)", f"{len(facts['groups'])} ({', '.join(facts['groups'])})"],
        [
            "genes",
            f"{facts['n_genes']} that all folds know;"
            f" each fold chose its own on {_chosen_on(folds)}",
        ],
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
    return f"{named}; commit {facts['git_commit']}"


def _chosen_on(folds: list[dict[str, Any]]) -> str:
    return (
        "its training sections"
        if all(fold["panel_fitted_on"] for fold in folds)
        else "a list given from outside"
    )


def _licence(encoder: str, licence: str | None) -> str:
    if licence is None:
        return (
            f"The encoder {encoder} is part of HESpotEx (MIT). State here under which licence you"
            " give these weights away."
        )
    return (
        f"The encoder {encoder} has the licence {licence}. Its weights are not in this folder"
        " (`predict.py` fetches them, or takes weights=FILE), but models trained on its embeddings"
        " may fall under its terms: read them before you publish."
    )
