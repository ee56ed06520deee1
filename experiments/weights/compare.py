"""What a fit gains where sections or patients count alike, on training patients: the last patient
is left out of the study, each of the others is predicted from the rest.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import open_dict

from hespotex.batches.fold import Fold
from hespotex.batches.prepare import prepare_fold
from hespotex.metrics import gene_pearson
from hespotex.records.build import Config, build_recipe, build_sections, resolved
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split
from hespotex.training.fit import prepared_module

CONF = Path(__file__).parents[2] / "conf"
UNITS = (None, "sections", "groups")
log = logging.getLogger("weights")


def config_of(model: str, overrides: list[str]) -> Config:
    """The project's config of a model."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"model={model}", *overrides], return_hydra_config=True)
    with open_dict(config):
        config.paths.run = "none"
        config.pop("hydra")
    return resolved(config)


def splits(sections: Sections, by: str) -> list[Split]:
    """Each part but the last one, predicted from the others but the last one.

    Args:
        sections: of the data set.
        by: what a part is: a group (patient), or a section.
    """
    part_of = {i: key.group if by == "group" else i for i, key in sections.keys.items()}
    parts = sorted(set(part_of.values()))[:-1]
    sides = {p: [i for i, part in part_of.items() if part == p] for p in parts}
    return [
        Split(n, len(parts), [i for p in parts if p != out for i in sides[p]], [], sides[out])
        for n, out in enumerate(parts)
    ]


def score(config: Config, fold: Fold) -> float:
    """Mean over test sections of the mean gene-wise Pearson."""
    module = prepared_module(config, fold)
    found = module.predict(fold.loader(fold.split.test, module.n_hops))
    each = [gene_pearson(v, fold.sections[i].target.dense()).nanmean() for i, v in found.items()]
    return float(torch.stack(each).mean())


def weighted(fold: Fold, unit: str | None) -> Fold:
    """The same fold in which these count alike."""
    batching = replace(fold.recipe.batching, weight=unit)
    return replace(fold, recipe=replace(fold.recipe, batching=batching)).of_training()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Scores by unit, patient and model.")
    parser.add_argument("--models", nargs="+", default=["ridge", "strict"])
    parser.add_argument("--by", choices=["group", "section"], default="group")
    parser.add_argument("overrides", nargs="+", help="data=her2st data.reader.root=FOLDER ...")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    configs = {model: config_of(model, options.overrides) for model in options.models}
    first = next(iter(configs.values()))
    sections = build_sections(first)
    for split in splits(sections, options.by):
        fold = prepare_fold(sections, split, build_recipe(first))
        out = " ".join(split.test)
        for model, config in configs.items():
            found = [score(config, weighted(fold, unit)) for unit in UNITS]
            log.info("| %s | %s | %s |", out, model, " | ".join(f"{one:.4f}" for one in found))


if __name__ == "__main__":
    main()
