"""The table of a predicted slide and the values of it that can be drawn."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.results.predictions import spot_table
from hespotex.sections.section import Section

# layer: standard deviation over the predictions of several checkpoints, such as the folds
# layer, where measured spots were given: standard error for what a spot of usual depth would read
STANDARD_ERROR = "standard_error"
FOLD_STD = "fold_std"
LAYERS = {FOLD_STD: "spread of the folds", STANDARD_ERROR: "standard error"}
# obsm: scores (n_spots, n_sets); uns: names, and how many genes of each set the panel has and lacks
SETS = "gene_sets"
UNITS = {"strangeness": "above 1: unlike 99 % of the training spots"}  # of columns of obs
SET_UNIT = "mean z-score"
BLOCK = 256  # genes at a time, so that no second copy of a whole slide is made


@dataclass(frozen=True)
class Feature:
    """One value for each spot; `kind` is `gene`, `gene set`, `spot`, or `layer` of a gene."""

    name: str
    kind: str
    unit: str
    values: NDArray[np.float32]


def slide_table(
    section: Section,
    genes: list[str],
    expression: NDArray[np.float32],
    about: dict[str, Any],
    fold_std: NDArray[np.float32] | None = None,
    spots: Mapping[str, NDArray[Any]] | None = None,
) -> ad.AnnData:
    """The prediction as `spot_table` has it, with what else is known of each spot.

    Args:
        section: the slide; its `obs` (tissue fraction) is taken over.
        genes, expression, about: see `spot_table`.
        fold_std: (n_spots, n_genes) goes to `layers["fold_std"]`.
        spots: further columns of `obs` such as nuclei and strangeness, (n_spots,) each.
    """
    table = spot_table(section, genes, expression, about)
    table.obs = section.adata.obs.assign(
        **{name: np.asarray(values) for name, values in (spots or {}).items()}
    )
    if fold_std is not None:
        table.layers[FOLD_STD] = np.asarray(fold_std, dtype=np.float32)
    return table


def positions(table: ad.AnnData) -> pd.DataFrame:
    """Spot centres: columns x_px, y_px (full resolution) and x_um, y_um."""
    px = np.asarray(table.obsm["spatial"], dtype=np.float64)
    um = px * scale_factors(table)["microns_per_pixel"]
    return pd.DataFrame(
        np.hstack([px, um]), index=table.obs_names, columns=["x_px", "y_px", "x_um", "y_um"]
    )


def scale_factors(table: ad.AnnData) -> dict[str, float]:
    """`tissue_hires_scalef`, `spot_diameter_fullres` (px), `microns_per_pixel`."""
    factors: dict[str, float] = next(iter(table.uns["spatial"].values()))["scalefactors"]
    return factors


def gene_features(table: ad.AnnData, genes: Iterable[str]) -> Iterator[Feature]:
    """The predicted genes of these names, one after another."""
    unit = str(table.uns["hespotex"]["unit"])
    for gene in genes:
        yield Feature(
            gene,
            "gene",
            unit,
            np.asarray(table.X[:, table.var_names.get_loc(gene)], dtype=np.float32),
        )


def set_features(table: ad.AnnData) -> Iterator[Feature]:
    """The scores of the gene sets, if there are any."""
    for i, name in enumerate(table.uns[SETS]["names"] if SETS in table.obsm else ()):
        yield Feature(
            str(name), "gene set", SET_UNIT, np.asarray(table.obsm[SETS][:, i], dtype=np.float32)
        )


def spot_features(table: ad.AnnData) -> Iterator[Feature]:
    """The columns of `obs` that are numbers."""
    for name in table.obs.select_dtypes("number"):
        unit = UNITS.get(str(name), "")
        yield Feature(str(name), "spot", unit, table.obs[name].to_numpy(dtype=np.float32))


def layer_features(table: ad.AnnData, gene: str) -> Iterator[Feature]:
    """What is known of a gene beside its prediction, in the same unit: how far the folds disagree,
    and the standard error where spots were measured; a layer without any value is left out.
    """
    unit = str(table.uns["hespotex"]["unit"])
    column = table.var_names.get_loc(gene)
    for layer, name in LAYERS.items():
        if layer in table.layers:
            values = np.asarray(table.layers[layer][:, column], dtype=np.float32)
            if np.isfinite(values).any():
                yield Feature(name, "layer", unit, values)


def by_variance(table: ad.AnnData) -> list[str]:
    """All genes, those that differ most between spots first."""
    starts = range(0, table.n_vars, BLOCK)
    variance = np.concatenate(
        [np.var(table.X[:, start : start + BLOCK], axis=0, dtype=np.float64) for start in starts]
    )
    return [str(gene) for gene in table.var_names[np.argsort(-variance, kind="stable")]]
