"""The committee and ridges on what a teacher says of the counts, scored on what was measured, with
everything fitted anew on each set of training sections.

python experiments/committee/taught.py data=her2st data.reader.root=PATH
"""

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from hydra import initialize_config_dir
from measure import CONF, composed
from numpy.typing import NDArray
from scipy import sparse
from teachers import TEACHERS, denoised, of_latents

from hespotex.batches.fold import Fold
from hespotex.batches.prepare import prepare_fold
from hespotex.genes.expression import panel_counts
from hespotex.genes.target import Target
from hespotex.metrics import gene_pearson
from hespotex.modules.strict import StrictModule, sources_of
from hespotex.nn.committee import Fitted, part_names
from hespotex.records.build import Config, build_recipe, build_sections
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split
from hespotex.training.fit import prepared_module

log = logging.getLogger("taught")
Floats = NDArray[np.float64]
Values = dict[str, Any]  # predictions (n_spots, n_genes) by section
MEASURED = "measured"
BASELINES = ("ridge", "ridge_neighbours")


def training_sets(groups: Mapping[str, str]) -> list[list[str]]:
    """Without each section, without each two of them, and each patient alone."""
    ids = list(groups)
    left_out = [set(few) for n in (1, 2) for few in combinations(ids, n)]
    alone = [[i for i in ids if groups[i] == group] for group in dict.fromkeys(groups.values())]
    sets = alone + [[i for i in ids if i not in few] for few in left_out]
    return [list(one) for one in dict.fromkeys(map(tuple, sets))]


def targets(
    fold: Fold, sections: Sections, teachers: Sequence[str]
) -> Iterator[tuple[str, dict[str, Floats]]]:
    """By what is learned: the target (n_spots, g) of each training section."""
    names = fold.split.train
    tables = [panel_counts(sections[i], fold.panel)[0].toarray() for i in names]
    section = np.repeat(np.arange(len(names)), [len(table) for table in tables])
    counts = np.concatenate(tables).astype(np.float64)
    depth = np.concatenate([fold.sections[i].depth for i in names])
    measured = np.concatenate([fold.sections[i].target.dense().numpy() for i in names])
    for name in teachers:
        taught = TEACHERS[name](counts, depth, section)
        log.info("%s: %d programmes of %s", name, taught.latents.shape[1], names)
        programmes = of_latents(measured, taught.latents, section)
        for kind, table in (("programmes", programmes), ("denoised", denoised(taught, depth))):
            yield f"{name}, {kind}", {i: table[section == n] for n, i in enumerate(names)}


def taught_fold(fold: Fold, tables: Mapping[str, Floats]) -> Fold:
    """The same fold whose training sections have these targets."""
    sections = dict(fold.sections)
    for section_id, table in tables.items():
        own = sections[section_id]
        target = Target(sparse.csr_matrix(table, dtype=np.float32), own.target.known)
        graph = replace(own.graph, target=target)
        sections[section_id] = replace(own, target=target, graph=graph)
    return replace(fold, sections=sections).of_training()


@torch.no_grad()
def committee(fold: Fold, fitted: Fitted | None = None) -> tuple[Values, Fitted]:
    """Of the test sections, and the committee; with all choices of another one if it is given."""
    module = StrictModule(**fold.widths())
    module.set_scaling(*fold.gene_scaling, fold.expression.lowest)
    parts = part_names({i: fold.group(i) for i in fold.split.train})
    train = fold.loader(fold.split.train, module.n_hops)
    sums = module.gathered(train, sources_of(fold), parts, {})
    own = sums.fit_as(fitted.members, fitted.score, fitted.slope) if fitted else sums.fit()
    module.weight.copy_(own.weight)
    module.bias.copy_(own.bias)
    return dict(module.predict(fold.loader(fold.split.test, module.n_hops))), own


def predictions(config: Config, fold: Fold) -> Values:
    """Of the test sections, by the model of this config; all its choices are made on what it
    learns.
    """
    module = prepared_module(config, fold)
    return dict(module.predict(fold.loader(fold.split.test, module.n_hops)))


def alone_and_mixed(name: str, measured: Values, taught: Values) -> Iterator[tuple[str, Values]]:
    """What was taught, and its sum with what was measured."""
    yield name, taught
    yield f"{name}, and measured", {i: measured[i] + taught[i] for i in taught}


def learned(
    fold: Fold, sections: Sections, teachers: Sequence[str], baselines: Mapping[str, Config]
) -> Iterator[tuple[str, Values]]:
    """Predictions by what was learned; the measured expression decides all settings of the
    committee.
    """
    base, fitted = committee(fold)
    plain = {model: predictions(config, fold) for model, config in baselines.items()}
    yield MEASURED, base
    yield from ((f"{model}, {MEASURED}", values) for model, values in plain.items())
    for name, tables in targets(fold, sections, teachers):
        taught = taught_fold(fold, tables)
        yield from alone_and_mixed(name, base, committee(taught, fitted)[0])
        for model, config in baselines.items():
            own = predictions(config, taught)
            yield from alone_and_mixed(f"{model}, {name}", plain[model], own)


def scores(
    config: Config, teachers: Sequence[str], baselines: Mapping[str, Config]
) -> Iterator[dict[str, Any]]:
    """A row for each set of training sections, what was learned, and section left out."""
    sections = build_sections(config)
    groups = {i: key.group for i, key in sections.keys.items()}
    for train in training_sets(groups):
        test = [i for i in groups if i not in train]
        fold = prepare_fold(sections, Split(0, 1, train, [], test), build_recipe(config))
        for name, values in learned(fold, sections, teachers, baselines):
            for section_id, predicted in values.items():
                target = fold.sections[section_id].target.dense()
                score = float(gene_pearson(predicted, target).nanmean())
                log.info("%s | %s | %s | %.4f", " ".join(train), name, section_id, score)
                place = {"train": tuple(train), "learned": name, "section": section_id}
                yield {**place, "score": score}


def columns(train: tuple[str, ...], section: str, groups: Mapping[str, str]) -> Iterator[str]:
    """Means that a score counts in."""
    n_left_out = len(groups) - len(train)
    apart = groups[section] not in {groups[i] for i in train}
    whole = {i for i in groups if groups[i] != groups[section]}
    if n_left_out == 1:
        yield "sections: test"
    if n_left_out == 2:
        yield "sections left out inside"
    if apart and set(train) == whole:
        yield "patients: test"
    if apart and (set(train) < whole or n_left_out > 2):
        yield "patients left out inside"


def main() -> None:
    """Means of each kind, and the test sections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+", help="overrides of train.py")
    parser.add_argument("--teachers", nargs="+", default=list(TEACHERS), choices=TEACHERS)
    told = parser.parse_args()
    words = ["paths.run=null", *told.words]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = composed(["model=strict", *words])
        baselines = {name: composed([f"model={name}", *words]) for name in BASELINES}
        rows = list(scores(config, told.teachers, baselines))
        groups = {i: key.group for i, key in build_sections(config).keys.items()}
    kinds = [
        {**row, "kind": kind}
        for row in rows
        for kind in columns(row["train"], row["section"], groups)
    ]
    table = pd.DataFrame(kinds)
    log.info(table.pivot_table("score", "learned", "kind", sort=False).round(4).to_string())
    tests = table[table["kind"].str.endswith("test")]
    each = tests.pivot_table("score", ["kind", "learned"], "section", sort=False)
    log.info(each.round(4).to_string())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
