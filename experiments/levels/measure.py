"""Errors of level and of map of finished sweeps, for the table of this study.

python experiments/levels/measure.py outputs/levels_section outputs/levels_training
"""

import argparse
import json
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd


def main() -> None:
    """A row for each sweep and model: means over sections, then over patients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", nargs="+", type=Path, help="folders of finished sweeps")
    rows = [row for sweep in parser.parse_args().sweeps for row in rows_of(sweep)]
    means = pd.DataFrame(rows).groupby(["model", "sweep", "group"]).mean()
    sys.stdout.write(means.groupby(["model", "sweep"]).mean().round(3).to_string() + "\n")


def rows_of(sweep: Path) -> list[dict[str, object]]:
    """One a test section."""
    rows: list[dict[str, object]] = []
    for run in sorted(sweep.glob("[0-9]*")):
        about = json.loads((run / "metrics.json").read_text())
        for scores in about["sections"]:
            section = scores["section_id"]
            table = ad.read_h5ad(run / "predictions" / f"{section}_predicted.h5ad")
            names = {"sweep": sweep.name, "model": about["model"], "group": scores["group"]}
            errors = errors_of(np.asarray(table.X, float), np.asarray(table.layers["measured"]))
            rows.append(names | {"PCC": scores["pcc_gene"]} | errors)
    return rows


def errors_of(
    predicted: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    measured: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
) -> dict[str, float]:
    """Root mean squares over genes and spots: of all, of the section's mean, and of the rest."""
    error = (predicted - measured)[:, ~np.isnan(measured).any(axis=0)]
    level = error.mean(axis=0)
    parts = {"RMSE": error, "error of level": level, "error of map": error - level}
    return {name: float(np.sqrt((part**2).mean())) for name, part in parts.items()}


if __name__ == "__main__":
    main()
