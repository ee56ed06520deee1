"""From the patches of a section to rows of numbers: threads read ahead while the encoder works."""

import os
from collections import deque
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.common.progress import progress_bar
from hespotex.embeddings.encoder import Encoder
from hespotex.embeddings.read_ahead import read_ahead
from hespotex.sections.patch_reader import PatchReader, Spots, batches, patch_reader
from hespotex.sections.patches import Patches, PatchSpec
from hespotex.sections.section import Section

IN_FLIGHT = 2  # batches that a GPU may be behind
N_VIEWS = 8  # four rotations, each as it is and mirrored
Rows = NDArray[np.float32]


def encode_spots(
    section: Section,
    spec: PatchSpec,
    encoder: Encoder,
    start: int = 0,
    read_workers: int | None = None,
    view: int = 0,
) -> Iterator[Rows]:
    """Yield the rows (n, d) of one batch of spots after the other, in the order of
    `patch_reader(section, spec)`.

    Args:
        start: rows to leave out, made by an earlier, interrupted run.
        read_workers: threads that read patches ahead of the encoder; None takes what fits the
          machine.
        view: which of the eight rotations and mirror images of each patch is encoded, 0 the patch
          as it lies.
    """
    reader = patch_reader(section, spec)
    todo = batches(reader.order[start:], encoder.batch_size)
    patches = read_ahead(partial(_read, reader, view), todo, read_workers or default_workers())
    label = f"{encoder.name} {section.section_id} {spec.um:g} um" + (
        f" view {view}" if view else ""
    )
    pending: deque[Tensor] = deque()
    with progress_bar(len(reader.order), "patch", label, initial=start) as bar:
        for batch in patches:
            pending.append(_checked(encoder(batch, spec.mpp), len(batch), encoder.name))
            bar.update(len(batch))
            if len(pending) > IN_FLIGHT:
                yield _rows(pending.popleft())
        yield from map(_rows, pending)


def default_workers() -> int:
    """One beside a CPU encoder, which needs the cores itself; a GPU is fed by up to eight."""
    return min(8, len(os.sched_getaffinity(0))) if torch.cuda.is_available() else 1


def _read(reader: PatchReader, view: int, spots: Spots) -> Tensor:
    """Patches of these spots, page-locked where a GPU will fetch them."""
    patches = torch.from_numpy(turn(reader(spots), view))
    return patches.pin_memory() if torch.cuda.is_available() else patches


def turn(patches: Patches, view: int) -> Patches:
    """(n, px, px, 3) rotated by `view` mod 4 quarter turns, mirrored from view 4 on."""
    turned = np.rot90(patches, view % 4, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if view >= 4 else turned)


def _checked(embedding: Tensor, n: int, name: str) -> Tensor:
    """What an encoder gave, if it is one row a patch."""
    shape = tuple(getattr(embedding, "shape", ()))
    if not isinstance(embedding, Tensor) or len(shape) != 2 or shape[0] != n:
        answer = f"{type(embedding).__name__} of shape {shape}"
        raise InputError(
            f"encoder {name}: expected a tensor of shape ({n}, d) for {n} patches, got {answer}"
        )
    return embedding


def _rows(embedding: Tensor) -> Rows:
    return embedding.float().cpu().numpy()
