"""What the doctor says a run will need: the disk that the store then takes, and the memory of a
fold.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import ref

import h5py
import numpy as np
import pytest
from builders import MeanColour, random_counts, section, square_grid
from conftest import compose_config
from omegaconf import OmegaConf

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.loader import Batching
from hespotex.checkup import costs
from hespotex.checkup.costs import Costs, duration, estimate, size
from hespotex.checkup.memory import Size, fold_memory
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.expression import LogNormalised
from hespotex.genes.gene_list import GeneList
from hespotex.records.build import build_fold
from hespotex.sections.section import Section
from hespotex.splits.split import Split


def estimated(words: list[str]) -> tuple[Costs, Fold, int]:
    """Costs of fold 0, the fold, and bytes of all embeddings and nuclei counts that it stores."""
    config: Any = OmegaConf.to_container(compose_config("train", words, Path()), resolve=True)
    fold = build_fold(config)
    sections = {i: known.section for i, known in fold.sections.items()}
    costs = estimate(sections, [fold.split], fold.recipe, 100, 4.0)
    stored = 0
    for path in fold.recipe.store.root.rglob("*.h5"):
        with h5py.File(path) as file:
            stored += file["embedding"].nbytes
    return costs, fold, stored


@pytest.mark.parametrize(("precision", "views"), [("half", 1), ("half", 3), ("full", 1)])
def test_the_disk_is_what_the_store_takes(
    small: list[str], tmp_path: Path, precision: str, views: int
) -> None:
    words = [f"store.root={tmp_path}", f"store.precision={precision}", f"data.inputs.views={views}"]
    costs, fold, stored = estimated(
        [*small, "model=ridge", "data.reader.sections=[DEMO1,DEMO3]", *words]
    )
    assert costs.disk == stored
    sizes = {i: len(known.section.adata) for i, known in fold.sections.items()}
    assert costs.patches == sum(
        n * (views if i in fold.split.train else 1) for i, n in sizes.items()
    )


SPLIT = Split(0, 2, ["a"], [], ["b"])
NO_BLOCKS = Batching(keep_gib=0, block_gib=0)


def plain(section_id: str, side: int) -> Section:
    """`side` x `side` spots, without an image."""
    return section(random_counts(side**2, 50), section_id=section_id, pos=square_grid(side)[0])


@pytest.mark.parametrize("side", [20, 30])
def test_memory_is_that_of_dense_predictions_and_sparse_counts(side: int) -> None:
    sections = {"a": plain("a", 10), "b": plain("b", side)}
    counts = sum(part.nbytes for own in sections.values() for part in csr_parts(own))
    tables = 2 * side**2 * 1000 * 4  # predicted and measured
    sizes = {i: Size.of(own) for i, own in sections.items()}
    found = fold_memory(sizes, SPLIT, NO_BLOCKS, 64, 1000, 1)
    assert found == counts + tables
    # embeddings stay on disk
    assert fold_memory(sizes, SPLIT, NO_BLOCKS, 6400, 1000, 8) == found


def csr_parts(own: Section) -> list[np.ndarray]:
    return [own.adata.X.data, own.adata.X.indices, own.adata.X.indptr]


def test_what_sections_say_of_their_genes_takes_memory() -> None:
    """1,276 small sections of 18,000 genes took 0.2 GB more than was foretold."""
    sizes = {f"S{i}": Size(10, 18_000, 1000, None) for i in range(1276)}
    split = Split(0, 2, [*sizes][1:], [], ["S0"])
    found = fold_memory(sizes, split, NO_BLOCKS, 64, 10, 1, keep_gib=0)
    assert found >= 1275 * 18_000 * (8 + 8)


def test_memory_of_blocks_has_the_limits_of_the_settings() -> None:
    sections = {"a": Size.of(plain("a", 50)), "b": Size.of(plain("b", 5))}

    def found(width: int = 10, views: int = 1, **limits: float) -> int:
        return fold_memory(sections, SPLIT, Batching(**limits), width, 1000, views)  # type: ignore[arg-type]

    assert found(keep_gib=0.0, block_gib=1.0) > found(keep_gib=0.0, block_gib=0.01)
    # a section is not larger than it is
    assert found(keep_gib=0.0, block_gib=1.0) == found(keep_gib=0.0, block_gib=64.0)
    assert found(keep_gib=0.1, width=10**6) - found(keep_gib=0.0) == int(0.1 * 2**30)
    assert found(keep_gib=9.0, views=8) - found(keep_gib=9.0) == 8 * 10 * 2500 * 4


class Watched(Mapping[str, Section]):
    """Sections that are made when they are asked for; `most` were in memory at a time."""

    most = 0

    def __init__(self, ids: str) -> None:
        self.ids = ids
        self.made: list[ref[Section]] = []

    def __getitem__(self, section_id: str) -> Section:
        made = plain(section_id, 10)
        self.made.append(ref(made))
        self.most = max(self.most, sum(one() is not None for one in self.made))
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


def test_sections_are_looked_at_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "encode_spots", lambda own, *_: [np.zeros((len(own.adata), 3))])
    sections = Watched("abcdefgh")
    recipe = Recipe(MeanColour(), None, GeneList(["A"]), LogNormalised(), ImageInputs(),
                    EmbeddingStore("unused"), NO_BLOCKS)  # fmt: skip
    split = Split(0, 2, list("abcdefg"), [], ["h"])
    assert estimate(sections, [split], recipe, 10, 4.0).patches == 800
    assert sections.most <= 3  # the first one is timed


def test_units() -> None:
    assert [size(n) for n in (2000, 3.5e6, 2.25e9)] == ["2 kB", "3.5 MB", "2.25 GB"]
    assert [duration(s) for s in (5, 600, 36000)] == ["5 s", "10 min", "10 h"]
    assert np.isfinite(float(duration(3e6).split()[0]))
