"""Scores of gene sets for whole slides."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from hespotex.cohorts.slides import FACTS, value_columns
from hespotex.common.errors import InputError

log = logging.getLogger(__name__)


def signature_scores(table: pd.DataFrame, sets: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Score of each set: the mean over its genes of the pseudobulk as z-scores over the cohort's
    slides.

    Slides without values have none; a gene that is the same in all slides counts as 0.

    Args:
        table: see `pseudobulk`.
        sets: genes of each set; those that are not predicted are left out, and sets without any.

    Raises:
        InputError: no gene of any set is predicted.
    """
    values = table[value_columns(table)]
    spread = values.std(ddof=0).replace(0, 1)
    z = (values - values.mean()) / spread
    present = {name: [gene for gene in genes if gene in z] for name, genes in sets.items()}
    members = {name: genes for name, genes in present.items() if genes}
    if not members:
        raise InputError(
            f"no gene of the sets {', '.join(list(sets)[:3])} is predicted; the genes are"
            f" {', '.join(z.columns[:3])}..."
        )
    for name in sets.keys() - members.keys():
        log.warning("%s: no gene of this set is predicted, it is left out", name)
    scores = pd.DataFrame(
        {name: z[genes].mean(axis=1) for name, genes in members.items()}, index=table.index
    )
    return pd.concat([table[FACTS], scores], axis=1)
