"""Where the time of an epoch goes: the operations of stage 2, by torch's profiler."""

import argparse
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytorch_lightning as pl
from measuring import Stages
from stages import NETWORK, data_set, draw_beyond, stage_config
from torch.profiler import ProfilerActivity, profile

from hespotex.batches.datamodule import SectionDataModule
from hespotex.embeddings.embed import fill
from hespotex.records.build import build, build_fold, build_sections, build_trainer
from hespotex.training.fit import prepared_module
from hespotex.training.teacher import attach_latents

QUIET = {"logger": False, "enable_checkpointing": False, "use_distributed_sampler": False}


def table(spots: int, genes: int, data: Path, epochs: int, rows: int) -> str:
    """The operations that took longest over these epochs, validation apart."""
    stages = Stages(spots, genes)
    root = data_set(data, spots, spots)
    with TemporaryDirectory(dir=data) as run:
        words = [*NETWORK, f"model.max_epochs={epochs}"]
        config = stage_config(stages, root, Path(run), words)
        draw_beyond(0, spots)
        sections = build_sections(config)
        for section_id in sections.keys:
            fill(sections[section_id], build(config["encoder"]), None, build(config["store"]))
        fold, _ = attach_latents(config, build_fold(config, sections))
        module = prepared_module(config, fold)
        trainer: pl.Trainer = build_trainer(config, limit_val_batches=0, **QUIET)
        datamodule = SectionDataModule(fold, module.n_hops, config["seed"])
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            trainer.fit(module, datamodule=datamodule)
    by_name = profiler.key_averages(group_by_input_shape=False)
    return str(by_name.table(sort_by="self_cpu_time_total", row_limit=rows))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spots", type=int, default=10_000)
    parser.add_argument("--genes", type=int, default=2500)
    parser.add_argument("--data", type=Path, default=Path("data/speed"))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rows", type=int, default=15)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    options.data.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(table(**vars(options)) + "\n")


if __name__ == "__main__":
    main()
