"""Scores of gene sets."""

import logging
from pathlib import Path

import anndata as ad
import numpy as np

from hespotex.common.errors import InputError
from hespotex.common.user_table import read_user_text
from hespotex.results.slide.table import SETS, gene_features

log = logging.getLogger(__name__)


def read_gmt(path: Path, key: str = "gene_sets") -> dict[str, list[str]]:
    """Gene sets of a GMT file: a line a set, tab-separated: name, description, genes.

    Args:
        path: the file; key: config key or option that names it, for messages.

    Raises:
        InputError: no such file, a line without genes, a set named twice, or no set at all.
    """
    if not path.is_file():
        raise InputError(f"gene sets not found: {path}; set {key}=FILE.gmt")
    sets: dict[str, list[str]] = {}
    for number, line in enumerate(read_user_text(path, key).splitlines(), 1):
        name, *rest = [word.strip() for word in line.split("\t")]
        if not name and not any(rest):
            continue
        genes = list(dict.fromkeys(gene for gene in rest[1:] if gene))
        if not name or not genes:
            raise InputError(
                f"{path}, line {number}: expected NAME, DESCRIPTION and genes with tabs between,"
                f" found {line[:60]!r}"
            )
        if name in sets:
            raise InputError(
                f"{path}, line {number}: the set {name} is there already; names must differ"
            )
        sets[name] = genes
    if not sets:
        raise InputError(
            f"{path}: no gene sets; expected lines of NAME, DESCRIPTION and genes with tabs between"
        )
    return sets


def score_gene_sets(table: ad.AnnData, sets: dict[str, list[str]]) -> None:
    """Add the score of each set: the mean, over its genes in the panel, of expression as z-scores
    over the slide's spots.

    Fills `obsm["gene_sets"]` (n_spots, n_sets) and `uns["gene_sets"]` (names, genes present, genes
    missing). Sets of which no gene is in the panel are left out.

    Raises:
        InputError: that is so for all of them.
    """
    panel = set(table.var_names)
    present = {name: [gene for gene in genes if gene in panel] for name, genes in sets.items()}
    kept = {name: genes for name, genes in present.items() if genes}
    if not kept:
        raise InputError(
            f"no gene of the sets {', '.join(list(sets)[:3])}... is predicted; the panel has names"
            f" such as {', '.join(table.var_names[:3])}. Are they of the same kind (symbols,"
            " Ensembl) and species?"
        )
    if len(kept) < len(sets):
        log.warning(
            "%d of %d gene sets have no gene in the panel and are left out",
            len(sets) - len(kept),
            len(sets),
        )
    scores = np.zeros((table.n_obs, len(kept)), dtype=np.float32)
    for column, genes in enumerate(kept.values()):
        for feature in gene_features(table, genes):
            spread = float(feature.values.std())
            scores[:, column] += (
                (feature.values - feature.values.mean()) / (spread or 1) / len(genes)
            )
    table.obsm[SETS] = scores
    table.uns[SETS] = {
        "names": np.array(list(kept), dtype=object),
        "present": np.array([len(genes) for genes in kept.values()]),
        "missing": np.array([len(sets[name]) - len(genes) for name, genes in kept.items()]),
    }
