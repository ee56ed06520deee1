"""What a reader of any output of a run must know."""

from collections.abc import Mapping
from typing import Any

from hespotex.batches.fold import Fold
from hespotex.common.provenance import git_commit, versions
from hespotex.records.about import About
from hespotex.records.build import Config
from hespotex.sections.grid import grid_kind

BRIEF = (
    "model",
    "data",
    "encoder",
    "fold_strategy",
    "seed",
    "leaks",
    "data_fingerprint",
    "unit",
    "panel_fitted_on",
)


def describe(config: Config, fold: Fold, leaks: list[str]) -> About:
    """What a reader of any output of this run must know."""
    first = fold.sections[fold.split.train[0]].section
    recipe = fold.recipe
    return {
        "model": config["model"]["name"],
        "role": config["model"]["role"],
        "data": config["data"]["name"],
        "encoder": config["encoder"]["name"],
        "fold_strategy": config["fold"]["name"],
        "seed": config["seed"],
        "split": fold.split.to_dict(),
        "leaks": [*fold.leaks(), *leaks],
        "data_fingerprint": fold.fingerprint(),
        "sample_table": fold.sample_table,
        "genes": fold.panel.genes,
        "panel_fitted_on": fold.panel.fitted_on,
        "genes_trained_in": trained_in(fold),
        "gene_sets": fold.gene_sets.to_dict(),
        "unit": fold.expression.unit,
        "expression_fitted_on": fold.expression.fitted_on,
        "expression_state": fold.expression.state(),
        "section_facts": {i: section.facts for i, section in fold.sections.items()},
        "sizes": fold.widths(),
        "image_inputs": recipe.inputs.to_dict(),
        "encoder_identity": recipe.encoder.identity(),
        "training_scale": recipe.training.to_dict() if recipe.training else None,
        "familiarity": fold.familiarity().to_dict(),
        "nuclear_size_um": fold.nuclear_size(),
        "grid": grid_kind(first.pos),
        "pitch_um": first.pitch_um,
        "spot_diameter_um": first.spot_diameter_um,
        "versions": versions(),
        "git_commit": git_commit(),
        "config": config,
    }


def trained_in(fold: Fold) -> dict[str, list[int]]:
    """Training sections, and groups of them, that measured each gene of the panel."""
    counts = fold.measured_in(fold.split.train)
    return {unit: numbers.tolist() for unit, numbers in counts.items()}


def brief(about: About) -> dict[str, Any]:
    """The part that goes into every table of expression."""
    more = {"git_commit": str(about["git_commit"]), "panel": panel_rule(about["config"])}
    facts: Mapping[str, Any] = about
    return {key: facts[key] for key in BRIEF} | more


def panel_rule(config: Config) -> str:
    """The class of the rule that chose the genes, such as `HighlyVariableGenes`; "" where the
    config does not tell.
    """
    panel = config.get("data", {}).get("panel")
    return str(panel.get("_target_", "")).rpartition(".")[2] if isinstance(panel, dict) else ""
