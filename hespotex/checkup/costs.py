"""What a run will need: time measured on some spots, disk and memory by arithmetic."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.batches.fold import Recipe
from hespotex.checkup.memory import SPARSE, Size, fold_memory
from hespotex.common.errors import InputError
from hespotex.embeddings.embed import patch_specs
from hespotex.embeddings.encoder import Encoder, NucleiCounter
from hespotex.embeddings.pipeline import encode_spots
from hespotex.embeddings.store import PRECISION
from hespotex.nuclei import NucleiPerSpot
from hespotex.sections.section import Section
from hespotex.splits.split import Split

# spots that are timed; the difference leaves out what is done once
FEW = 8
MANY = 32


@dataclass(frozen=True)
class Costs:
    """`width`: numbers per spot over all patch sizes. Times in seconds for one CPU or GPU as here,
    sizes in bytes.

    `patches`, times and `disk` are of a store that holds nothing yet.
    """

    patches: int
    width: int
    encode_seconds: float
    nuclei_seconds: float
    disk: int
    memory: int


def estimate(
    sections: Mapping[str, Section],
    splits: Sequence[Split],
    recipe: Recipe,
    n_genes: int,
    keep_gib: float,
) -> Costs:
    """Costs of embedding and training on these sections, from some spots of the last, whose image
    is open.

    Args:
        sections: the sound ones, by id; each is looked at and let go.
        splits: that are trained, one after the other.
        recipe: as training gets it.
        n_genes: of the panel.
        keep_gib: memory for counts.
    """
    views = recipe.inputs.views
    trained = {i for split in splits for i in split.train}
    sizes = {i: Size.of(section) for i, section in sections.items()}
    n_spots = sum(own.spots for own in sizes.values())
    encoded = sum(own.spots * (views if i in trained else 1) for i, own in sizes.items())
    specs = patch_specs(recipe.encoder)
    last = sections[[*sections][-1]]
    widths: list[int] = []

    def encode(section: Section) -> None:
        widths[:] = [_width(encode_spots(section, spec, member)) for member, spec in specs]

    encode_seconds = encoded * seconds_per_spot(encode, last)
    width = sum(widths)
    nuclei = recipe.nuclei
    numbers = encoded * width + (n_spots if nuclei else 0)
    memory = [
        fold_memory(sizes, split, recipe.batching, width, n_genes, views, keep_gib)
        for split in splits
    ]
    stored = numbers * np.dtype(PRECISION[recipe.store.precision]).itemsize
    counts = [own.counts for own in sizes.values()]
    return Costs(
        encoded * len(specs),
        width,
        encode_seconds,
        _nuclei_seconds(sections, n_spots, nuclei, last),
        disk=stored + overflow(counts, n_spots, n_genes, keep_gib),
        memory=max(memory),
    )


def overflow(counts: Sequence[int], n_spots: int, n_genes: int, keep_gib: float) -> int:
    """Bytes that the store gets of a data set whose counts do not fit in memory: these, about
    halved, and the targets of a panel.
    """
    total = sum(counts)
    return total // 2 + min(total, SPARSE * n_genes * n_spots) if total > keep_gib * 2**30 else 0


def _width(rows: Iterable[NDArray[np.float32]]) -> int:
    """Numbers a spot; goes through all rows."""
    return [row.shape[1] for row in rows][-1]


def _nuclei_seconds(
    sections: Mapping[str, Section], n_spots: int, nuclei: NucleiCounter | None, sample: Section
) -> float:
    """Measured on some spots of `sample`, unless the counter knows that this takes too long."""
    if nuclei is None:
        return 0.0
    if isinstance(nuclei, NucleiPerSpot):
        expected = [nuclei.expected_seconds(section) for section in sections.values()]
        if None not in expected:
            return sum(seconds or 0.0 for seconds in expected)
    return n_spots * seconds_per_spot(nuclei, sample)


def seconds_per_spot(work: Callable[[Section], Any], section: Section) -> float:
    """Seconds for each further spot, without what is done once, such as loading weights."""
    pos = section.pos_px
    central = np.argsort(np.linalg.norm(pos - np.median(pos, axis=0), axis=1), kind="stable")
    few, many = (section.keep(np.sort(central[:n])) for n in (FEW, MANY))
    work(few)
    times = []
    for sample in (few, many):
        started = perf_counter()
        work(sample)
        times.append(perf_counter() - started)
    more = len(many.adata) - len(few.adata)
    return max(times[1] - times[0], 0.0) / more if more else times[1] / len(many.adata)


def check_disk(costs: Costs, store: Path) -> None:
    """Refuse a store without room."""
    home = next(folder for folder in [store, *store.absolute().parents] if folder.exists())
    free = shutil.disk_usage(home).free
    if costs.disk > free:
        raise InputError(
            f"the store takes {size(costs.disk)}, {home} has {size(free)} free; set"
            " paths.store=ELSEWHERE"
        )


def check_memory(costs: Costs) -> None:
    """Refuse more data than the machine holds."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if costs.memory > machine:
        raise InputError(
            f"a fold takes about {size(costs.memory)} of memory, this machine has {size(machine)};"
            " use fewer sections (data.reader.sections), fewer genes (data.n_genes_at_most), or"
            " smaller blocks (data.batching.block_gib, keep_gib)"
        )


def describe(costs: Costs, encoder: Encoder) -> str:
    """The estimate in two lines."""
    sizes = " and ".join(f"{spec.um:g}" for _, spec in patch_specs(encoder))
    return (
        f"encoder {encoder.name}: {costs.patches:,} patches of {sizes} um, {costs.width} numbers a"
        f" spot\nfirst run: about {duration(costs.encode_seconds)} to encode and"
        f" {duration(costs.nuclei_seconds)} for nuclei, then kept ({size(costs.disk)} of disk); at"
        f" most about {size(costs.memory)} of memory, and 1 GB for the program"
    )


def size(n_bytes: float) -> str:
    """Bytes in a fitting unit."""
    unit = 0 if n_bytes < 1e6 else 1 if n_bytes < 1e9 else 2
    return f"{n_bytes / (1e3, 1e6, 1e9)[unit]:.3g} {('kB', 'MB', 'GB')[unit]}"


def duration(seconds: float) -> str:
    """Seconds in a fitting unit."""
    for limit, one, unit in ((100, 1, "s"), (6000, 60, "min"), (np.inf, 3600, "h")):
        if seconds < limit:
            return f"{seconds / one:.2g} {unit}"
    return "forever"
