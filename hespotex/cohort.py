"""Tables of a cohort out of predicted slides: `python -m hespotex.cohort PREDICTED_DIR`."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.cli.entry import VerbParser, plain_errors
from hespotex.cohorts.bulk import correlations, read_bulk
from hespotex.cohorts.signatures import signature_scores
from hespotex.cohorts.slides import DONE, patient_means, pseudobulk, value_columns
from hespotex.cohorts.survival import c_indices, follow_up_of
from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.spreadsheet import write_csv
from hespotex.common.user_table import UserTable, read_user_table
from hespotex.results.slide.differences import read_regions, region_differences
from hespotex.results.slide.gene_sets import read_gmt

log = logging.getLogger("hespotex.cohort")
EVENTS = {
    "true": "1",
    "yes": "1",
    "dead": "1",
    "false": "0",
    "no": "0",
    "alive": "0",
    "censored": "0",
}
ABOUT = """Tables of a cohort out of the slides that predict.py has predicted: pseudobulk (mean over
spots) of every slide, and where there is input for them gene-set scores, correlation with bulk RNA,
and C-indices of survival."""
EXAMPLES = {
    "predicted": "predicted/cohort/pseudobulk.csv",
    "predicted --slides slides.csv --gene-sets sets.gmt": (
        "scores by patient, survival if slides.csv has time and event"
    ),
    "predicted --slides slides.csv --bulk rna.csv": "against bulk RNA of the same patients",
}


def tables(
    folder: Path,
    slides: Path | None = None,
    gene_sets: Path | None = None,
    bulk: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """All tables by name; `pseudobulk` always, the others where there is input for them.

    Args:
        folder: output of `predict.py`.
        slides: CSV with columns slide and patient, and time and event where there is follow-up.
        gene_sets: GMT file.
        bulk: see `read_bulk`; patients as in `slides`.

    Raises:
        InputError: input that cannot be used, or follow-up without gene sets.
    """
    listed = _read_slides(slides) if slides else None
    follow_up = follow_up_of(listed) if listed is not None else None
    sets = read_gmt(gene_sets, "--gene-sets") if gene_sets else None
    if follow_up is not None and sets is None:
        raise InputError(
            "--slides has follow-up (time, event), which is set against gene-set scores: add"
            " --gene-sets FILE.gmt"
        )
    patients = (
        dict(zip(listed["slide"], listed["patient"], strict=True)) if listed is not None else None
    )
    table = pseudobulk(folder, patients)
    results = {"pseudobulk": table} | _regions(folder, patients)
    if sets is not None:
        results["gene_set_scores"] = signature_scores(table, sets)
    if bulk:
        mean = patient_means(table, value_columns(table))
        measured, scale = read_bulk(bulk, mean.index, mean.columns)
        log.info("%s: %d patients, %d genes, values %s", bulk, *measured.shape, scale)
        for by in ("gene", "patient"):
            results[f"bulk_correlation_{by}s"] = correlations(mean, measured, by).assign(
                bulk_values=scale
            )
    if follow_up is not None:
        scores = results["gene_set_scores"]
        results["survival"] = c_indices(patient_means(scores, value_columns(scores)), follow_up)
    return results


def _regions(folder: Path, patients: dict[str, str] | None) -> dict[str, pd.DataFrame]:
    """Regions and their differences, where slides were predicted with regions."""
    regions = read_regions(folder, None if patients is None else list(patients))
    if regions is None:
        return {}
    return {"regions": regions, "region_differences": region_differences(regions, patients)}


def _read_slides(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"list of slides not found: {path}; give --slides CSV with columns slide and patient"
        )
    columns = read_user_table(path, "--slides", ["slide", "patient"], optional=["time", "event"])
    table = pd.DataFrame({name: columns.text(name) for name in ("slide", "patient")})
    if table["slide"].duplicated().any():
        twice = sorted(set(table.loc[table["slide"].duplicated(), "slide"]))
        raise InputError(
            f"{path}: expected each slide once, with its patient; there twice: {twice}"
        )
    numbers = {"time": columns.numbers("time", blank=True)} if "time" in columns else {}
    numbers |= {"event": _events(columns)} if "event" in columns else {}
    return table.assign(**numbers)


def _events(table: UserTable) -> NDArray[np.float64]:
    """1 where it happened, 0 where the patient was censored, NaN where it is not known; also in
    words.
    """
    values = [EVENTS.get(cell.lower(), cell) for cell in table.columns["event"]]
    return replace(table, columns=table.columns | {"event": values}).numbers("event", blank=True)


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("cohort", ABOUT, EXAMPLES)
    parser.add_argument("folder", type=Path, metavar="PREDICTED_DIR", help="output of predict.py")
    parser.add_argument(
        "--slides",
        type=Path,
        metavar="CSV",
        help="CSV: slide, patient, and time and event where there is follow-up",
    )
    parser.add_argument(
        "--gene-sets",
        type=Path,
        metavar="GMT",
        help="GMT file: a score for each set, and a C-index with follow-up",
    )
    parser.add_argument(
        "--bulk",
        type=Path,
        metavar="CSV",
        help="CSV of bulk RNA: genes x patients or patients x genes",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the tables; PREDICTED_DIR/cohort by default",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    output = arguments.output or arguments.folder / "cohort"
    results = tables(arguments.folder, arguments.slides, arguments.gene_sets, arguments.bulk)
    for name, table in results.items():
        with atomic_path(output / f"{name}.csv") as partial:
            write_csv(table, partial, index=False, float_format="%.6g")
    status = results["pseudobulk"]["status"]
    slides = counted(len(status), "slide")
    without = (status != DONE).sum()
    log.info("%s: %s, %d without a prediction; %s", output, slides, without, ", ".join(results))


if __name__ == "__main__":
    main()
