"""One task of a HEST-Benchmark bundle with one encoder: every fold, every gene."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.benchmark.recipe import FoldScore, score_fold
from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5
from hespotex.embeddings.embed import embed_section
from hespotex.embeddings.encoder import Encoder
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.candidates import check_markers
from hespotex.genes.gene_list import GeneList
from hespotex.sections.duplicates import duplicate_leaks, known_pair
from hespotex.sections.ids import h5ads_in
from hespotex.sections.patch_reader import stored_barcodes
from hespotex.sections.readers.common import existing_folder
from hespotex.sections.readers.hest.benchmark import HestBenchmarkReader
from hespotex.sections.section import Section
from hespotex.splits.bundle_split import BundleSplit
from hespotex.splits.strategies import Fold, section_ids

log = logging.getLogger(__name__)
GENES = "var_50genes.json"


@dataclass(frozen=True)
class Spots:
    """What the recipe needs of a section: `x` (n_spots, d) embeddings, `y` (n_spots, n_genes) log(1
    + raw counts).
    """

    section: Section
    x: NDArray[np.float32]
    y: NDArray[np.float64]


def find_tasks(root: Path, names: Sequence[str] | None) -> list[Path]:
    """Folders of the bundle's tasks, those asked for or all, in the order of their names.

    Raises:
        InputError: no bundle, or a task that it lacks.
    """
    folders = {path.parent.name: path.parent for path in sorted(root.glob(f"*/{GENES}"))}
    if not folders:
        raise InputError(
            f"no task (a folder with {GENES}) in {root}; set root=FOLDER to the HEST-Benchmark"
            " bundle"
        )
    if absent := sorted(set(names or []) - set(folders)):
        raise InputError(f"tasks names {absent}, but {root} holds {list(folders)}")
    return [path for name, path in folders.items() if names is None or name in names]


def run_task(root: Path, encoder: Encoder, store: EmbeddingStore) -> dict[str, Any]:
    """Scores of all folds of the task in the folder `root`, as plain values.

    `pcc_mean` and `pcc_std`: of the folds' means over genes; `genes`: each gene's Pearson, fold by
    fold. A fold's `leaks` say in words where the bundle's own split has one tissue on both sides.
    """
    ids = list(h5ads_in(existing_folder(root / "adata", "root")))
    # the splits are the bundle's
    reader = HestBenchmarkReader(str(root), groups={name: name for name in ids})
    genes = GeneList(path=str(root / GENES)).listed()
    folds = BundleSplit(path=str(root)).folds(reader.section_keys())
    ids_in_folds = sorted({name for fold in folds for side in fold for name in section_ids(side)})
    spots = {
        name: _spots(reader.read(name), genes, encoder, store, root / GENES)
        for name in ids_in_folds
    }
    scores = [_score(fold, spots) for fold in folds]
    means = np.array([score.mean for score in scores])
    return {
        "task": root.name,
        "pcc_mean": float(means.mean()),
        "pcc_std": float(means.std()),
        "folds": [_facts(fold, score, spots) for fold, score in zip(folds, scores, strict=True)],
        "genes": {gene: [float(score.pcc[i]) for score in scores] for i, gene in enumerate(genes)},
    }


def _spots(
    section: Section, genes: list[str], encoder: Encoder, store: EmbeddingStore, source: Path
) -> Spots:
    """Every spot that has a patch, in the order of the patches, raw counts as they are: the
    benchmark drops none.
    """
    with open_hdf5(section.pixels, in_parts=True) as file:
        place = {barcode: i for i, barcode in enumerate(stored_barcodes(file))}
    section = section.keep(np.argsort([place[barcode] for barcode in section.barcodes]).tolist())
    check_markers(
        genes, list(map(str, section.adata.var_names)), f"{source}, section {section.section_id}"
    )
    counts = section.adata[:, genes].X.toarray().astype(np.float64)
    return Spots(section, embed_section(section, encoder, store)[:], np.log1p(counts))


def _score(fold: Fold, spots: dict[str, Spots]) -> FoldScore:
    sides = [[spots[name] for name in section_ids(side)] for side in fold]
    (x_train, y_train), (x_test, y_test) = (
        (np.concatenate([s.x for s in side]), np.concatenate([s.y for s in side])) for side in sides
    )
    return score_fold(x_train, y_train, x_test, y_test)


def _facts(fold: Fold, score: FoldScore, spots: dict[str, Spots]) -> dict[str, Any]:
    train, test = (section_ids(side) for side in fold)
    return {
        "train": train,
        "test": test,
        "n_train": sum(len(spots[name].x) for name in train),
        "n_test": sum(len(spots[name].x) for name in test),
        "pcc_mean": score.mean,
        "n_genes_scored": int(np.isfinite(score.pcc).sum()),
        "n_components": score.n_components,
        "leaks": _leaks(train, test, spots),
    }


def _leaks(train: list[str], test: list[str], spots: dict[str, Spots]) -> list[str]:
    """The bundle's splits are taken as they are; what our own rules would refuse is said in
    words.
    """
    pairs = [pair for a in test for b in train if (pair := known_pair(a, b))]
    look = duplicate_leaks(
        [spots[i].section for i in test], [spots[i].section for i in train], allow_leak=True
    )
    return [*(f"{pair.a} (test) and {pair.b} (training): {pair.reason}" for pair in pairs), *look]
