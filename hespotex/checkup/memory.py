"""The memory of a run, by arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hespotex.batches.cut import BYTES_PER_VALUE, block_spots
from hespotex.batches.loader import Batching
from hespotex.sections.images import image_facts
from hespotex.sections.images.region import OPEN_IMAGES, PLAIN
from hespotex.sections.images.tiff import CACHE_BYTES
from hespotex.sections.section import Section
from hespotex.sections.sections import counts_bytes
from hespotex.splits.split import Split

FLOAT = 4  # bytes
SPARSE = 8  # bytes of a non-zero: value and column
RANKED = 16  # bytes of a gene of a section while genes are chosen: its score and its rank


@dataclass(frozen=True)
class Size:
    """What costs depend on of a section: its spots and genes, the bytes of its counts, and its
    image.
    """

    spots: int
    genes: int
    counts: int
    image: Path | None

    @classmethod
    def of(cls, section: Section) -> "Size":
        """Of a section, which can be let go afterwards."""
        spots, genes = section.adata.shape
        return cls(spots, genes, counts_bytes(section), section.image)


def fold_memory(
    sections: Mapping[str, Size],
    split: Split,
    batching: Batching,
    width: int,
    n_genes: int,
    views: int,
    keep_gib: float = 4.0,
) -> int:
    """Bytes that a run holds at its fullest moment; embeddings stay on disk and targets sparse.

    It reads (counts up to `keep_gib` and of one section more, the images that are open, what each
    training section says of its genes), trains (the blocks of a step, and those kept between
    epochs) and tests (predictions of the test sections, and of one of them the measured values);
    the targets are there throughout, if all counts fit.

    Args:
        sections: sizes of the sound ones, by id.
        width, views: numbers of a patch size's embeddings side by side; views of each training
        patch.
    """
    train, val, test = (
        [sections[i] for i in side if i in sections]
        for side in (split.train, split.val, split.test)
    )
    every = dict.fromkeys([*split.train, *split.val, *split.test])
    members = [sections[i] for i in every if i in sections]
    sizes = [section.counts for section in members]
    counts = min(sum(sizes), int(keep_gib * 2**30) + max(sizes, default=0))
    targets = min(sum(sizes), SPARSE * n_genes * sum(_spots(members)))
    targets = 0 if sum(sizes) > keep_gib * 2**30 else targets  # in the store
    blocks = _block_bytes(train, batching, width * (1 + views if views > 1 else 1) + n_genes)
    blocks += _block_bytes(val, batching, width + n_genes)
    predicted = FLOAT * n_genes * (sum(_spots(test)) + max(_spots(test), default=0))
    return targets + max(
        counts + _images(members) + RANKED * sum(section.genes for section in train),
        blocks + max(_step(train, batching, n_genes), predicted),
    )


def _spots(sections: Sequence[Size]) -> list[int]:
    return [section.spots for section in sections]


def _step(train: Sequence[Size], batching: Batching, n_genes: int) -> int:
    """Of the blocks of an optimiser step, whose largest is the largest section or what `block_gib`
    leaves of it.
    """
    most = min(block_spots(batching.block_gib, n_genes), max(_spots(train), default=0))
    return BYTES_PER_VALUE * n_genes * most * batching.blocks


def _block_bytes(sections: Sequence[Size], batching: Batching, numbers: int) -> int:
    """Of the blocks that stay between epochs, with so many numbers a spot."""
    return min(int(batching.keep_gib * 2**30), FLOAT * numbers * sum(_spots(sections)))


def _images(sections: Iterable[Size]) -> int:
    """Of the images that are open together: JPEG and PNG are decoded whole, of others some tiles
    are kept.
    """
    paths = {section.image for section in sections if section.image}
    whole = {path: 3 * int(np.prod(image_facts(path)[0])) for path in paths}
    sizes = [
        n if path.suffix.lower() in PLAIN else min(n, CACHE_BYTES) for path, n in whole.items()
    ]
    return sum(sorted(sizes)[-OPEN_IMAGES:])
