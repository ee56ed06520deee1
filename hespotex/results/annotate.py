"""What cross-validation says of each gene, beside the predictions of its own test sections."""

import logging
from pathlib import Path

import anndata as ad
import pandas as pd

from hespotex.common.failures import failure_of
from hespotex.common.files import visible
from hespotex.common.hdf5 import open_hdf5, replace_genes
from hespotex.common.progress import progress
from hespotex.results.slide.evidence import COLUMNS, evidence_columns
from hespotex.results.tables.final import cross_validated_genes
from hespotex.results.tables.sweep import Tables

log = logging.getLogger(__name__)


def annotate_predictions(tables: Tables) -> None:
    """Add to `var` of every stored test section what its genes have earned over all folds of its
    model: `test_pcc`, `low`, `high`, `test_r2`, `test_ceiling`, `test_sections`, `q`, `found`,
    `scored`, as in the
    table of a predicted slide. `pcc` is the section's own.

    Of a file that has them already nothing changes; one that cannot be read is named in the log.
    """
    tasks = [
        (file, evidence)
        for strategy in tables.strategies
        for evidence, files in _of_models(tables.of(strategy))
        for file in files
    ]
    for file, evidence in progress(tasks, "section", "sections"):
        try:
            _annotate(file, evidence)
        except Exception as error:  # a torn file of one section is no reason to make no table
            log.warning("%s: its genes have no scores (%s)", file, failure_of(error).reason)


def _of_models(tables: Tables) -> list[tuple[pd.DataFrame, list[Path]]]:
    """What the genes of each model have earned, and the files of its test sections."""
    pairs = []
    for model in dict.fromkeys(tables.models["model"]):
        runs = tables.runs_of(str(model))
        genes = tables.scores.loc[tables.scores["model"] == model, "gene"]
        evidence = evidence_columns(cross_validated_genes(runs, list(dict.fromkeys(genes))))
        folders = [run.folder / "predictions" for run in runs]
        pairs.append((evidence, [file for folder in folders for file in visible(folder, "*.h5ad")]))
    return pairs


def _annotate(file: Path, evidence: pd.DataFrame) -> None:
    with open_hdf5(file) as content:
        var: pd.DataFrame = ad.io.read_elem(content["var"])
    bare = var.drop(columns=[name for name in COLUMNS.values() if name in var])
    earned = evidence.reindex(bare.index)
    flags = {name: earned[name].eq(True) for name in ("found", "scored")}
    annotated = bare.join(earned.assign(**flags))
    if not annotated.equals(var):
        replace_genes(file, annotated)
