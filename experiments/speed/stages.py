"""Each stage of a run on one data set, measured through the project's own functions; a process for
each row of the table.

One training section of the spots asked for, a validation section of at most `HELD_OUT` spots and a
test section of `--test` spots. Beyond `HELD_OUT` spots no image is read: embeddings are drawn at
random into the store, where all else finds them.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from measuring import Stages, hand_over
from omegaconf import OmegaConf, open_dict
from stand_in import D_IMAGE, PixelEncoder, vit_b32
from synthetic import Assay, assay_of, write_sections

from hespotex.batches.datamodule import SectionDataModule
from hespotex.batches.fold import Fold
from hespotex.embeddings import embed as embedding
from hespotex.embeddings.embed import fill
from hespotex.embeddings.pipeline import encode_spots
from hespotex.records.build import Config, build, build_fold, build_sections, build_trainer
from hespotex.results.about import describe
from hespotex.results.cost import cost, parameters
from hespotex.results.scores import write_scores
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section
from hespotex.training.fit import predict_test, prepared_module
from hespotex.training.teacher import attach_latents

CONF = Path(__file__).parents[2] / "conf"
MEASURED_GENES = 6000
HELD_OUT = 10_000
HD_PATCH_UM = 32.0
VISIUM_PATCH_UM = 112.0
NETWORK = (
    "model=dual_stream",
    "nuclei=none",
    "model.module.nuclei=none",
    "model.teacher.max_epochs=1",
)
SPLIT = "fold,section_id,split\n0,TRAIN,train\n0,VAL,val\n0,TEST,test\n"


def make_config(root: Path, run: Path, overrides: list[str], encoder: dict[str, Any]) -> Config:
    """The project's default config on a data set of `write_sections`, with another encoder."""
    fixed = [
        f"data.reader.root={root}",
        f"paths.store={run / 'store'}",
        "nuclei=none",
        "~callbacks.progress",
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(
            "train",
            ["data=h5ad", *fixed, "data.panel.min_spot_fraction=0", *overrides],
            return_hydra_config=True,
        )
    with open_dict(config):
        config.paths.run = str(run)
        config.encoder = encoder
        config.pop("hydra")
    resolved: Config = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    return resolved


def patch_um(assay: Assay) -> float:
    """Side of a patch: two bins of Visium HD, or a Visium spot with its surroundings."""
    return VISIUM_PATCH_UM if assay.hexagonal else HD_PATCH_UM


def data_set(folder: Path, spots: int, test: int) -> Path:
    """Training, validation and test section; made once."""
    sizes = {"TRAIN": spots, "VAL": min(spots, HELD_OUT), "TEST": test}
    root = write_sections(
        folder / f"stages-{spots}-{test}", sizes, MEASURED_GENES, assay_of(max(spots, test))
    )
    (root / "split.csv").write_text(SPLIT)
    return root


def drawn(
    section: Section,
    _: PatchSpec,
    encoder: PixelEncoder,
    start: int = 0,
    width: int = D_IMAGE,
    **__: Any,
) -> Iterator[np.ndarray]:
    """Embeddings without an image, as wide as those of `stand_in` where no width is given."""
    rng = np.random.default_rng(0)
    n = len(section.adata)
    for first in range(start, n, encoder.batch_size):
        yield rng.standard_normal((min(encoder.batch_size, n - first), width), dtype=np.float32)


def draw_beyond(most: int, spots: int) -> bool:
    """Of more spots than `most` no image is read, and embeddings are drawn; whether that is so."""
    if spots > most:
        embedding.encode_spots = drawn  # type: ignore[assignment]
    return spots > most


def measure(stages: Stages, root: Path, run: Path, options: argparse.Namespace) -> None:
    """All stages of one run but the encoder: the embeddings come from a cheap one."""
    config = stage_config(stages, root, run, ["model=strict", *options.overrides])
    reader = build(config["data"]["reader"])
    with stages.stage("read", stages.spots):
        reader.read("TRAIN")
    every = stages.spots + min(stages.spots, HELD_OUT) + options.test
    large = draw_beyond(HELD_OUT, max(stages.spots, options.test))
    sections = build_sections(config)
    with stages.stage(
        "read and fill the store", every, note="drawn embeddings" if large else "cheap encoder"
    ):
        for section_id in sections.keys:
            fill(sections[section_id], build(config["encoder"]), None, build(config["store"]))
    with stages.stage("set up (panel, targets, graph)", every):
        fold = build_fold(config, sections)
    closed_form(stages, config, fold, run, options.test)
    epochs = [f"model.max_epochs={options.epochs}"]
    config = stage_config(stages, root, run, [*NETWORK, *epochs, *options.overrides])
    fit(stages, config, teach(stages, config, fold, options.epochs))


def stage_config(stages: Stages, root: Path, run: Path, overrides: list[str]) -> Config:
    """Of one model on the three sections, with the cheap encoder."""
    fixed = [
        f"data.n_genes_at_most={stages.genes}",
        "fold=files",
        f"fold.path={root / 'split.csv'}",
        "model.select_on=validation",
    ]
    encoder = {
        "_target_": "stand_in.PixelEncoder",
        "name": "pixels",
        "patch_um": patch_um(assay_of(stages.spots)),
    }
    return make_config(root, run, [*fixed, *overrides], encoder)


def teach(stages: Stages, config: Config, fold: Fold, epochs: int) -> Fold:
    """Stage 1 with one epoch, then with more: the difference is what an epoch costs."""
    with stages.stage("teacher, all but the epochs", stages.spots):
        attach_latents(config, fold)
    config["model"]["teacher"]["max_epochs"] = 1 + epochs
    with stages.stage("teacher, an epoch", stages.spots):
        taught, _ = attach_latents(config, fold)
    once, more = (row.seconds or 0.0 for row in stages.rows[-2:])
    rest, epoch = stages.rows[-2:]
    each = (more - once) / epochs
    known = (
        replace(epoch, seconds=each)
        if each > 0
        else replace(epoch, seconds=None, note="less than the noise of the rest")
    )
    stages.rows[-2:] = [replace(rest, seconds=once - max(each, 0.0)), known]
    return taught


class Clock(pl.Callback):
    """Seconds of each epoch's training and of its validation."""

    def __init__(self) -> None:
        self.train = list[float]()
        self.validate = list[float]()
        self.started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = process_time()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.train.append(process_time() - self.started)
        self.started = process_time()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validate.append(process_time() - self.started)


def fit(stages: Stages, config: Config, fold: Fold) -> None:
    """Stage 2, as `hespotex.training.fit` does it."""
    module = prepared_module(config, fold)
    clock = Clock()
    quiet = {"logger": False, "enable_checkpointing": False, "use_distributed_sampler": False}
    trainer = build_trainer(config, callbacks=[clock], **quiet)
    with stages.stage("fit, an epoch", stages.spots):
        trainer.fit(module, datamodule=SectionDataModule(fold, module.n_hops, config["seed"]))
    epoch = replace(stages.rows[-1], seconds=median(clock.train))
    validated = replace(
        epoch,
        stage="validate",
        unit_spots=min(stages.spots, HELD_OUT),
        seconds=median(clock.validate),
    )
    stages.rows[-1:] = [epoch, validated]


def closed_form(stages: Stages, config: Config, fold: Fold, run: Path, test: int) -> None:
    """The default model, and the evaluation of the test section."""
    with stages.stage("strict: closed form", stages.spots):
        module = prepared_module(config, fold)
    quiet = {"logger": False, "enable_checkpointing": False}
    trainer = build_trainer(config, **quiet)
    predictions: dict[str, torch.Tensor] = {}
    with stages.stage("predict", test):
        predictions |= predict_test(trainer, module, fold)
    about = describe(config, fold, []) | {"val_score": 0.0}
    seconds = {"predict": stages.rows[-1].seconds or 0.0}
    with stages.stage("evaluate and write", test):
        costs = cost(parameters(module), seconds, test)
        write_scores(run, fold, predictions, about | {"cost": costs}, {})


def embed(stages: Stages, root: Path, run: Path, patches: int) -> None:
    """ViT-B/32 on the first patches of the training section, read from its tiled TIFF."""
    config = make_config(root, run / "vit", [], vit_b32(patch_um(assay_of(stages.spots))))
    n = min(patches, stages.spots)
    part = build(config["data"]["reader"]).read("TRAIN").keep(list(range(n)))
    encoder = build(config["encoder"])
    store = build(config["store"])
    embedding.encode_spots = encode_spots
    encoder(torch.zeros(1, 224, 224, 3, dtype=torch.uint8), 0.5)  # builds the network
    with stages.stage(
        "embed, ViT-B/32", n, note="" if n == stages.spots else f"the first {n:,} spots"
    ):
        fill(part, encoder, None, store)


def main() -> None:
    """One row of the table."""
    parser = argparse.ArgumentParser(
        description="Stages of one run; rows go to standard output as JSON."
    )
    parser.add_argument("--spots", type=int, required=True)
    parser.add_argument("--genes", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder for synthetic sections")
    parser.add_argument("--epochs", type=int, default=3, help="epochs that are averaged")
    parser.add_argument(
        "--test",
        type=int,
        help=f"spots of the test section (default: --spots, at most {HELD_OUT:,})",
    )
    parser.add_argument(
        "--patches", type=int, default=512, help="patches for the row of the encoder; 0 for none"
    )
    parser.add_argument("--overrides", nargs="*", default=[], help="of the config")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    options.test = options.test or min(options.spots, HELD_OUT)
    stages = Stages(options.spots, options.genes)
    root = data_set(options.data, options.spots, options.test)
    try:
        with TemporaryDirectory(dir=options.data) as run:
            measure(stages, root, Path(run), options)
            if options.patches:
                embed(stages, root, Path(run), options.patches)
    finally:
        hand_over(stages.rows)


if __name__ == "__main__":
    main()
