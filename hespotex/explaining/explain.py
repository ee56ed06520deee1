"""From a finished sweep to the files of its programmes."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from hespotex.auditing.dataset import DataSets
from hespotex.cli.compose import composed
from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.progress import progress
from hespotex.common.spreadsheet import write_csv
from hespotex.embeddings.embed import embed_section
from hespotex.embeddings.store import EmbeddingStore
from hespotex.encoders.histology import HistologyEncoder
from hespotex.explaining.fold import read_fold
from hespotex.explaining.seen import Seen, common_programmes
from hespotex.explaining.sets import set_table, sets_in_words
from hespotex.histology.names import statistic_names
from hespotex.programmes.factors import Array
from hespotex.records.plain import plain
from hespotex.records.record import RunRecord, Runs
from hespotex.results.figures.maps import draw_maps
from hespotex.results.figures.patches import draw_patches
from hespotex.results.predictions import spot_table
from hespotex.results.programmes import FOLDER, patches_of, picture_of
from hespotex.results.slide.gene_sets import read_gmt
from hespotex.results.tables.aggregate import by_section
from hespotex.results.tables.sweep import Tables
from hespotex.sections.section import Section

STORED_UM = 112.0  # side of HEST's stored patches
log = logging.getLogger(__name__)


def explain_sweep(
    folder: Path, tables: Tables, model: str | None = None, gene_sets: Path | None = None
) -> pd.DataFrame:
    """Write `programmes/` of a sweep and return its table.

    Args:
        folder: of the sweep.
        tables: of its runs.
        model: None for the main one.
        gene_sets: GMT file.

    Raises:
        InputError: no such model, data or embeddings that are no longer there, gene sets that
          cannot be used, or predictions that hold no programmes.
    """
    sets = read_gmt(gene_sets, "--gene-sets") if gene_sets else {}
    own = _without_leak(tables)
    name = model or own.main
    runs = _one_a_fold(own, name)
    data_sets = DataSets()
    read = [read_fold(run, data_sets) for run in progress(runs, "fold", "programmes")]
    genes, folds, found = common_programmes(read)
    sections = [left_out.section for fold in folds for left_out in fold.left_out]
    encoder = _encoder(runs[0], sections)
    values = list(_values(sections, encoder, _store(runs[0])))
    seen = Seen(genes, folds, found, statistic_names(encoder.patch_um), values)
    tested = set_table(found.loadings, genes, sets) if sets else None
    ranked = by_section(own.sections, name).sort_values("pcc_gene")["section_id"].tolist()
    middle = str(ranked[len(ranked) // 2])
    table = seen.table()
    table["gene_sets"] = [
        "" if tested is None else sets_in_words(tested, i) for i in table["programme"]
    ]
    leaks = "; ".join(dict.fromkeys(leak for run in runs for leak in run.leaks))
    whose = {"model": name, "fold_strategy": own.strategies[0], "leaks": leaks}
    table = table.assign(**whose, section=middle)
    _write(folder / FOLDER, table, seen, tested)
    _draw(folder, seen, middle, table)
    _draw_patches(folder, seen, sections, min(encoder.patch_um))
    return table


def _without_leak(tables: Tables) -> Tables:
    """The part of one fold strategy, of one that leaks nothing where there is one."""
    parts = [tables.of(strategy) for strategy in tables.strategies]
    return min(parts, key=lambda own: any(run.leaks for run in own.runs_of(own.main)))


def _one_a_fold(tables: Tables, model: str) -> Runs:
    """The runs of a model, of the first seed of each fold.

    Raises:
        InputError: there is none.
    """
    first: dict[int, RunRecord] = {}
    for run in tables.runs_of(model):
        first.setdefault(run.fold, run)
    if not first:
        known = ", ".join(dict.fromkeys(run.model for run in tables.runs))
        raise InputError(f"--model {model}: no such model in the sweep; expected one of {known}")
    return list(first.values())


def _encoder(run: RunRecord, sections: Sequence[Section]) -> HistologyEncoder:
    """The named statistics: as the run took them, where it did, else as the command of that name
    does; where only patches are stored, in squares of their size.
    """
    settings = dict(run.config["encoder"])
    if not str(settings.get("_target_", "")).endswith(HistologyEncoder.__name__):
        settings = dict(plain(composed("statistics").encoder))
        if any(section.image is None for section in sections):
            settings["patch_um"] = [STORED_UM]
    return HistologyEncoder(**{key: value for key, value in settings.items() if key[0] != "_"})


def _store(run: RunRecord) -> EmbeddingStore:
    settings = run.config["store"]
    return EmbeddingStore(settings["root"], settings["precision"])


def _values(
    sections: Sequence[Section], encoder: HistologyEncoder, store: EmbeddingStore
) -> Iterator[Array]:
    """The statistics of each section, (n_spots, n_statistics)."""
    for section in progress(sections, "section", "statistics"):
        yield np.asarray(embed_section(section, encoder, store)[:], dtype=np.float64)


def _write(home: Path, table: pd.DataFrame, seen: Seen, tested: pd.DataFrame | None) -> None:
    home.mkdir(exist_ok=True)
    for old in home.glob("programme_*.png"):
        old.unlink()
    (home / "gene_sets.csv").unlink(missing_ok=True)
    tables = {
        "genes": seen.gene_table(),
        "statistics": seen.statistic_table(),
        "scores": seen.score_table(),
        "programmes": table,
    }
    if tested is not None:
        tables["gene_sets"] = tested
    for name, content in tables.items():
        with atomic_path(home / f"{name}.csv") as part:
            write_csv(content, part, index=False, float_format="%.6g")


def _draw(folder: Path, seen: Seen, section_id: str, table: pd.DataFrame) -> None:
    """A map of each programme on one section: predicted and measured."""
    place = [own.section.section_id for own in seen.sections].index(section_id)
    section = seen.sections[place].section
    canvas: ad.AnnData = spot_table(section, [], np.zeros((len(section.adata), 0), np.float32), {})
    for i, programme in enumerate(table["programme"]):
        predicted, measured = (
            own[place][:, i].astype(np.float32) for own in (seen.predicted, seen.measured)
        )
        draw_maps(
            canvas,
            {"predicted": predicted},
            "score (standard deviations)",
            f"{section_id}, programme {programme}",
            picture_of(folder, int(programme)),
            {"measured, own scale": measured},
        )


def _draw_patches(folder: Path, seen: Seen, sections: Sequence[Section], um: float) -> None:
    """The patches at both ends of each programme."""
    for i in range(len(seen.factors.share)):
        scores = [own[:, i] for own in seen.predicted]
        draw_patches(sections, scores, um, patches_of(folder, i + 1))
