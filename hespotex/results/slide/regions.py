"""What is predicted in the regions of a slide: one mean a region and gene."""

from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.spreadsheet import unmarked, write_csv
from hespotex.results.slide.evidence import by_evidence, earned
from hespotex.results.slide.trust import trust_of
from hespotex.sections.regions import Region

FILE = "_regions.csv"  # after the slide's name
WORDS = ("slide", "trust", "region", "class", "gene", "earned")
COLUMNS = [*WORDS[:4], "n_spots", "gene", "mean", "earned", "test_pcc"]


def inside(table: ad.AnnData, regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Which spots lie in which region, by their centres, (n_regions, n_spots).

    Raises:
        InputError: no spot lies in any.
    """
    if not regions:
        return np.zeros((0, table.n_obs), dtype=bool)
    found = np.stack([region.holds(table.obsm["spatial"]) for region in regions])
    if not found.any():
        names = ", ".join(region.name for region in regions[:5])
        raise InputError(
            f"regions: no spot lies in any of the {len(regions)} regions ({names}): are they of"
            " this slide, in full-resolution px?"
        )
    return found


def mark_spots(table: ad.AnnData, regions: Sequence[Region]) -> None:
    """Add `obs["region"]` and `obs["region_class"]`: what holds a spot, semicolons
    between them.
    """
    held = inside(table, regions)
    names = {"region": [r.name for r in regions], "region_class": [r.class_name for r in regions]}
    for column, own in names.items():
        texts = ["; ".join(dict.fromkeys(np.array(own)[spot])) for spot in held.T]
        table.obs[column] = pd.Categorical(texts)


def region_means(table: ad.AnnData, regions: Sequence[Region]) -> NDArray[np.float64]:
    """Mean prediction over the spots of each region, (n_regions, n_genes); NaN without a spot."""
    means = np.full((len(regions), table.n_vars), np.nan)
    for row, held in enumerate(inside(table, regions)):
        if held.any():
            means[row] = np.asarray(table.X[held], dtype=np.float64).mean(axis=0)
    return means


def region_table(table: ad.AnnData, regions: Sequence[Region], slide: str) -> pd.DataFrame:
    """A row a region and gene, the genes by what they have earned in cross-validation.

    `mean` is NaN in a region without a spot; `earned`: found, not found, never scored or no score.
    `trust`: whether the slide is to be trusted.
    """
    genes = by_evidence(table, [str(gene) for gene in table.var_names])
    order = [table.var_names.get_loc(gene) for gene in genes]
    means = region_means(table, regions)[:, order]
    counts = inside(table, regions).sum(axis=1)
    has_pcc = "test_pcc" in table.var
    pcc = table.var["test_pcc"].to_numpy(dtype=float)[order] if has_pcc else np.nan
    by_gene = {"gene": genes, "earned": [earned(table, gene).state for gene in genes]}
    own = {"slide": slide, "trust": trust_of(table.uns["hespotex"]).trusted}
    rows = [
        pd.DataFrame({**by_gene, "test_pcc": pcc, "mean": mean, "n_spots": n}).assign(
            **own, region=region.name, **{"class": region.class_name}
        )
        for region, mean, n in zip(regions, means, counts, strict=True)
    ]
    return pd.concat(rows, ignore_index=True)[COLUMNS]


def write_regions(table: pd.DataFrame, path: Path) -> None:
    """The table of `region_table` as CSV."""
    with atomic_path(path) as part:
        write_csv(table, part, index=False, float_format="%.6g")


def read_region_table(path: Path) -> pd.DataFrame:
    """The table back; a gene may be called NA."""
    words = dict.fromkeys(WORDS, str)
    table = pd.read_csv(
        path, dtype=words, keep_default_na=False, na_values={"mean": [""], "test_pcc": [""]}
    )
    return table.assign(**{name: table[name].map(unmarked) for name in WORDS})
