"""Can the section, or the patient, of a spot be read off its embedding?"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.failures import failure_of

log = logging.getLogger(__name__)
MOST_SPOTS = 2000  # of all sections together, drawn at random
MOST_SECTIONS = 100
FOLDS = 5
LEAST_SPREAD = 1e-6  # what varies less is left as it is
PENALTY = 1000.0  # for embeddings of unit variance over all spots
ReadOff = dict[str, dict[str, float]]  # by question: `accuracy`, balanced, and `chance`


class SpotRows(Protocol):
    """Embeddings of a section as a model gets them, (n_spots, d)."""

    def __len__(self) -> int: ...

    def __getitem__(self, spots: Tensor) -> Tensor: ...


def probe(rows: Mapping[str, SpotRows], groups: Mapping[str, str]) -> ReadOff:
    """How often a linear classifier names the `section`, and the `group`, of spots that it did not
    learn from: balanced accuracy, and what chance gives.

    It learns on four fifths of each section's spots, drawn at random, and is asked for the others.
    (Halves by place would mislead: both halves of a standardised section add up to zero.) Images
    alone are looked at. A question with one answer only is left out.

    Args:
        rows: embeddings by section id.
        groups: patient of each.
    """
    rows = {name: own for name, own in rows.items() if len(own) >= FOLDS}
    if len(rows) < 2:
        return {}
    x, section = drawn(rows)
    group = np.array([groups[name] for name in section])
    questions = {"section": section, "group": group}
    return {
        name: {"accuracy": accuracy(x, labels, section), "chance": 1 / len(set(labels))}
        for name, labels in questions.items()
        if len(set(labels)) > 1
    }


def unless_it_fails(step: Callable[[], ReadOff]) -> ReadOff:
    """The answers; none where the step failed, which the log says and which stops nothing."""
    try:
        return step()
    except Exception as error:
        log.warning("sections were not read off the embeddings: %s", failure_of(error).reason)
        return {}


def drawn(rows: Mapping[str, SpotRows]) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Some spots of each section: embeddings (n, d) of unit variance over all of them, and the
    section of each, (n,).
    """
    some = np.linspace(0, len(rows) - 1, min(len(rows), MOST_SECTIONS)).round().astype(int)
    names = [list(rows)[number] for number in some]
    rng = np.random.default_rng(0)
    tables = []
    for name in names:
        spots = rng.permutation(len(rows[name]))[: MOST_SPOTS // len(names)]
        tables.append(rows[name][torch.from_numpy(np.sort(spots))].numpy())
    x = np.concatenate(tables)
    section = np.repeat(np.array(names), [len(table) for table in tables])
    return (x - x.mean(0)) / np.maximum(x.std(0), LEAST_SPREAD), section


def accuracy(x: NDArray[np.float32], labels: NDArray[np.str_], section: NDArray[np.str_]) -> float:
    """Balanced accuracy on spots that were not learned from.

    Args:
        x: (n, d).
        labels: what is asked for, (n,).
        section: whose spots are shared out evenly, (n,).
    """
    from sklearn.linear_model import RidgeClassifier  # takes a second to import
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold

    named = np.empty_like(labels)
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, section):
        model = RidgeClassifier(alpha=PENALTY, class_weight="balanced").fit(x[train], labels[train])
        named[test] = model.predict(x[test])
    return float(balanced_accuracy_score(labels, named))
