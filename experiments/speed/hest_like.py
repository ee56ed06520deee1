"""A folder like HEST-1k's, without images: sections of several technologies, studies and patients,
which measured different genes under different names.
"""

from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from slide import MPP
from synthetic import VISIUM, draw_counts, gene_rates, positions

from hespotex.common.files import write_json
from hespotex.sections.names.hgnc import hgnc

N_GENES = 18_000  # of Visium
PROBES = 500  # at most, of a Xenium-like panel
FEWEST_PROBES = 300
DESIGNS = 6  # of Xenium-like panels
XENIUM_EVERY = 20  # sections: 5 %
ENSEMBL_EVERY = 3  # sections whose genes are named by their ids
PER_PATIENT = 3  # sections
PER_STUDY = 5  # patients
SPOTS = 1570  # of a section on average
FEWEST_SPOTS = 100
MOST_SPOTS = 4900  # of a Visium array
SPREAD = 0.6  # of the logarithm of a section's spots
PATCH_PX = 224


@dataclass(frozen=True)
class Made:
    """One section: `genes` are numbers of `symbols`."""

    name: str
    number: int
    n_spots: int
    genes: NDArray[np.int64]
    xenium: bool
    by_id: bool


def write_folder(folder: Path, n_sections: int, seed: int = 0, spots: int = SPOTS) -> Path:
    """The folder, `spots` a section on average; sections that are there already are kept, so that
    it can grow.
    """
    for part in ("st", "metadata", "patches"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    symbols, ids = gene_table()
    rates = gene_rates(N_GENES, 0.10, seed)
    for made in sections(n_sections, seed, spots):
        if not (folder / "metadata" / f"{made.name}.json").is_file():
            _write(folder, made, symbols, ids, rates)
    return folder


def gene_table() -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Symbols and Ensembl ids of true genes, (n_genes,)."""
    known = [(symbol, ensembl) for symbol, ensembl in hgnc().ids.items() if ensembl]
    symbols, ids = zip(*known[:N_GENES], strict=True)
    return np.array(symbols), np.array(ids)


def sections(n_sections: int, seed: int, spots: int) -> list[Made]:
    """What each is like, whatever the number of them."""
    return [_section(number, seed, spots) for number in range(n_sections)]


def _section(number: int, seed: int, spots: int) -> Made:
    rng = np.random.default_rng([seed, number])
    n_spots = int(spots * rng.lognormal(-(SPREAD**2) / 2, SPREAD))
    xenium = number % XENIUM_EVERY == XENIUM_EVERY // 2
    genes = _design(number // XENIUM_EVERY % DESIGNS, seed) if xenium else np.arange(N_GENES)
    size = min(MOST_SPOTS, max(FEWEST_SPOTS, n_spots))
    name = f"S{number:04d}"
    return Made(name, number, size, genes, xenium, by_id=number % ENSEMBL_EVERY == 1)


def _design(number: int, seed: int) -> NDArray[np.int64]:
    """Genes of a panel: a half of them is in all panels."""
    rng = np.random.default_rng([seed, 7, number])
    common = np.random.default_rng([seed, 7]).permutation(N_GENES)[: FEWEST_PROBES // 2]
    own = rng.permutation(N_GENES)[: rng.integers(FEWEST_PROBES, PROBES) - len(common)]
    return np.unique(np.concatenate([common, own]))


def _write(
    folder: Path,
    made: Made,
    symbols: NDArray[np.str_],
    ids: NDArray[np.str_],
    rates: NDArray[np.float64],
) -> None:
    barcodes = [f"{made.number:04d}-{i}" for i in range(made.n_spots)]
    pos = positions(made.n_spots, VISIUM)
    counts = draw_counts(made.n_spots, rates[made.genes], made.number)
    if made.xenium:  # a panel is of genes that are seen
        counts = draw_counts(made.n_spots, np.full(len(made.genes), 0.4), made.number)
    _write_table(folder / "st" / f"{made.name}.h5ad", made, counts, barcodes, pos, symbols, ids)
    _write_patches(folder / "patches" / f"{made.name}.h5", barcodes, pos)
    write_json(folder / "metadata" / f"{made.name}.json", _metadata(made))


def _write_table(
    path: Path,
    made: Made,
    counts: sparse.csr_matrix,
    barcodes: list[str],
    pos: NDArray[np.float64],
    symbols: NDArray[np.str_],
    ids: NDArray[np.str_],
) -> None:
    own = {"names": symbols[made.genes].astype(object), "ids": ids[made.genes].astype(object)}
    names = own["ids"] if made.by_id else own["names"]
    var = pd.DataFrame({"gene_ids": own["ids"]}, index=pd.Index(names, dtype=object))
    table = ad.AnnData(counts, obs=pd.DataFrame(index=pd.Index(barcodes, dtype=object)), var=var)
    table.obs["in_tissue"] = 1
    table.obsm["spatial"] = pos
    table.write_h5ad(path, compression="lzf")


def _write_patches(path: Path, barcodes: list[str], pos: NDArray[np.float64]) -> None:
    """Pixels that were never written take no room."""
    n = len(barcodes)
    with h5py.File(path, "w") as file:
        file.create_dataset("barcode", data=[[name.encode()] for name in barcodes])
        file.create_dataset("coords", data=pos.astype(np.int64))
        shape = (n, PATCH_PX, PATCH_PX, 3)
        file.create_dataset("img", shape, np.uint8, chunks=(1, *shape[1:]))


def _metadata(made: Made) -> dict[str, str | float]:
    patient = made.number // PER_PATIENT
    return {
        "id": made.name,
        "patient": f"P{patient}",
        "dataset_title": f"study {patient // PER_STUDY}",
        "st_technology": "Xenium" if made.xenium else "Visium",
        "species": "Homo sapiens",
        "pixel_size_um_estimated": MPP,
        "inter_spot_dist": VISIUM.pitch_um,
        "spot_diameter": 55.0,
    }
