"""Whether signatures tell who lives longer, on patients that the Cox model was not fitted to."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from hespotex.common.errors import InputError

log = logging.getLogger(__name__)
FOLDS = 5
REPEATS = 10
PENALTY = 0.1  # ridge on the log hazard ratio, so that a fold with few events still converges


def c_indices(scores: pd.DataFrame, follow_up: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Harrell's C-index of each signature by five-fold cross-validation, repeated ten times,
    stratified by event.

    In each fold a Cox model of this one signature is fitted to the other patients, so that its
    direction is learned there;
    0.5 is chance.

    Args:
        scores: (n_patients, n_signatures).
        follow_up: `time` and `event` (1: it happened, 0: censored) of patients.

    Returns:
        A row a signature: `c_index`, mean over folds and repeats; `low`, `high`, their 2.5th and
        97.5th percentile (over
        small test folds: wider than a confidence interval of the mean); `n_folds` that have
        comparable patients; `n_patients`, `n_events`.

    Raises:
        InputError: lifelines is not installed, or too few patients with or without an event.
    """
    _need_lifelines()
    together = scores.dropna().join(follow_up.dropna(), how="inner")
    splits = _splits(together["event"].to_numpy(dtype=int), seed)
    rows = []
    for name in scores:
        patients = together[[name, "time", "event"]].rename(columns={name: "score"})
        c_values = np.array(
            [
                value
                for train, test in splits
                if (value := _fold(patients.iloc[train], patients.iloc[test])) is not None
            ]
        )
        low, high = np.percentile(c_values, [2.5, 97.5]) if len(c_values) else (np.nan, np.nan)
        facts = {
            "n_folds": len(c_values),
            "n_patients": len(patients),
            "n_events": int(patients["event"].sum()),
        }
        rows.append(
            {
                "signature": name,
                "c_index": c_values.mean() if len(c_values) else np.nan,
                "low": low,
                "high": high,
                **facts,
            }
        )
    return pd.DataFrame(rows)


def follow_up_of(slides: pd.DataFrame) -> pd.DataFrame | None:
    """`time` and `event` of each patient, from a table of slides; None where it has no such
    columns.

    Raises:
        InputError: one of the two columns alone, values that cannot be, or slides of one patient
          that disagree.
    """
    columns = {"time", "event"} & set(slides)
    if not columns:
        return None
    if len(columns) == 1:
        raise InputError(
            f"--slides: follow-up needs the columns time and event, found"
            f" {', '.join(columns)} alone"
        )
    table = slides[["patient", "time", "event"]].astype({"time": float, "event": float})
    half = table[table["time"].isna() != table["event"].isna()]
    if len(half):
        log.warning(
            "--slides: left out, as time or event is empty: %s",
            ", ".join(sorted(set(half["patient"]))),
        )
    table = table.dropna().drop_duplicates()
    odd = table[(table["time"] <= 0) | ~table["event"].isin([0, 1])]
    twice = table["patient"][table["patient"].duplicated()]
    if len(odd) or len(twice):
        raise InputError(
            "--slides: expected one follow-up a patient, time above 0 and event 0 or 1; look at "
            f"{', '.join(dict.fromkeys([*odd['patient'], *twice]))}"
        )
    return table.set_index("patient")


def _need_lifelines() -> None:
    try:
        import lifelines  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"survival needs the package lifelines ({error}); run `pip install lifelines`"
        ) from error


def _splits(event: Any, seed: int) -> list[tuple[Any, Any]]:
    from sklearn.model_selection import RepeatedStratifiedKFold

    fewest = min(int((event == kind).sum()) for kind in (0, 1))
    if fewest < FOLDS:
        raise InputError(
            f"survival: {len(event)} patients with scores and follow-up, {int(event.sum())} with an"
            f" event; at least {FOLDS} with and without one are needed"
        )
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    return list(splitter.split(np.zeros(len(event)), event))


def _fold(train: pd.DataFrame, test: pd.DataFrame) -> float | None:
    """C-index on the test patients; None where the signature is constant or no two test patients
    can be compared.
    """
    from lifelines import CoxPHFitter
    from lifelines.utils import concordance_index

    mean = train["score"].mean()
    std = train["score"].std()
    if not std > 0:
        return None
    scaled = train.assign(score=(train["score"] - mean) / std)
    model = CoxPHFitter(penalizer=PENALTY).fit(scaled, "time", "event")
    risk = model.params_["score"] * (test["score"] - mean) / std
    try:
        return float(concordance_index(test["time"], -risk, test["event"]))
    except ZeroDivisionError:
        return None
