"""The size of HEST-1k: doctor, set-up of two folds, closed forms and an epoch on many mixed
sections, with time, memory and disk of each stage.
"""

import argparse
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import torch
from hest_like import SPOTS, write_folder
from measuring import STATUS, peak_gib, reset_peak
from stages import VISIUM_PATCH_UM, drawn, make_config

from hespotex.batches.datamodule import SectionDataModule
from hespotex.batches.fold import Fold
from hespotex.checkup.findings import Findings
from hespotex.checkup.walk import Walk
from hespotex.embeddings import embed as embedding
from hespotex.records.build import (
    Config,
    build,
    build_fold,
    build_recipe,
    build_sections,
    build_trainer,
)
from hespotex.training.fit import predict_test, prepared_module
from hespotex.training.teacher import attach_latents

log = logging.getLogger("speed")
doctor = logging.getLogger("hespotex.checkup.walk")
GIB = 2**30
HEADER = (
    "| sections | spots | stage | seconds | CPU seconds | own memory, peak GiB | with mapped files"
    " | store GiB |\n|---|---|---|---|---|---|---|---|"
)
ENCODER = {"_target_": "stand_in.PixelEncoder", "name": "pixels", "patch_um": VISIUM_PATCH_UM}


class OwnMemory(threading.Thread):
    """Watches the memory that is this process's own: pages of mapped files, which the system takes
    back when it needs room, are not in it.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            lines = STATUS.read_text().splitlines()
            own = next(line for line in lines if line.startswith("RssAnon"))
            self.peak = max(self.peak, int(own.split()[1]) / 2**20)


@dataclass
class Table:
    """Lines of the table as they come."""

    n_sections: int
    n_spots: int
    store: Path

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        reset_peak()
        watch = OwnMemory()
        watch.start()
        started = perf_counter(), process_time()
        yield
        wall, cpu = perf_counter() - started[0], process_time() - started[1]
        watch.stopped.set()
        sizes = f"{watch.peak:.2f} | {peak_gib():.2f} | {folder_bytes(self.store) / GIB:.2f}"
        facts = f"{self.n_sections:,} | {self.n_spots:,} | {name}"
        log.info("| %s | %.1f | %.1f | %s |", facts, wall, cpu, sizes)


def folder_bytes(folder: Path) -> int:
    """Room on the disk that the files of a folder take."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())


def config_of(root: Path, run: Path, model: str, fold: int, overrides: list[str]) -> Config:
    """Of one fold: a patient is tested, all others train, genes may be missing in some sections."""
    fixed = ["data=hest", f"model={model}", f"fold.index={fold}", "data.panel.measured_in=0.5"]
    fixed += ["model.max_epochs=1", "nuclei=none", "data.reader.source=patches"]
    return make_config(root, run, [*fixed, *overrides], ENCODER)


def measure(options: argparse.Namespace) -> None:
    """All stages, each after the other in one process."""
    root = write_folder(options.data, options.sections, spots=options.spots)
    embedding.encode_spots = drawn  # type: ignore[assignment]
    run = options.data / "run"
    names = ",".join(f"S{i:04d}" for i in range(options.sections))
    overrides = [f"data.reader.sections=[{names}]", *options.overrides]
    config = config_of(root, run, options.models[0], 0, overrides)
    table = Table(options.sections, 0, run / "store")
    with table.stage("doctor"):
        ask_doctor(config)
    with table.stage("list sections"):
        sections = build_sections(config)
    with table.stage("set up the first fold"):
        fold = build_fold(config, sections)
    table.n_spots = sum(len(known.graph) for known in fold.sections.values())
    with table.stage("set up the second fold"):
        other = config_of(root, run, options.models[0], 1, overrides)
        build_fold(other, build_sections(other))
    for model in options.models:
        fit(table, config_of(root, run, model, 0, overrides), fold)


def ask_doctor(config: Config) -> None:
    """The check-up; the log has what it says of disk and memory, and any problem."""
    findings = Findings()
    sections = build_sections(config)
    Walk(config, sections, build(config["fold"]), build_recipe(config), findings, None)()
    for problem in findings.problems:
        log.warning("the doctor: %s", problem)


def fit(table: Table, config: Config, fold: Fold) -> None:
    """Closed form, epoch and test sections of one model."""
    model = config["model"]["name"]
    if config["model"]["teacher"]:
        with table.stage(f"{model}: teacher"):
            fold, _ = attach_latents(config, fold)
    with table.stage(f"{model}: closed form"):
        module = prepared_module(config, fold)
    quiet = {"logger": False, "enable_checkpointing": False, "use_distributed_sampler": False}
    trainer = build_trainer(config, callbacks=[], **quiet, limit_val_batches=0)
    if module.automatic_optimization:
        with table.stage(f"{model}: an epoch"):
            data = SectionDataModule(fold, module.n_hops, config["seed"])
            trainer.fit(module, datamodule=data)
    with table.stage(f"{model}: predict the test sections"):
        predict_test(trainer, module, fold)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time, memory and disk for many sections.")
    parser.add_argument("--sections", type=int, required=True)
    parser.add_argument("--spots", type=int, default=SPOTS, help="of a section (%(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data/hest_size"), help="(%(default)s)")
    parser.add_argument("--models", nargs="+", default=["ridge", "strict", "mlp"])
    parser.add_argument("--overrides", nargs="*", default=[], help="of the config")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    doctor.setLevel(logging.INFO)
    doctor.addFilter(lambda record: record.getMessage().startswith("encoder"))
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    log.info("%d threads, torch %s\n\n%s", torch.get_num_threads(), torch.__version__, HEADER)
    measure(options)


if __name__ == "__main__":
    main()
