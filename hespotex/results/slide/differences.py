"""What differs between the classes of regions, such as tumour and stroma, over slides and
patients.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from hespotex.common.files import atomic_path, safe_name, visible
from hespotex.common.spreadsheet import write_csv
from hespotex.results.report import few_groups
from hespotex.results.slide.regions import FILE, read_region_table
from hespotex.results.slide.trust import DOUBTED
from hespotex.results.tables.statistics import FEW_GROUPS, bootstrap_interval

UNKNOWN_PATIENTS = "none: whose slides these are is not known (hespotex.cohort --slides CSV)"
DIFFERENCES = "region_differences.csv"
ONE_PATIENT = "none: one patient"


def read_regions(folder: Path, slides: Sequence[str] | None = None) -> pd.DataFrame | None:
    """The regions of all predicted slides of a folder; None where there are none.

    Args:
        folder: output of `predict.py`.
        slides: only these.
    """
    files = visible(folder, f"*{FILE}")
    if slides is not None:
        wanted = {f"{safe_name(slide)}{FILE}" for slide in slides}
        files = [file for file in files if file.name in wanted]
    tables = [read_region_table(file) for file in files]
    return pd.concat(tables, ignore_index=True) if tables else None


def region_differences(
    regions: pd.DataFrame, patients: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Difference of each gene between each two classes of regions.

    Regions are averaged by their spots in a slide; the difference is taken inside the slide, as
    levels between slides are not predicted; then over the slides of a patient, then over patients.
    The interval is a bootstrap over patients, never over spots.

    Args:
        regions: see `region_table`, of one slide or of several.
        patients: patient of each slide; None where that is not known, and then there is no
          interval.

    Returns:
        A row a pair of classes and gene, those first that have earned most in cross-validation:
        `class_a`, `class_b`, `gene`, `difference` (a - b), `low`, `high`, `interval` (in words what
        it is, or why there is none), `n_patients`, `n_slides`, `doubted_slides`, `earned`,
        `test_pcc`.
    """
    means = _class_means(regions)
    names = sorted(set(regions["class"]))
    tables = [_pair(means, a, b, patients) for a, b in combinations(names, 2)]
    facts = regions.drop_duplicates("gene")[["gene", "earned", "test_pcc"]]
    order = {gene: i for i, gene in enumerate(facts["gene"])}
    found = pd.concat([t for t in tables if len(t)] or [_nothing()], ignore_index=True)
    found = found.merge(facts, on="gene", how="left")
    place = found["gene"].map(order)
    found = found.assign(place=place).sort_values(["class_a", "class_b", "place"])
    return found.drop(columns="place").reset_index(drop=True)


def _nothing() -> pd.DataFrame:
    names = ["class_a", "class_b", "gene", "difference", "low", "high", "interval"]
    return pd.DataFrame(columns=[*names, "n_patients", "n_slides", "doubted_slides"])


def _class_means(regions: pd.DataFrame) -> pd.DataFrame:
    """Mean over the spots of a class in a slide: columns slide, trust, class, gene, mean."""
    known = regions.dropna(subset="mean")
    known = known.assign(sum=known["mean"] * known["n_spots"])
    places = ["slide", "trust", "class", "gene"]
    sums = known.groupby(places, sort=False)[["sum", "n_spots"]].sum()
    return (sums["sum"] / sums["n_spots"]).rename("mean").reset_index()


def _pair(means: pd.DataFrame, a: str, b: str, patients: Mapping[str, str] | None) -> pd.DataFrame:
    """Differences of all genes between two classes, over the slides that have both."""
    one, other = (means[means["class"] == name] for name in (a, b))
    both = one.merge(other[["slide", "gene", "mean"]], on=["slide", "gene"], suffixes=("_a", "_b"))
    if not len(both):
        return _nothing()
    both = both.assign(
        difference=both["mean_a"] - both["mean_b"],
        patient=[patients[slide] if patients else slide for slide in both["slide"]],
    )
    rows = [_row(str(gene), own, patients is not None) for gene, own in both.groupby("gene")]
    return pd.DataFrame(rows).assign(class_a=a, class_b=b)[list(_nothing())]


def _row(gene: str, own: pd.DataFrame, known: bool) -> dict[str, object]:
    by_patient = own.groupby("patient")["difference"].mean().to_numpy()
    n = len(by_patient)
    low, high = bootstrap_interval(by_patient) if known else (np.nan, np.nan)
    return {
        "gene": gene,
        "difference": float(by_patient.mean()),
        "low": low,
        "high": high,
        "interval": _in_words(n, known),
        "n_patients": n if known or n == 1 else np.nan,
        "n_slides": own["slide"].nunique(),
        "doubted_slides": own.loc[own["trust"] == DOUBTED, "slide"].nunique(),
    }


def _in_words(n_patients: int, known: bool) -> str:
    """What the interval is, or why there is none."""
    if n_patients < 2:
        return ONE_PATIENT
    if not known:
        return UNKNOWN_PATIENTS
    few = f" ({few_groups(n_patients).removesuffix('.')})" if n_patients < FEW_GROUPS else ""
    return f"95 %, bootstrap over {n_patients} patients{few}"


def write_differences(folder: Path) -> None:
    """`region_differences.csv` of all slides of a folder that have regions; whose slides they are
    is not known there.
    """
    (folder / DIFFERENCES).unlink(missing_ok=True)
    regions = read_regions(folder)
    if regions is None or regions["class"].nunique() < 2:
        return
    with atomic_path(folder / DIFFERENCES) as part:
        write_csv(region_differences(regions), part, index=False, float_format="%.6g")
