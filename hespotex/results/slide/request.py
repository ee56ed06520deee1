"""What a slide was predicted with, kept in its table, so that an older prediction is not taken for
that of another request.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anndata as ad

from hespotex.common.errors import InputError
from hespotex.common.failures import failure_of
from hespotex.common.files import file_fingerprint
from hespotex.common.hdf5 import open_hdf5

log = logging.getLogger(__name__)
# of uns["hespotex"]
KEY = "request"
MODEL = "checkpoint"
FILES = ("positions", "gene_sets")  # words that name files
WORDS = (
    "mpp",
    "check_mpp",
    "context",
    "tissue",
    "min_tissue",
    "pitch_um",
    "grid",
    "genes",
    "map_genes",
    "nuclei_folder",
    "fold_std",
    "flat",
    "qupath",
    "viewer_mb",
    "zoom_mb",
    "spatialdata",
    "programmes",
)


def slide_request(
    config: Mapping[str, Any], image: Path, mpp: float | None, title: str | None = None
) -> dict[str, Any]:
    """All but the model that shapes the files of one slide, as JSON knows it.

    Args:
        config: of `predict.py`.
        image: the slide's file.
        mpp: um per px of the list of slides, which goes before the config's.
        title: what the slide's masks and regions are called; None for its own name.
    """
    name = title or image.stem
    request = {word: config[word] for word in WORDS} | {
        "mpp": config["mpp"] if mpp is None else mpp
    }
    request |= {file: _fingerprint(config[file]) for file in FILES}
    masks = _masks(config["tissue"]["mask"], name)
    if config.get("measured"):
        request |= {"kriging": config["kriging"], "measured_mpp": config.get("measured_mpp")}
        request |= {"measured_image": _fingerprint(config.get("measured_image"))}
    request |= {"measured": _folder_fingerprint(config.get("measured"))}
    regions = config.get("regions")
    request |= {"regions": _masks(regions, name) if regions else None}
    whole = _masks(config["tissue"]["whole"], name)
    return request | {"image": _fingerprint(image), "mask": masks, "whole": whole}


def _fingerprint(path: Path | str | None) -> str | None:
    return file_fingerprint(Path(path)) if path and Path(path).is_file() else None


def _folder_fingerprint(path: str | None) -> Any:
    """Of a file, or of every file directly in a folder and in its `spatial/`."""
    if not path or not Path(path).is_dir():
        return _fingerprint(path)
    files = [*Path(path).glob("*"), *Path(path).glob("spatial/*"), *Path(path).glob("outs/*")]
    return [_fingerprint(file) for file in sorted(files) if file.is_file()]


def _masks(mask: str | None, slide: str) -> list[str | None]:
    """Fingerprints of a file, or of those in a folder that are of this slide."""
    if mask is None or not Path(mask).is_dir():
        return [_fingerprint(mask)]
    return [_fingerprint(path) for path in sorted(Path(mask).iterdir()) if path.stem == slide]


def facts_of(table: Path) -> dict[str, Any] | None:
    """What made the table of a predicted slide, read without the prediction; None where it cannot
    be read.
    """
    try:
        with open_hdf5(table) as file:
            return {
                str(name): value for name, value in ad.io.read_elem(file["uns/hespotex"]).items()
            }
    except Exception as error:
        log.warning("%s: cannot be read (%s)", table, failure_of(error).reason)
        return None


def check_model(tables: Iterable[Path], model: str) -> None:
    """Refuse tables of predicted slides that another model made.

    Args:
        tables: `SLIDE.h5ad`; those that are not there, or cannot be read, will be made.
        model: fingerprints of the checkpoints, a space between them.
    """
    others = {
        table: facts
        for table in tables
        if table.is_file() and (facts := facts_of(table)) and not _made_by(facts, model)
    }
    if others:
        table, facts = next(iter(others.items()))
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise InputError(
            f"{table}{more}: predicted by another model ({_named(facts)}, checkpoint"
            f" {facts.get(MODEL, 'unknown')}; the one given is {model}); choose output=NEW, or"
            " restart=true to replace them"
        )


def _made_by(facts: Mapping[str, Any], model: str) -> bool:
    return sorted(str(facts.get(MODEL, "")).split()) == sorted(model.split())


def is_current(table: Path, request: Mapping[str, Any]) -> bool:
    """Whether a slide's table is there and was made for this request; another request is said.

    Args:
        table: `SLIDE.h5ad`.
        request: see `slide_request`.
    """
    facts = facts_of(table) if table.is_file() else None
    if facts is None:
        return False
    differing = _differing(facts, request)
    if differing:
        log.warning("%s: other than before: %s; made anew", table, ", ".join(differing))
    return not differing


def _differing(facts: Mapping[str, Any], request: Mapping[str, Any]) -> list[str]:
    try:
        earlier: dict[str, Any] = json.loads(str(facts[KEY]))
        return [name for name in request if earlier.get(name) != request[name]]
    except (KeyError, ValueError, AttributeError):
        return ["the request, which an older version did not write down"]


def _named(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts.get('model', 'unknown')} on {facts.get('data', 'unknown')}, encoder"
        f" {facts.get('encoder', 'unknown')}"
    )
