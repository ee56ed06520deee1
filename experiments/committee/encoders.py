"""Encoders alone and fused late: scores on left-out training sections, and on the test sections.

python experiments/committee/encoders.py data=her2st data.reader.root=PATH
"""

import argparse
import logging
from collections.abc import Iterator

import pandas as pd
from hydra import initialize_config_dir
from measure import CONF, composed, scores

from hespotex.batches.fold import Fold
from hespotex.records.build import build, build_fold, build_sections

log = logging.getLogger("encoders")
ENCODERS = {
    "histology": ["encoder=histology"],
    "efficientnet_lite0": ["encoder=efficientnet_lite0"],
    "histology + efficientnet_lite0": [
        "encoder=pair",
        "encoder@encoder.parts.second=efficientnet_lite0",
    ],
    "histology + random weights": ["encoder=pair", "encoder@encoder.parts.second=random_vit"],
}
MODELS = ("ridge", "ridge_neighbours", "strict")
STRATEGIES = ("leave_one_section_out", "leave_one_group_out")
PLACE = ["strategy", "encoder", "model"]


def inner_folds(fold: Fold) -> Iterator[tuple[str, Fold]]:
    """The training sections without each section, and without each patient."""
    train = fold.split.train
    groups: dict[str, list[str]] = {}
    for section_id in train:
        groups.setdefault(fold.group(section_id), []).append(section_id)
    left_out = [("inner, sections", [section_id]) for section_id in train if len(train) > 1]
    left_out += [("inner, patients", ids) for ids in groups.values() if len(groups) > 1]
    for kind, ids in left_out:
        yield kind, fold.leaving_out(ids).of_training()


def measured(words: list[str], strategies: list[str]) -> Iterator[dict[str, object]]:
    """A row for each strategy, encoder, model, fold, kind and section."""
    for strategy in strategies:
        for encoder, own in ENCODERS.items():
            given = [f"fold={strategy}", *own, *words]
            config = composed(given)
            sections = build_sections(config)
            for index in build(config["fold"]).possible(list(sections.keys.values())):
                indexed = [*given, f"fold.index={index}"]
                fold = build_fold(composed(indexed), sections)
                for kind, part in [("test", fold.of_training()), *inner_folds(fold)]:
                    for model in MODELS:
                        found = scores(composed([f"model={model}", *indexed]), part)
                        for section_id, score, _ in found:
                            place = zip(PLACE, (strategy, encoder, model), strict=True)
                            row = {**dict(place), "fold": index, "kind": kind}
                            yield {**row, "section": section_id, "score": score}


def main() -> None:
    """Means of each kind, and each test section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+", help="overrides of train.py")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES, choices=STRATEGIES)
    told = parser.parse_args()
    words = ["paths.run=null", *told.words]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        table = pd.DataFrame(measured(words, told.strategies))
    kinds = table.pivot_table("score", PLACE, "kind", sort=False)
    each = table[table["kind"] == "test"].pivot_table("score", PLACE, "section", sort=False)
    log.info(kinds.join(each).round(4).to_string())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
