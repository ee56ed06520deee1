"""External validation: a trained checkpoint, or its folds together, scored on the sections of
another data set.
"""

import logging
from pathlib import Path
from time import perf_counter
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from hespotex.batches.external import (
    FittedExpression,
    Training,
    missing_genes,
    prepare_external,
    remarks,
    without_failed,
)
from hespotex.batches.fold import Fold, Recipe
from hespotex.common.errors import InputError
from hespotex.common.failures import Failures, read_failed
from hespotex.common.files import digest, read_json
from hespotex.common.locks import alone_in
from hespotex.common.provenance import git_commit, versions
from hespotex.genes.gene_list import GeneList
from hespotex.genes.sets import GeneSets
from hespotex.metrics.own import Metric
from hespotex.prediction.predictor import Predictor, training_scale
from hespotex.records.about import About
from hespotex.records.build import Config, build_metrics, build_sections, resolved
from hespotex.records.checkpoint import restored_target
from hespotex.records.facts import facts_in_use
from hespotex.records.manifest import check_files
from hespotex.results.cost import cost, parameters
from hespotex.results.scores import write_scores

log = logging.getLogger(__name__)
TRAINED = ("panel", "expression", "inputs")  # parts of the data group that come with the checkpoint


def evaluate(cfg: DictConfig) -> None:
    """Predict the sections of `data`, score them, and leave what a training run leaves of its test
    sections.

    Raises:
        InputError: words that do not fit together, sections that the checkpoint has seen, no gene
          in common, or sections that failed; the others are scored.
    """
    _check_settings(cfg)
    config = _without_trained_parts(cfg)
    folder = Path(config["output"])
    predictor = Predictor(config)
    metrics = build_metrics(config)
    with alone_in(folder, "choose output=NEW"):
        if not _finished(folder, predictor, config):
            _score(config, folder, predictor, metrics)


def _score(config: Config, folder: Path, predictor: Predictor, metrics: dict[str, Metric]) -> None:
    sections = build_sections(config)
    with facts_in_use(next(iter(predictor.ensemble.fingerprints))):
        training = training_of(config, predictor)
        recipe = external_recipe(config, predictor)
    failures = Failures("section", folder)
    fold = prepare_external(sections, training, recipe, config["allow_leak"], failures)
    started = perf_counter()
    place = {gene: i for i, gene in enumerate(predictor.genes)}
    columns = [place[gene] for gene in fold.panel.genes]
    predictions: dict[str, Tensor] = {}

    def predict(section_id: str) -> None:
        whole = predictor.ensemble(predictor.batches(fold.graph(section_id)))
        predictions.update({name: values[:, columns] for name, values in whole.items()})

    fold = fold.of_test(without_failed(fold.split.test, failures, predict))
    notes = remarks(fold, training)
    for remark in notes:
        log.warning("%s", remark)
    spots = sum(len(values) for values in predictions.values())
    costs = cost(
        parameters(predictor.ensemble.modules[0]), {"predict": perf_counter() - started}, spots
    )
    about: About = {**describe(config, predictor, fold), "remarks": notes, "cost": costs}
    write_scores(folder, fold, predictions, about, metrics)
    log.info("table: python -m hespotex.summary %s", folder)
    failures.check()


def training_of(config: Config, predictor: Predictor) -> Training:
    """What the checkpoints tell of the sections that they have seen."""
    return Training(
        facts=predictor.ensemble.sections_seen(),
        same_data=_root(config["data"]) == _root(predictor.about["config"]["data"]),
        pitch_um=predictor.about["pitch_um"],
        genes=predictor.genes,
        gene_sets=GeneSets.from_dict(predictor.about.get("gene_sets", {})),
    )


def external_recipe(config: Config, predictor: Predictor) -> Recipe:
    """The checkpoint's genes, target and image inputs for another data set."""
    return Recipe(
        encoder=predictor.encoder,
        nuclei=predictor.nuclei,
        panel=GeneList(genes=predictor.genes, markers=config["map_genes"]),
        expression=FittedExpression(restored_target(predictor.about), predictor.about["genes"]),
        inputs=predictor.inputs,
        store=predictor.store,
        batching=predictor.batching,
        training=training_scale(predictor.about),
    )


def _root(data: Config) -> Path:
    return Path(str(data["reader"].get("root"))).absolute()


def describe(config: Config, predictor: Predictor, fold: Fold) -> About:
    """What a reader of these scores must know: the facts of training, less what is of this data
    set.
    """
    about = predictor.about
    ensemble = predictor.ensemble
    training = {
        side: sorted({i for m in ensemble.members for i in m["split"][side]})
        for side in ("train", "val")
    }
    return about | {
        "data": f"{config['data']['name']} (trained on {about['data']})",
        "fold_strategy": "external",
        "split": fold.split.to_dict() | training,
        "leaks": fold.split.leaks,
        "data_fingerprint": fold.fingerprint(),
        "section_facts": {i: section.facts for i, section in fold.sections.items()},
        "sample_table": fold.sample_table,
        "genes": fold.panel.genes,
        "missing_genes": missing_genes(fold, predictor.genes),
        "checkpoints": ensemble.fingerprints,
        "request": _request(predictor, config),
        "versions": versions(),
        "git_commit": git_commit(),
        "config": config,
    }


def _request(predictor: Predictor, config: Config) -> str:
    """Hash of what is scored on what."""
    return digest([sorted(predictor.ensemble.fingerprints.values()), config["data"]])


def _finished(folder: Path, predictor: Predictor, config: Config) -> bool:
    """Whether the very same was scored into this folder before.

    Raises:
        InputError: the folder holds something else.
    """
    file = folder / "metrics.json"
    if not file.is_file() or config["restart"]:
        return False
    check_files(folder)
    if read_json(file, "restart=true scores again").get("request") != _request(predictor, config):
        raise InputError(
            f"{folder} holds other scores; choose output=NEW, or restart=true to replace them"
        )
    if read_failed(folder):  # those may do by now
        return False
    log.info("%s is finished: nothing to do (restart=true repeats it)", folder)
    return True


def _check_settings(cfg: DictConfig) -> None:
    """Refuse settings that would be ignored."""
    if not cfg.get("data"):
        raise InputError(
            "evaluate=true needs sections with counts: set data=... and data.reader.root=PATH, as"
            " for train.py"
        )
    if cfg.slides:
        raise InputError("evaluate=true scores the sections of data=...; leave slides out")
    if cfg.measured:
        raise InputError(
            "evaluate=true gives the model no measured spots; leave measured out (train.py"
            " experiment=measured scores image and spots together)"
        )
    keys = [word.lstrip("+~").split("=")[0] for word in HydraConfig.get().overrides.task]
    owned = [
        word
        for word in keys
        if word.replace("/", ".").split(".")[:2] in [["data", group] for group in TRAINED]
    ]
    if owned:
        raise InputError(f"{', '.join(owned)}: comes with the checkpoint and cannot be set here")


def _without_trained_parts(cfg: DictConfig) -> Config:
    """The config as plain values, less the parts of the data group that the checkpoint brings."""
    content: Any = OmegaConf.to_container(cfg)
    content["data"] = {
        name: settings for name, settings in content["data"].items() if name not in TRAINED
    }
    return resolved(OmegaConf.create(content))
