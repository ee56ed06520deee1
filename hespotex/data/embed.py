"""Every patch is encoded once: from a section's image to rows in the store."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.data.patches import Patches, PatchSpec, iterate_patches
from hespotex.data.section import Section
from hespotex.data.store import EmbeddingStore
from hespotex.files import digest, file_fingerprint
from hespotex.progress import progress_bar

BATCH = 64


class Encoder(Protocol):
    """Turns patches into numbers.

    `patch_um`: the physical sizes at which each spot is looked at; their outputs are concatenated.
    `patch_px`: side of the square in pixels as the encoder wants it.
    `patch_cut`: "padded", or "published": see `PatchSpec`.
    """

    name: str
    patch_um: list[float]
    patch_px: int
    patch_cut: str

    def identity(self) -> dict[str, Any]:
        """Plain values that fix the output: weights, preprocessing, version. Part of the store's key."""
        ...

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        """(n, px, px, 3) uint8 RGB at `mpp` um per px -> (n, d), on any device."""
        ...


class NucleiCounter(Protocol):
    """Counts nuclei at each spot, from the image or from what the user already has."""

    name: str

    def identity(self, section: Section) -> dict[str, Any]:
        """Plain values that fix the counts, besides image and positions. Part of the store's key."""
        ...

    def __call__(self, section: Section) -> NDArray[np.float32]:
        """Counts (n_spots,)."""
        ...


def embed_section(section: Section, encoder: Encoder, store: EmbeddingStore) -> NDArray[np.float32]:
    """Embeddings (n_spots, d) of a section, all patch sizes side by side; computed now if the store lacks them."""
    parts = []
    for um in encoder.patch_um:
        spec = PatchSpec(float(um), encoder.patch_px, encoder.patch_cut)
        identity = spots_identity(section) | {"encoder": encoder.identity(), "patch": spec.to_dict()}
        compute = partial(encode_patches, section, spec, partial(run_encoder, encoder), encoder.name)
        parts.append(store.load(section.section_id, encoder.name, identity, section.barcodes, compute))
    return np.concatenate(parts, axis=1)


def count_nuclei(section: Section, counter: NucleiCounter | None, store: EmbeddingStore) -> NDArray[np.float32]:
    """Nuclei (n_spots, 1) at each spot; 0 everywhere without a counter."""
    if counter is None:
        return np.zeros((len(section.adata), 1), dtype=np.float32)
    identity = spots_identity(section) | {"nuclei": counter.name, **counter.identity(section)}
    return store.load(section.section_id, counter.name, identity, section.barcodes, lambda: counter(section)[:, None])


def spots_identity(section: Section) -> dict[str, Any]:
    """What fixes the pixels around each spot."""
    return {
        "image": file_fingerprint(section.pixels),
        "mpp": round(section.mpp, 6),
        "positions": digest(np.round(section.pos_px, 2).tobytes()),
        "barcodes": digest(section.barcodes),
    }


def run_encoder(encoder: Encoder, patches: Patches, mpp: float) -> NDArray[np.float32]:
    """One batch through an encoder, back on the CPU."""
    return encoder(torch.from_numpy(patches), mpp).float().cpu().numpy()


def encode_patches(
    section: Section, spec: PatchSpec, encode: Callable[[Patches, float], NDArray[np.float32]], label: str
) -> NDArray[np.float32]:
    """Apply `encode` to the patches of all spots, in the order of the disk; rows come back in spot order."""
    numbers, rows = [], []
    with progress_bar(len(section.adata), "patch", f"{label} {section.section_id} {spec.um:g} um") as bar:
        for spots, patches in iterate_patches(section, spec, BATCH):
            numbers.append(spots)
            rows.append(encode(patches, spec.mpp))
            bar.update(len(spots))
    return np.concatenate(rows)[np.argsort(np.concatenate(numbers))]
