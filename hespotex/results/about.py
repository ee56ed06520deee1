"""What a reader of any output of a run must know."""

from typing import Any

from hespotex.build import Config
from hespotex.data.datamodule import SectionDataModule
from hespotex.data.grid import grid_kind
from hespotex.provenance import git_commit, versions

BRIEF = ("model", "data", "encoder", "fold_strategy", "seed", "leaks", "data_fingerprint", "unit", "panel_fitted_on")


def describe(config: Config, datamodule: SectionDataModule, leaks: list[str]) -> dict[str, Any]:
    """What a reader of any output of this run must know."""
    reader = datamodule.source.reader
    return {
        "model": config["model"]["name"],
        "role": config["model"]["role"],
        "data": config["data"]["name"],
        "encoder": config["encoder"]["name"],
        "fold_strategy": config["fold"]["name"],
        "seed": config["seed"],
        "split": datamodule.split.to_dict(),
        "leaks": [*datamodule.leaks(), *leaks],
        "data_fingerprint": datamodule.fingerprint(),
        "sample_table": getattr(reader, "table_fingerprint", None),  # HEST-1k's patient labels change between versions
        "genes": datamodule.panel.genes,
        "panel_fitted_on": datamodule.panel.fitted_on,
        "gene_sets": datamodule.gene_sets.to_dict(),
        "unit": datamodule.expression.unit,
        "expression_fitted_on": datamodule.expression.fitted_on,
        "expression_state": datamodule.expression.state(),
        "section_facts": datamodule.facts,
        "sizes": datamodule.sizes(),
        "image_inputs": datamodule.inputs.to_dict(),
        "encoder_identity": datamodule.encoder.identity(),
        "familiarity": datamodule.familiarity().to_dict(),
        "grid": grid_kind(datamodule.sections[datamodule.split.train[0]].pos),
        "pitch_um": datamodule.sections[datamodule.split.train[0]].pitch_um,
        "spot_diameter_um": datamodule.sections[datamodule.split.train[0]].spot_diameter_um,
        "versions": versions(),
        "git_commit": git_commit(),
        "config": config,
    }


def brief(about: dict[str, Any]) -> dict[str, Any]:
    """The part that goes into every table of expression."""
    return {key: about[key] for key in BRIEF} | {"git_commit": str(about["git_commit"])}
