"""The table of `README.md`: ridge, ridge on neighbours and the committee on held-out sections."""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from hespotex.batches.fold import Fold
from hespotex.metrics import gene_pearson, pearson_given
from hespotex.records.build import build_fold, build_sections
from hespotex.training.fit import prepared_module

log = logging.getLogger("committee")
CONF = Path(__file__).parents[2] / "conf"
MODELS = ("ridge", "ridge_neighbours", "strict")
FOLDS = {"leave_one_section_out": range(5), "leave_one_group_out": range(2)}


def composed(overrides: list[str]) -> dict[str, Any]:
    """The config of a training command with these words."""
    config = OmegaConf.to_container(compose("train", overrides), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def scores(config: dict[str, Any], fold: Fold) -> Iterator[tuple[str, float, float]]:
    """Each test section, its mean gene-wise Pearson, and that given the depth of each spot."""
    module = prepared_module(config, fold)
    predicted = module.predict(fold.loader(fold.split.test, module.n_hops))
    for section_id, values in predicted.items():
        section = fold.sections[section_id]
        given = pearson_given(values, section.target, np.log1p(section.depth))
        pcc = gene_pearson(values, section.target.dense())
        yield section_id, float(pcc.nanmean()), float(np.nanmean(given))


def measure(strategy: str, index: int, words: list[str]) -> None:
    """Log the scores of every model on one fold."""
    own = [f"fold={strategy}", f"fold.index={index}", *words]
    configs = {name: composed([f"model={name}", *own]) for name in MODELS}
    fold = build_fold(configs["strict"], build_sections(configs["strict"]))
    for name, config in configs.items():
        for section_id, score, given in scores(config, fold):
            log.info("| %s | %s | %s | %.4f | %.4f |", strategy, section_id, name, score, given)


def main() -> None:
    """Every fold; further words are overrides, such as `data.reader.root=PATH`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="overrides of train.py")
    words = ["data=her2st", "paths.run=null", *parser.parse_args().words]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for strategy, indices in FOLDS.items():
            for index in indices:
                measure(strategy, index, words)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
