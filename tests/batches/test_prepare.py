"""From sections to a fold: what cannot be trained on is refused before hours of encoding."""

from pathlib import Path

import pytest
from builders import MeanColour, write_hest

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Recipe
from hespotex.batches.loader import Batching
from hespotex.batches.prepare import prepare_fold
from hespotex.common.errors import InputError
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.expression import LogNormalised
from hespotex.genes.panel import HighlyVariableGenes
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split

HUMAN = ["ERBB2", "KRT5", "CD8A", "ACTA2", "MKI67", "EPCAM", "CD3E", "COL1A1", "PECAM1", "ESR1"]


def test_mixed_species_are_refused_before_anything_is_encoded(tmp_path: Path) -> None:
    write_hest(tmp_path, "A", genes=HUMAN)
    write_hest(tmp_path, "B", genes=[name.capitalize() for name in HUMAN], seed=1)
    encoder = MeanColour(patch_um=(60.0,))
    recipe = Recipe(
        encoder,
        None,
        HighlyVariableGenes(5),
        LogNormalised(),
        ImageInputs(n_neighbours=4),
        EmbeddingStore(str(tmp_path / "store")),
        Batching(),
    )
    with pytest.raises(InputError, match="human in A; mouse in B"):
        prepare_fold(Sections(HestReader(str(tmp_path))), Split(0, 1, ["A"], [], ["B"]), recipe)
    assert encoder.calls == 0
