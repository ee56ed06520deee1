"""The facts that travel in a checkpoint: their types, checked before anything is made of them."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from hespotex.batches.assemble import STANDARDS
from hespotex.common.errors import InputError
from hespotex.common.failures import failure_of
from hespotex.common.shapes import COUNT, POSITIVE, Rule, check_shape, is_number

CURE = "it is of another version, was changed, or is not whole: train it again"
MOST_WIDE = 1_000_000  # numbers a spot; more is no embedding
TEXTS_BY_NAME = Rule(
    "lists of text by name",
    lambda value: (
        isinstance(value, dict)
        and all(isinstance(t, str) for texts in value.values() for t in _listed(texts))
    ),
)
SIZE = Rule(
    f"a whole number from 1 to {MOST_WIDE:,}",
    lambda value: COUNT.holds(value) and 1 <= value <= MOST_WIDE,
)
GENES = Rule(
    "the names of genes, each once",
    lambda value: (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(gene, str) for gene in value)
        and len(set(value)) == len(value)
    ),
)
TENSORS = Rule(
    "tensors by name",
    lambda value: (
        isinstance(value, Mapping) and all(isinstance(tensor, Tensor) for tensor in value.values())
    ),
)
NUMBERS = Rule(
    "a list of numbers", lambda value: isinstance(value, list) and all(map(is_number, value))
)
FAMILIARITY = Rule(
    "null, or mean, std and usual of the training embeddings",
    lambda value: (
        not value
        or (
            isinstance(value, dict)
            and NUMBERS.holds(value.get("mean"))
            and NUMBERS.holds(value.get("std"))
            and len(value["mean"]) == len(value["std"])
            and POSITIVE.holds(value.get("usual"))
        )
    ),
)
TRAINING_SCALE = Rule(
    "null, or mean, std and strength of the training embeddings",
    lambda value: (
        not value
        or (
            isinstance(value, dict)
            and NUMBERS.holds(value.get("mean"))
            and NUMBERS.holds(value.get("std"))
            and len(value["mean"]) == len(value["std"])
            and is_number(value.get("strength"))
            and 0 <= value["strength"] < math.inf
        )
    ),
)
MAPPINGS = Rule(
    "mappings by name",
    lambda value: isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()),
)
NEEDED = {  # of what predicts
    "model": str,
    "data": str,
    "encoder": str,
    "encoder_identity": dict,
    "fold_strategy": str,
    "seed": int,
    "unit": str,
    "leaks": [str],
    "data_fingerprint": str,
    "panel_fitted_on": [str],
    "expression_fitted_on": [str],
    "split": {"index": COUNT, "n_folds": COUNT, "train": [str], "val": [str], "test": [str]},
    "genes": GENES,
    "sizes": {"d_image": SIZE, "n_genes": SIZE},
    "image_inputs": {
        "n_neighbours": SIZE,
        "standardize": Rule(", ".join(STANDARDS), lambda value: value in STANDARDS),
        "shuffle?": bool,
        "views?": SIZE,
    },
    "pitch_um": POSITIVE,
    "spot_diameter_um": POSITIVE,
    "config": dict,
}
FURTHER = {
    "section_facts?": MAPPINGS,
    "gene_sets?": TEXTS_BY_NAME,
    "familiarity?": FAMILIARITY,
    "training_scale?": TRAINING_SCALE,
    "nuclear_size_um?": Rule("null, or um", lambda value: value is None or POSITIVE.holds(value)),
    "expression_state?": dict,
    "versions?": dict,
    "grid?": Rule("square or hexagonal", lambda value: value in ("square", "hexagonal")),
}


def _listed(texts: Any) -> list[Any]:
    return texts if isinstance(texts, list) else [None]


def check_facts(path: Path, about: Any, state: Any) -> None:
    """Refuse facts and weights of other types than what predicts will use, and genes that are not
    those of the weights.

    Args:
        path: of the checkpoint, for the message.
        about: its facts.
        state: its weights.

    Raises:
        InputError: naming the fact.
    """
    try:
        check_shape(state, TENSORS, f"{path}: state_dict")
        check_shape(about, NEEDED | FURTHER, str(path))
    except InputError as error:
        raise InputError(f"{error}; {CURE}") from error
    if about["sizes"]["n_genes"] != len(about["genes"]):
        n_named = len(about["genes"])
        n_predicted = about["sizes"]["n_genes"]
        raise InputError(
            f"{path}: sizes.n_genes is {n_predicted}, but {n_named} genes are named; {CURE}"
        )


@contextmanager
def facts_in_use(source: str) -> Iterator[None]:
    """Any error while something is made of a checkpoint's facts is one of these facts, in words."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        raise InputError(
            f"{source}: its facts cannot be used ({failure_of(error).reason}); {CURE}"
        ) from error
