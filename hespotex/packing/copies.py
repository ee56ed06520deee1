"""Runs as a bundle holds them: scores, and checkpoints less what only training needs."""

import shutil
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from hespotex.common.files import read_json, write_json
from hespotex.common.loading import tensor_bytes
from hespotex.common.provenance import KEY
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.layout import BEST, METRICS, PER_GENE
from hespotex.records.manifest import write_manifest
from hespotex.results.programmes import FILE, read_programmes
from hespotex.results.programmes import GENES as PROGRAMMES_GENES
from hespotex.results.tables.final import FACTS, GENES, write_final

# of a run's config; the rest tells of the machine
NEEDED = ("data", "encoder", "nuclei", "model", "fold", "seed")


def copy_fold(run: Path, fold: Path) -> None:
    """A fold's scores and checkpoint."""
    _copy_model(run, fold)
    shutil.copy(run / PER_GENE, fold / PER_GENE)
    write_manifest(fold, (METRICS, PER_GENE, BEST))


def copy_final(run: Path, final: Path, genes: pd.DataFrame, facts: dict[str, Any]) -> None:
    """The model on all sections, with what its genes have earned."""
    _copy_model(run, final)
    write_final(final, genes, facts)
    write_manifest(final, (METRICS, GENES, FACTS, BEST))


def copy_programmes(sweep: Path, bundle: Path, model: str) -> None:
    """What `hespotex.explain` has found of this model, where it was asked: for pages of slides."""
    table = read_programmes(sweep)
    if table is None or set(table["model"]) != {model} or not (sweep / PROGRAMMES_GENES).is_file():
        return
    (bundle / FILE).parent.mkdir(parents=True)
    for name in (FILE, PROGRAMMES_GENES):
        shutil.copy(sweep / name, bundle / name)


def _copy_model(run: Path, folder: Path) -> None:
    """Checkpoint and `metrics.json`."""
    (folder / BEST).parent.mkdir(parents=True)
    metrics = read_json(run / METRICS)
    # it names places
    write_json(folder / METRICS, {key: value for key, value in metrics.items() if key != "command"})
    content = read_checkpoint(run / BEST)
    config = {key: value for key, value in content[KEY]["config"].items() if key in NEEDED}
    about = content[KEY] | {"config": _without_places(config)}
    packed = {"state_dict": dict(content["state_dict"]), KEY: about}
    (folder / BEST).write_bytes(tensor_bytes(packed))


def _without_places(value: Any) -> Any:
    """The config without what holds on this machine only: absolute paths become names, and weights
    are the hub's again.
    """
    if isinstance(value, dict):
        return {
            key: None if key == "weights" else _without_places(child)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [_without_places(child) for child in value]
    return (
        PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
    )
