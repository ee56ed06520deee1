"""`facts.json` of a bundle."""

from typing import Any

import pandas as pd

from hespotex.encoders.pair import part_settings
from hespotex.packing.contents import Contents, named
from hespotex.results.findings import count, read_audit
from hespotex.results.tables.final import quoted

SHARED = (
    "role",
    "data",
    "encoder",
    "encoder_identity",
    "image_inputs",
    "unit",
    "pitch_um",
    "spot_diameter_um",
    "grid",
    "versions",
    "git_commit",
)
NO_CROSS_VALIDATION = "none"


def bundle_facts(contents: Contents, row: pd.DataFrame) -> dict[str, Any]:
    """What the model card and `python -m hespotex.info` tell.

    Args:
        contents: of the bundle.
        row: the model's own row of `model_table`; empty where nothing was scored.
    """
    about = contents.predictor.about
    runs = contents.chosen.runs
    trained_on = _trained_on(contents)
    return {key: about.get(key) for key in SHARED} | {
        "model": contents.chosen.name,
        "fold_strategy": runs[0].fold_strategy if runs else NO_CROSS_VALIDATION,
        "search": next((str(run.search) for run in runs if run.search), None),
        "encoder_licence": _licence(about["config"]["encoder"]),
        "n_genes": len(contents.predictor.genes),
        "n_genes_scored": int(contents.genes["scored"].sum()),
        "n_genes_tested": int(contents.genes["q"].notna().sum()),
        "n_genes_found": int(contents.genes["found"].eq(True).sum()),
        "trained_on": trained_on,
        "groups": sorted(set(trained_on.values())),
        "scores": quoted(row) if len(row) else NO_CROSS_VALIDATION,
        "audit": _audits(contents),
        "final": {"folder": contents.final_name} | contents.about if contents.final else None,
        "folds": _folds(contents),
    }


def _trained_on(contents: Contents) -> dict[str, str]:
    """Sections that any model in the bundle has trained on, with their groups."""
    members = [*contents.predictor.members, *contents.members]
    return {
        section: str(member.get("section_facts", {}).get(section, {}).get("group", "unknown"))
        for member in members
        for section in sorted([*member["split"]["train"], *member["split"]["val"]])
    }


def _audits(contents: Contents) -> list[str]:
    """What the audit has said of each scored fold."""
    runs = named(contents.chosen.runs)
    findings = {name: read_audit(run.folder) for name, run in runs.items()}
    lines = [f"audit of fold {name}: {count(rules)}" for name, rules in findings.items() if rules]
    return lines or ["not audited"]


def _folds(contents: Contents) -> list[dict[str, Any]]:
    """What each packed fold has seen."""
    return [
        {
            "folder": f"folds/{name}",
            "seed": member["seed"],
            "trained_on": sorted({*member["split"]["train"], *member["split"]["val"]}),
            "test": member["split"]["test"],
            "panel_fitted_on": member["panel_fitted_on"],
            "data_fingerprint": member["data_fingerprint"],
        }
        for name, member in zip(contents.folds, contents.members, strict=True)
    ]


def _licence(encoder: dict[str, Any]) -> str | None:
    """As the encoder's config tells it; of a pair both; None for encoders of our own."""
    licences = [member.get("licence") for member in part_settings(encoder).values()]
    return "; ".join(licence for licence in licences if licence) or None
