"""The table of HEST-Benchmark: encoders down, tasks across."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from hespotex.encoders.pair import part_identities
from hespotex.results.tables.markdown import inert, markdown

Results = dict[str, dict[str, dict[str, Any]]]  # encoder -> task -> result


def read_results(folder: Path) -> Results:
    """`{encoder}/{task}.json` below a folder: all that were ever run there."""
    results: Results = {}
    for path in sorted(folder.glob("*/*.json")):
        results.setdefault(path.parent.name, {})[path.stem] = json.loads(path.read_text())
    return results


def render(results: Results) -> str:
    """Mean Pearson (standard deviation over folds), the best encoder first, and what a reader must
    know.
    """
    tasks = sorted({task for results_by_task in results.values() for task in results_by_task})
    order = sorted(results, key=lambda name: (-len(results[name]), -average(results[name])))
    rows = [
        [name, *(_cell(results[name].get(task)) for task in tasks), f"{average(results[name]):.4f}"]
        for name in order
    ]
    protocol = (
        "HEST-Benchmark protocol: log(1 + raw counts) of the task's genes, PCA (256) and ridge"
        " regression fitted on the training spots, Pearson of each gene over all test spots pooled,"
        " mean over genes, then folds (standard deviation over folds in brackets). Pooled spots of"
        " several sections correlate better than those of one: do not compare with per-section"
        " scores."
    )
    paragraphs = [
        "# HEST-Benchmark",
        protocol,
        markdown(["encoder", *tasks, "average"], rows),
        "\n".join(map(inert, notes(results))),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def average(results_by_task: dict[str, dict[str, Any]]) -> float:
    """Mean over the tasks that an encoder has."""
    return float(np.mean([result["pcc_mean"] for result in results_by_task.values()]))


def notes(results: Results) -> list[str]:
    """Leaks, genes that could not be scored, narrow embeddings, and in what precision an encoder
    ran.
    """
    return sorted(
        {
            f"- {note}"
            for name, results_by_task in results.items()
            for task in results_by_task
            for note in _notes(name, task, results_by_task[task])
        }
    )


def _notes(encoder: str, task: str, result: dict[str, Any]) -> list[str]:
    notes_of_task = _computed(encoder, result.get("identity", {}))
    for index, fold in enumerate(result["folds"]):
        n_constant = len(result["genes"]) - fold["n_genes_scored"]
        where = f"{task}, fold {index}"
        notes_of_task += [
            f"**{where}: LEAK in the bundle's own split.** {leak}." for leak in fold["leaks"]
        ]
        notes_of_task += [
            f"{where}, {encoder}: {n_constant} constant genes left out (as released, the fold"
            " would be NaN)."
        ] * bool(n_constant)
        if fold["n_components"] < 256:
            notes_of_task.append(
                f"{where}, {encoder}: PCA keeps {fold['n_components']} dimensions, for want of 256."
            )
    return notes_of_task


def _computed(encoder: str, identity: dict[str, Any]) -> list[str]:
    """How a network ran: the benchmark's own numbers depend on it in the last digits."""
    by_part = {
        f"{encoder}, {name_of_member}": member
        for name_of_member, member in part_identities(identity).items()
    }
    cut = " on the middle of patches enlarged to {} px"
    return [
        f"{name.removesuffix(', ')}: computed in {member['precision']}"
        + (cut.format(member["resize_px"]) if member.get("resize_px") else "")
        + "."
        for name, member in by_part.items()
        if "precision" in member
    ]


def _cell(result: dict[str, Any] | None) -> str:
    return f"{result['pcc_mean']:.4f} ({result['pcc_std']:.4f})" if result else "-"
