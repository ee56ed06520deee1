"""Can the section, or the patient, of a spot be read off its standardised embedding?

python experiments/committee/probe.py data=her2st data.reader.root=PATH

A linear classifier learns on four fifths of each section's spots, drawn at random, and is asked for
the others. (Halves by place would mislead: both halves of a standardised section add up to zero.)
"""

import argparse
import logging

import numpy as np
import torch
from encoders import ENCODERS
from hydra import initialize_config_dir
from measure import CONF, composed
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold

from hespotex.batches.fold import Fold
from hespotex.records.build import build_fold, build_sections

log = logging.getLogger("probe")
PENALTY = 1000.0  # for inputs of unit variance
STANDARDIZE = ("section", "training", "none")


def spots(fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, d) of unit variance over all spots, and the section of each spot (n,)."""
    inputs = {i: fold.graph(i).inputs["image_embedding"] for i in fold.section_ids}
    names = [np.full(len(rows), section_id) for section_id, rows in inputs.items()]
    x = np.concatenate([rows[torch.arange(len(rows))].numpy() for rows in inputs.values()])
    return (x - x.mean(0)) / np.maximum(x.std(0), 1e-6), np.concatenate(names)


def accuracy(x: np.ndarray, labels: np.ndarray, section: np.ndarray) -> float:
    """Balanced accuracy on spots that were not learned from."""
    told = np.empty_like(labels)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(x, section):
        model = RidgeClassifier(PENALTY, class_weight="balanced").fit(x[train], labels[train])
        told[test] = model.predict(x[test])
    return float(balanced_accuracy_score(labels, told))


def main() -> None:
    """A line for each way to standardise and each encoder: accuracy and chance, twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+", help="overrides of train.py")
    words = ["paths.run=null", "fold=leave_one_group_out", *parser.parse_args().words]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for way in STANDARDIZE:
            for name, own in ENCODERS.items():
                config = composed([*own, f"data.inputs.standardize={way}", *words])
                fold = build_fold(config, build_sections(config))
                x, section = spots(fold)
                patient = np.array([fold.group(i) for i in section])
                told = [
                    f"{accuracy(x, labels, section):.3f} (chance {1 / len(set(labels)):.3f})"
                    for labels in (section, patient)
                ]
                log.info("| %s | %s | %s |", way, name, " | ".join(told))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
