"""One row a predicted slide."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.failures import failure_of, read_failed
from hespotex.common.files import safe_name, visible
from hespotex.common.hdf5 import read_anndata
from hespotex.common.progress import progress_bar
from hespotex.records.moved import current_unit
from hespotex.results.slide.table import scale_factors
from hespotex.results.slide.trust import DOUBTED, KEY, trust_of
from hespotex.sections.tissue import read_tissue

# columns before the genes
FACTS = [
    "slide",
    "patient",
    "status",
    "reason",
    "trust",
    "warnings",
    "unlike_training",
    "n_spots",
    "tissue_mm2",
    "unit",
]
LEVELLED = (
    "%s: the model sees embeddings standardised within each slide, which takes away most of"
    " what differs between slides (a linear model predicts much the same mean for all): for tables"
    " of a cohort train with data.inputs.standardize=training"
)
DOUBTFUL = (
    "%s not to be trusted without a check (trust is no, and warnings says why): %s; leave them out"
    " of --slides to keep them out of scores, correlations and survival"
)
log = logging.getLogger(__name__)
DONE = "predicted"
FAILED = "failed"
MISSING = "missing"


def pseudobulk(folder: Path, patients: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Mean expression over the tissue spots of each slide; one slide is in memory at a time.

    Args:
        folder: what `predict.py` wrote: `SLIDE.h5ad`, `SLIDE_tissue.geojson` and `failed.csv`.
        patients: patient of each slide that belongs to the cohort; None takes all slides, each a
          patient of its own.

    Returns:
        A row a slide: `FACTS`, then the genes. A slide that failed, was not predicted, or cannot be
        read has a reason and no values. `trust` is `no` where nobody should trust the values
        without a check, for what `warnings` says; empty where an older version predicted it.

    Raises:
        InputError: no predicted slide, or slides predicted in different units.
    """
    files = {path.stem: path for path in visible(folder, "*.h5ad")}
    failed = read_failed(folder)
    if not files:
        raise InputError(
            f"no predicted slide (SLIDE.h5ad) in {folder}; give the output of predict.py"
        )
    names = sorted(patients if patients is not None else {*files, *failed})
    rows: list[dict[str, Any]] = []
    units: dict[str, str] = {}
    levelled: list[str] = []
    models: dict[str, str] = {}
    with progress_bar(len(names), "slide", "slides", disable=len(names) < 20) as bar:
        for name in names:
            row, about = _row(name, files.get(safe_name(name)), failed.get(safe_name(name)))
            rows.append({"slide": name, "patient": patients[name] if patients else name, **row})
            units |= {str(about["unit"]): name} if about else {}
            models |= {str(about["checkpoint"]): name} if "checkpoint" in about else {}
            levelled += [name] if about.get("standardize") == "section" else []
            bar.update()
    if doubted := [row["slide"] for row in rows if row["trust"] == DOUBTED]:
        log.warning(DOUBTFUL, counted(len(doubted), "slide"), ", ".join(doubted))
    if levelled:
        log.warning(LEVELLED, counted(len(levelled), "slide"))
    _check_alike(folder, units, models)
    table = pd.DataFrame(rows)
    return table[[*FACTS, *(column for column in table if column not in FACTS)]]


def _check_alike(folder: Path, units: Mapping[str, str], models: Mapping[str, str]) -> None:
    """Refuse slides whose values cannot stand in one table.

    Args:
        folder: for the message.
        units, models: each with a slide that has it.
    """
    if len(units) > 1:
        raise InputError(
            f"{folder}: slides of different units ({units}); predict all with one checkpoint"
        )
    if len(models) > 1:
        listed = ", ".join(f"{slide} by checkpoint {model}" for model, slide in models.items())
        raise InputError(
            f"{folder}: slides of different models ({listed}; run.txt names all); predict all with"
            " one checkpoint"
        )


def _row(
    slide: str, file: Path | None, failure: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values of one slide, and what made them."""
    nothing = {
        **_trust({}),
        "n_spots": 0,
        "tissue_mm2": np.nan,
        "unit": "",
    }
    if file is None:
        why = failure or f"no {slide}.h5ad among the predictions"
        return {"status": FAILED if failure else MISSING, "reason": why, **nothing}, {}
    try:
        table = read_anndata(file)
        mean = np.asarray(table.X, dtype=np.float64).mean(axis=0)
        about = dict(table.uns["hespotex"])
        about["unit"] = current_unit(str(about["unit"]), {})
    except Exception as error:
        reason = f"{file.name} cannot be read ({failure_of(error).reason})"
        return {"status": FAILED, "reason": reason, **nothing}, {}
    facts = {
        "status": DONE,
        "reason": "",
        **_trust(about),
        "n_spots": table.n_obs,
        "tissue_mm2": _tissue_mm2(file, table),
        "unit": str(about["unit"]),
    }
    return facts | dict(zip(map(str, table.var_names), mean, strict=True)), about


def _trust(about: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a slide is to be trusted, and what was warned of."""
    trust = trust_of(about)
    return {
        "trust": trust.trusted if KEY in about else "",
        "warnings": "; ".join([*trust.doubts, *trust.remarks]),
        "unlike_training": trust.unlike_training,
    }


def _tissue_mm2(file: Path, table: ad.AnnData) -> float:
    """Area of the outline beside the table; NaN without one."""
    outline = file.with_name(f"{file.stem}_tissue.geojson")
    if not outline.is_file():
        return float("nan")
    factors = scale_factors(table)
    library = next(iter(table.uns["spatial"].values()))
    height, width = library["images"]["hires"].shape[:2]
    size = (
        round(width / factors["tissue_hires_scalef"]),
        round(height / factors["tissue_hires_scalef"]),
    )
    try:
        return read_tissue(outline, size).area_mm2(factors["microns_per_pixel"])
    except InputError:  # no area in it, as where positions were given on a slide without tissue
        return float("nan")


def value_columns(table: pd.DataFrame) -> list[str]:
    """The genes, or the gene sets, of a table with `FACTS`."""
    return [str(column) for column in table if column not in FACTS]


def patient_means(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Mean over the slides of each patient, (n_patients, n_columns); slides without values are left
    out.
    """
    done = table[table["status"] == DONE]
    return done.groupby("patient")[list(columns)].mean()
