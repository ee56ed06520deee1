"""Which named statistics of the image go with a programme, over the spots of left-out sections."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.histology.phrases import PHRASES
from hespotex.programmes.factors import Array

LEAST = 0.2  # |r| of a statistic that is put into words
MOST = 5  # of these
TOP = 10  # genes named at each end
NAMED = 0.25  # of the largest loading, from which a gene is named
SAME = 0.8  # |r| of two statistics that say the same


def correlations(scores: Array, statistics: Array) -> Array:
    """Pearson over spots, (k, n_statistics); NaN where one side is constant.

    Args:
        scores: (n_spots, k).
        statistics: (n_spots, n_statistics).
    """
    return np.asarray(standardised(scores).T @ standardised(statistics) / len(scores))


def standardised(values: Array) -> Array:
    """Columns of mean 0 and variance 1; NaN for a constant one."""
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 1e-9, spread, np.nan))


def mean_over_groups(per_section: Sequence[Array], groups: Sequence[str]) -> Array:
    """Mean over the sections of a group, then over groups, of values that may be NaN."""
    table = pd.DataFrame([values.ravel() for values in per_section])
    mean = table.groupby(list(groups)).mean().mean()
    return mean.to_numpy(dtype=np.float64).reshape(per_section[0].shape)


def strongest(loadings: Array, genes: Sequence[str]) -> str:
    """The genes of the largest loadings (n_genes,), largest first."""
    least = NAMED * np.abs(loadings).max()
    top = [i for i in np.argsort(-loadings)[:TOP] if loadings[i] >= least]
    return " ".join(genes[i] for i in top)


def in_words(r: NDArray[np.float64], names: pd.DataFrame, alike: Array) -> str:
    """What spots of a high score look like, the clearest first.

    Args:
        r: of one programme with each statistic, (n_statistics,).
        names: see `hespotex.histology.names.statistic_names`.
        alike: correlation of the statistics with each other.
    """
    statistics = names["statistic"].tolist()
    um = names["patch_um"].tolist()
    chosen: list[int] = []
    for i in np.argsort(-np.abs(np.nan_to_num(r))):
        if len(chosen) == MOST or not abs(r[i]) >= LEAST:
            break
        is_said = statistics[i] in [statistics[j] for j in chosen]
        new = not is_said and not (abs(alike[i, chosen]) > SAME).any()
        if new and statistics[i] in PHRASES:
            chosen.append(int(i))
    return ", ".join(_phrase(statistics[i], r[i], um[i], min(um)) for i in chosen)


def _phrase(statistic: str, r: float, um: float, smallest: float) -> str:
    """The words for it; the square where it is not the spot's own, the smallest."""
    high, low = PHRASES[statistic]
    place = "" if um == smallest else f" in {um:g} um"
    return f"{high if r > 0 else low} (r = {abs(r):.2f}{place})"
