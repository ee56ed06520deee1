"""From the words of `python -m hespotex.statistics` to its files."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from hespotex.cli.numbers import check_numbers
from hespotex.cli.shares import own_share
from hespotex.common.errors import InputError
from hespotex.common.failures import Failures
from hespotex.common.files import atomic_path, safe_name
from hespotex.common.progress import progress
from hespotex.common.spreadsheet import write_csv
from hespotex.embeddings.store import EmbeddingStore
from hespotex.histology.names import statistic_names
from hespotex.named_statistics.table import check_encoder, statistics_table
from hespotex.prediction.slide_list import SlideFile, find_slides
from hespotex.prediction.slide_spots import read_spots
from hespotex.records.build import Config, build, resolved
from hespotex.results.predictions import write_h5ad
from hespotex.results.slide.flat import write_flat
from hespotex.results.slide.table import positions
from hespotex.sections.section import Section
from hespotex.sections.sections import Sections

NAMES = "statistics.csv"
FLAT = ("parquet", "csv")
OWNED = ("panel", "expression", "inputs")  # parts of the data group that a model's settings fill
log = logging.getLogger(__name__)
Read = Callable[[], Section]


def write_statistics(cfg: DictConfig) -> None:
    """Write the statistics of this job's share of the slides, or sections; what fails is named at
    the end.

    Raises:
        InputError: words that do not fit together, or slides or sections that failed.
    """
    config = _plain(cfg)
    encoder = check_encoder(build(config["encoder"]))
    store: EmbeddingStore = build(config["store"])
    output = Path(config["output"])
    what = "section" if config.get("data") else "slide"
    wanted = list(_sections(config) if config.get("data") else _slides(config, output))
    failures = Failures(what, output)
    for name, read in progress(wanted[own_share(config)], what, f"{what}s"):
        with failures.of(name):
            table = statistics_table(read(), encoder, store)
            _write(table, output / f"{safe_name(name)}_statistics", config["flat"])
    _write_names(statistic_names(encoder.patch_um), output / NAMES)
    failures.check()


def _plain(cfg: DictConfig) -> Config:
    """The config as plain values, less what says how a data set is trained on."""
    content: Any = OmegaConf.to_container(cfg)
    if bool(content.get("data")) == bool(content["slides"]):
        found = "both" if content["slides"] else "neither"
        raise InputError(f"expected slides=PATH or data=NAME, found {found}; --help has examples")
    if content["flat"] not in FLAT:
        raise InputError(f"flat: expected {' or '.join(FLAT)}, got {content['flat']}")
    if content["pitch_um"] is None:
        raise InputError("pitch_um: expected a length in um such as pitch_um=100, got null")
    if data := content.get("data"):
        content["data"] = {name: part for name, part in data.items() if name not in OWNED}
    config = resolved(OmegaConf.create(content))
    check_numbers(config)
    return config


def _slides(config: Config, output: Path) -> Iterator[tuple[str, Read]]:
    """Each slide's name, and what reads it."""
    spots = {"pitch_um": config["pitch_um"], "spot_diameter_um": config["pitch_um"]}
    for slide in find_slides(config["slides"], config["recursive"], output):
        yield slide.title, partial(_at_spots, slide, config, spots)


def _at_spots(slide: SlideFile, config: Config, spots: Config) -> Section:
    return read_spots(slide, config, spots, trained=False)[0]


def _sections(config: Config) -> Iterator[tuple[str, Read]]:
    """Each section's id, and what reads it."""
    if config["positions"]:
        raise InputError("positions=FILE is of a slide; sections of data=... have their own spots")
    data = config["data"]
    rules = build(data["genes"]), data["min_counts"]
    sections = Sections(build(data["reader"]), *rules, keep_gib=0.0)
    for section_id in sections.keys:
        yield section_id, partial(sections.__getitem__, section_id)


def _write(table: ad.AnnData, stem: Path, flat: str) -> None:
    """The flat table, and after it the h5ad, whose `obs` tells the positions too."""
    write_flat(table, stem.with_name(f"{stem.name}.{flat}"))
    table.obs = pd.concat([positions(table), table.obs], axis=1)
    file = stem.with_name(f"{stem.name}.h5ad")
    write_h5ad(table, file)
    log.info("%s: %d statistics at %d spots", file, table.n_vars, len(table))


def _write_names(names: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as part:
        write_csv(names.reset_index(), part, index=False)
