"""Scores of one run: per section in `metrics.json`, per gene in `per_gene.csv`, maps of chosen
genes.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.cli.recorded import given_command
from hespotex.common.files import atomic_path, json_text, safe_names, write_json
from hespotex.common.progress import progress
from hespotex.common.spreadsheet import write_csv
from hespotex.genes.target import Numbers
from hespotex.metrics import (
    Layout,
    Metric,
    Raster,
    ceiling_metrics,
    gene_metrics,
    gene_set_metrics,
    mean_of_known,
    own_metrics,
    section_metrics,
)
from hespotex.metrics.autocorrelation import MORAN_NEIGHBOURS
from hespotex.records.about import About
from hespotex.records.layout import BEST, CONFIG, METRICS, PER_GENE, SPLIT
from hespotex.records.manifest import write_manifest
from hespotex.results.about import brief
from hespotex.results.beside import GIVEN, beside_pearson
from hespotex.results.figures.maps import draw_pair
from hespotex.results.finite import check_scores
from hespotex.results.guide import guide_run
from hespotex.results.predictions import MEASURED, section_table, write_h5ad
from hespotex.results.tables.schema import SECTIONS
from hespotex.sections.graph import knn_edges
from hespotex.sections.section import Section

Scores = dict[str, float]
log = logging.getLogger(__name__)
# what is checked when it is read again, beside metrics.json
WRITTEN = (CONFIG, SPLIT, PER_GENE, BEST)
FACTS = ("section_id", "group", "n_spots", "n_genes")  # of a section's row; the rest are metrics


def write_scores(
    folder: Path,
    fold: Fold,
    predictions: dict[str, Tensor],
    about: About,
    metrics: Mapping[str, Metric],
) -> Scores:
    """Write all that a run leaves of its test sections; `metrics.json` last, which marks the run as
    finished.

    Args:
        folder: of the run.
        fold: the measured sections.
        predictions: (n_spots, n_genes) of each test section; none where every section trained.
        about: see `describe`.
        metrics: the user's own, by name.
    """
    rows: list[dict[str, Any]] = []
    if predictions:
        markers = list(fold.recipe.panel.markers)
        rows = write_sections(folder, fold, predictions, markers, brief(about), metrics)
    scores = {f"test/{name}": mean_over_sections(rows, name) for name in _metric_names(rows)}
    facts = {
        key: value
        for key, value in about.items()
        if key not in ("config", "genes", "expression_state", "familiarity", "training_scale")
    }
    content = {**facts, "command": given_command(), "sections": rows, **scores}
    guide_run(folder, content)
    files = [name for name in WRITTEN if (folder / name).is_file()]
    write_manifest(folder, files, coming={METRICS: json_text(content).encode()})
    write_json(folder / METRICS, content)
    if not scores:
        log.info("no section was left out: there is nothing to score")
        return scores
    summary = ", ".join(
        f"{name} {scores[f'test/{name}']:.3f}" for name in ("pcc_gene", "pcc_gene_median", "rmse")
    )
    log.info("test %s", summary)
    return scores


def _metric_names(rows: list[dict[str, Any]]) -> list[str]:
    """Of the scores of sections; none where no section was scored."""
    return [name for name in rows[0] if name not in FACTS] if rows else []


def write_sections(
    folder: Path,
    fold: Fold,
    predictions: dict[str, Tensor],
    map_genes: list[str],
    about: dict[str, Any],
    metrics: Mapping[str, Metric],
) -> list[dict[str, Any]]:
    """Write AnnData, maps and per-gene scores of every test section; returns the per-section
    metrics.
    """
    rows = []
    frames = []
    names = safe_names(predictions)
    for section_id, predicted in progress(predictions.items(), "section", "scores and maps"):
        row, table = _scored(fold, section_id, predicted, metrics)
        check_scores([row])
        rows.append(row)
        frames.append(table)
        files = folder / names[section_id]
        examples = _examples(table, map_genes)
        pcc = table.set_index("gene")["pcc"]
        _write_expression(files, fold, section_id, predicted, examples, pcc, about)
    with atomic_path(folder / PER_GENE) as partial:
        write_csv(pd.concat(frames), partial, index=False, float_format="%.6g")
    return rows


def _scored(
    fold: Fold, section_id: str, predicted: Tensor, metrics: Mapping[str, Metric]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """A section's row of the table, and its scores per gene."""
    genes = fold.panel.genes
    section = fold.sections[section_id]
    measured = section.target
    where = layout(section.section)
    per_gene = gene_metrics(predicted, measured, where, fold.expression.lowest)
    facts = (section_id, fold.group(section_id), len(predicted), len(genes))
    beside = beside_pearson(section, predicted)
    row = (
        dict(zip(FACTS, facts, strict=True))
        | section_metrics(per_gene, predicted, measured, where)
        | ceiling_metrics(per_gene["pcc"], beside["noise_ceiling"])
        | {name: mean_of_known(beside[name]) for name in GIVEN}
        | gene_set_metrics(per_gene["pcc"], genes, fold.gene_sets.sets)
    )
    per_gene |= beside
    if metrics:
        user_scores, means = own_metrics(
            metrics, predicted, measured.dense(), where, taken=[*row, *per_gene, *SECTIONS]
        )
        per_gene = per_gene | user_scores
        row = row | means
    counts = measured_counts(fold)
    return row, pd.DataFrame({"section_id": section_id, "gene": genes, **per_gene, **counts})


def measured_counts(fold: Fold) -> dict[str, Numbers]:
    """Of each gene: how many sections and groups of the fold measured it, and of those that
    train, if any does.
    """
    sides = {"measured": fold.section_ids, "trained": fold.split.train}
    return {
        f"{side}_{unit}": counts
        for side, ids in sides.items()
        if ids
        for unit, counts in fold.measured_in(ids).items()
    }


def _write_expression(
    files: Path,
    fold: Fold,
    section_id: str,
    predicted: Tensor,
    examples: list[tuple[str, str, float]],
    pcc: "pd.Series[float]",
    about: dict[str, Any],
) -> None:
    """Predicted and measured expression as one AnnData, and maps of the chosen genes.

    Args:
        files: the run's folder and the section's name in it.
        examples: label, gene and PCC of those that are drawn.
        pcc: of each gene in this section, by gene.
    """
    section = fold.sections[section_id]
    measured = section.target.dense().numpy()
    panel = fold.panel.genes
    table = section_table(section.section, panel, predicted.numpy(), measured, about)
    table.var["pcc"] = pcc.reindex(panel).to_numpy()
    table.var["panel"] = pd.Categorical([about["panel"]] * len(panel))
    write_h5ad(table, files.parent / "predictions" / f"{files.name}_predicted.h5ad")
    subset = table[:, list(dict.fromkeys(gene for _, gene, _ in examples))].copy()
    del table, measured
    truth = subset.copy()
    truth.X = np.asarray(subset.layers[MEASURED])
    genes = safe_names(gene for _, gene, _ in examples)
    for label, gene, r in examples:
        title = f"{section_id}   {gene} ({label})   r = {r:.2f}"
        path = files.parent / "maps" / f"{files.name}_{label}_{genes[gene]}.png"
        draw_pair(truth, subset, gene, title, path)


def layout(section: Section) -> Layout:
    """Where the spots are, for the metrics of maps."""
    edges = knn_edges(section.pos, MORAN_NEIGHBOURS)
    return Layout(Raster.of(section.pos, section.pitch_um), edges, section.labels)


def _examples(table: pd.DataFrame, markers: list[str]) -> list[tuple[str, str, float]]:
    """The best gene by what it reached on this section (so: an oracle's choice), the median one,
    and the user's.
    """
    scored = table.dropna(subset="pcc").sort_values("pcc", ascending=False, kind="stable")
    by_gene = dict(zip(table["gene"], table["pcc"], strict=True))
    automatic = (
        [("best", scored.iloc[0]), ("median", scored.iloc[len(scored) // 2])] if len(scored) else []
    )
    requested = [("named", gene, by_gene[gene]) for gene in markers if gene in by_gene]
    return [*((label, str(row["gene"]), float(row["pcc"])) for label, row in automatic), *requested]


def mean_over_sections(rows: list[dict[str, Any]], metric: str) -> float:
    """Mean of a metric over sections that have it."""
    values = torch.tensor([row[metric] for row in rows], dtype=torch.float64)
    return float(values.nanmean()) if len(values) else float(np.nan)
