"""A data set that does not fit in memory gives what it gives in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import MeanColour

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.loader import Batching
from hespotex.batches.prepare import prepare_fold
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.expression import Expression, LogNormalised, PearsonResiduals
from hespotex.genes.panel import HighlyVariableGenes
from hespotex.modules.strict import StrictModule
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.section import Section
from hespotex.sections.sections import Sections
from hespotex.sections.stored import SectionStore
from hespotex.splits.split import Split


def refuse(section_id: str) -> Section:
    raise AssertionError(f"{section_id} was read again")


def fold_of(data: Path, store: Path, keep_gib: float, expression: Expression) -> Fold:
    sections = Sections(HestReader(str(data)), None, 25, keep_gib, SectionStore(store))
    if store.is_dir() and keep_gib == 0:
        sections.reader.read = refuse  # type: ignore[method-assign]
    train, test = list(sections.keys)[:-1], list(sections.keys)[-1:]
    recipe = Recipe(
        MeanColour(patch_um=(60.0,)),
        None,
        HighlyVariableGenes(20, measured_in=0.5),
        expression,
        ImageInputs(n_neighbours=4),
        EmbeddingStore(str(store)),
        Batching(),
    )
    return prepare_fold(sections, Split(0, 1, train, [], test), recipe)


@pytest.mark.parametrize("make", [LogNormalised, PearsonResiduals])
def test_from_the_disk_as_from_memory(
    small_demo: Path, tmp_path: Path, make: type[Expression]
) -> None:
    """Also of a second fold, which may not read the data set."""
    memory = fold_of(small_demo, tmp_path / "a", 4.0, make())
    wanted = predicted(memory)
    for _ in range(2):
        disk = fold_of(small_demo, tmp_path / "b", 0.0, make())
        assert disk.panel == memory.panel
        assert disk.gene_sets == memory.gene_sets
        for section_id, known in memory.sections.items():
            ceiling = disk.sections[section_id].noise_ceiling
            assert (ceiling is None) == (known.noise_ceiling is None)
            if ceiling is not None and known.noise_ceiling is not None:
                assert np.array_equal(ceiling, known.noise_ceiling, equal_nan=True)
        assert disk.fingerprint() == memory.fingerprint()
        assert all(map(torch.equal, disk.gene_scaling, memory.gene_scaling))
        assert torch.equal(predicted(disk), wanted)
    assert not list((tmp_path / "a").glob("*/expression-*"))
    assert len(list((tmp_path / "b").glob("*/expression-*"))) == len(disk.sections)


def predicted(fold: Fold) -> torch.Tensor:
    widths = fold.widths()
    module = StrictModule(widths["d_image"], widths["n_genes"])
    module.fit(fold)
    return next(iter(module.predict(fold.loader(fold.split.test, module.n_hops)).values()))


def test_some_genes_of_a_target_on_the_disk(small_demo: Path, tmp_path: Path) -> None:
    memory = fold_of(small_demo, tmp_path / "a", 4.0, PearsonResiduals())
    disk = fold_of(small_demo, tmp_path / "b", 0.0, PearsonResiduals())
    genes = np.array([7, 3, 11])
    for section_id, known in memory.sections.items():
        some = disk.sections[section_id].target.select(genes).select(np.array([2, 0]))
        wanted = known.target.select(genes[[2, 0]])
        assert torch.equal(some.dense(), wanted.dense())
        assert torch.equal(some.genes(0, 2), wanted.genes(0, 2))
        assert some.fingerprint() == wanted.fingerprint()
