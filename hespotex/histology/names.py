"""Names of the statistics of several patch sizes, side by side."""

from collections.abc import Sequence

import pandas as pd

from hespotex.histology.catalogue import FEATURES
from hespotex.histology.units import UNITS


def statistic_names(patch_um: Sequence[float]) -> pd.DataFrame:
    """A row for each column of the encoder's embedding, named such as `h_mean_150um`: `statistic`,
    `meaning`, `unit` and `patch_um`.
    """
    rows = [
        (f"{name}_{um:g}um", name, FEATURES[name], UNITS[name], float(um))
        for um in patch_um
        for name in FEATURES
    ]
    columns = ["name", "statistic", "meaning", "unit", "patch_um"]
    return pd.DataFrame(rows, columns=columns).set_index("name")
