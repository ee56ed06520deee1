"""The paper's demonstration on this machine: 10 sections, 42,212 spots, 2,468 genes, patches of 224
px out of tiled TIFFs, each section left out once, 30 epochs.

The authors report about 15 hours on one A100-80G. Each encoder sees each patch once; every model
then trains and is scored on each fold as in any other sweep. What is finished is kept in the folder
of the data and not done again, so an interrupted call may be repeated; its rows are of what it did.
"""

import argparse
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from measuring import peak_gib, processor_name, reset_peak
from stages import MEASURED_GENES, VISIUM_PATCH_UM, drawn, make_config
from stand_in import vit_b32
from synthetic import VISIUM, write_sections

from hespotex.embeddings import embed as embedding
from hespotex.embeddings.embed import fill, is_filled
from hespotex.embeddings.encoder import Encoder
from hespotex.embeddings.pipeline import encode_spots
from hespotex.records.build import Config, build, build_sections
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section
from hespotex.sections.sections import Sections
from hespotex.training.run import train_fold

log = logging.getLogger("speed")
SECTIONS = 10
SPOTS = 42_212
GENES = 2_468
EPOCHS = 30
PUBLISHED_HOURS = 15
WITH_NUCLEI = ("dual_stream", "published")
WITH_EPOCHS = (*WITH_NUCLEI, "mlp")
LAPS = {"embed": "set-up", "teacher": "teacher", "fit": "fit", "predict": "predict"}
HISTOLOGY = {
    "_target_": "hespotex.encoders.histology.HistologyEncoder",
    "name": "histology",
    "patch_um": [150, 350],
}
ENCODERS: dict[str, dict[str, Any]] = {"histology": HISTOLOGY, "vit_b32": vit_b32(VISIUM_PATCH_UM)}


@dataclass
class Table:
    """Wall and processor seconds and the highest memory of each stage, shown as they come."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, encoder: str, model: str, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        reset_peak()
        wall = perf_counter()
        cpu = process_time()
        yield
        wall = perf_counter() - wall
        self.row(encoder, model, name, wall, process_time() - cpu, peak_gib())

    def row(
        self,
        encoder: str,
        model: str,
        name: str,
        wall: float,
        cpu: float | None = None,
        gib: float | None = None,
    ) -> None:
        """One line; `-` for what was not measured."""
        total = f"{encoder}, {model}" if model else encoder
        if cpu is not None:
            self.seconds[total] = self.seconds.get(total, 0.0) + wall
        numbers = [f"{wall:,.1f}", *("-" if n is None else f"{n:,.2f}" for n in (cpu, gib))]
        log.info("| %s |", " | ".join([encoder, model, name, *numbers]))


HEADER = "| encoder | model | stage | wall s | CPU s | peak GiB |\n|---|---|---|---|---|---|"


def config_of(
    options: argparse.Namespace, root: Path, encoder: str, model: str, fold: int
) -> Config:
    """One run like any other, its embeddings in a store that all of them share."""
    work = options.data / f"paper-{options.spots}"
    overrides = [
        f"model={model}",
        "fold=leave_one_section_out",
        f"fold.index={fold}",
        f"data.n_genes_at_most={options.genes}",
        f"trainer={options.trainer}",
        f"paths.store={work / 'store'}",
        *([f"model.max_epochs={options.epochs}"] if model in WITH_EPOCHS else []),
        *(["nuclei=haematoxylin"] if model in WITH_NUCLEI else []),
        *options.overrides,
    ]
    run = work / "runs" / encoder / model / f"fold{fold}"
    config = make_config(root, run, overrides, ENCODERS[encoder])
    if options.teacher_epochs and config["model"]["teacher"]:
        config["model"]["teacher"]["max_epochs"] = options.teacher_epochs
    return config


def fill_store(
    table: Table, config: Config, sections: Sections, encoder: str, at_most: int
) -> None:
    """Every patch of every section once, and the nuclei of each spot where a model counts.

    Beyond `at_most` sections embeddings are drawn at random: all else takes as long with them.
    """
    built = build(config["encoder"])
    store = build(config["store"])
    counter = build(config["nuclei"]["counter"])
    for name, nuclei in (("embed", None), ("count nuclei of", counter)):
        missing = [i for i in sections.keys if not is_filled(sections[i], built, nuclei, store)]
        encoded = missing if nuclei else missing[:at_most]
        if encoded:
            spots = sum(len(sections[i].adata) for i in encoded)
            with table.stage(encoder, "", f"{name} {len(encoded)} sections, {spots:,} spots"):
                for section_id in encoded:
                    fill(sections[section_id], built, nuclei, store)
        embedding.encode_spots = drawn_as_wide if not nuclei else encode_spots
        for section_id in missing[len(encoded) :]:
            fill(sections[section_id], built, nuclei, store)
        embedding.encode_spots = encode_spots


def drawn_as_wide(
    section: Section, spec: PatchSpec, encoder: Encoder, start: int = 0, **_: Any
) -> Iterator[np.ndarray]:
    """Drawn embeddings as wide as those that the encoder makes of the first patches."""
    width = next(encode_spots(section, spec, encoder)).shape[1]
    return drawn(section, spec, encoder, start, width)


def train(table: Table, config: Config, sections: Sections, encoder: str, fold: int) -> None:
    """One fold from its embeddings to its scores, and the wall of its parts."""
    model = config["model"]["name"]
    with table.stage(encoder, model, f"fold {fold}"):
        train_fold(config, sections)
    about = json.loads((Path(config["paths"]["run"]) / "metrics.json").read_text())
    laps = about["cost"]["seconds"]
    for lap, name in LAPS.items():
        table.row(encoder, model, f"fold {fold}: of it {name}", laps[lap])


def measure(options: argparse.Namespace) -> Table:
    """All encoders, models and folds that were asked for, one after the other."""
    each, rest = divmod(options.spots, SECTIONS)
    names = {f"S{number}": each + (number < rest) for number in range(SECTIONS)}
    root = write_sections(
        options.data / f"whole-{SECTIONS}-{options.spots}", names, MEASURED_GENES, VISIUM
    )
    table = Table()
    log.info("%s", HEADER)
    for encoder in options.encoders:
        sections = None
        for model in options.models:
            for fold in options.folds:
                config = config_of(options, root, encoder, model, fold)
                sections = sections or build_sections(config)
                fill_store(table, config, sections, encoder, options.embed)
                train(table, config, sections, encoder, fold)
    return table


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=Path("data/speed"), help="sections, embeddings and runs")
    add("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    add("--models", nargs="+", default=["strict", "dual_stream"], help="of the config group model")
    add("--embed", type=int, default=SECTIONS, help="sections whose patches are truly encoded")
    add("--folds", type=int, nargs="+", default=list(range(SECTIONS)))
    add("--epochs", type=int, default=EPOCHS, help="of models that have epochs")
    add("--teacher-epochs", type=int, help="of the teacher (default: the model's own)")
    add("--spots", type=int, default=SPOTS, help="fewer to try it out")
    add("--genes", type=int, default=GENES)
    add("--trainer", default="cpu", help="of the config group trainer (default: %(default)s)")
    add("--overrides", nargs="*", default=[], help="of the config")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    options.data.mkdir(parents=True, exist_ok=True)
    log.info(
        "%s, %d threads, torch %s\n", processor_name(), torch.get_num_threads(), torch.__version__
    )
    report(measure(options), options)


def report(table: Table, options: argparse.Namespace) -> None:
    """Totals, beside what the authors report where all folds of their size were run."""
    whole = options.spots == SPOTS and len(options.folds) == SECTIONS
    for total, seconds in table.seconds.items():
        log.info("%s: %.1f min", total, seconds / 60)
    if whole:
        log.info("The authors report %d h for one model.", PUBLISHED_HOURS)
    if torch.cuda.is_available():
        gib = torch.cuda.max_memory_allocated() / 2**30
        log.info("%s, at most %.2f GiB of its memory", torch.cuda.get_device_name(), gib)


if __name__ == "__main__":
    main()
