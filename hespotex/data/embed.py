"""Every patch is encoded once: from a section's image to rows in the store."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hespotex.data.patches import PatchSpec, iterate_patches
from hespotex.data.section import Section
from hespotex.data.store import EmbeddingStore
from hespotex.files import digest, file_fingerprint

BATCH = 64


class Encoder(Protocol):
    """Turns patches into numbers: an image encoder, or a counter of nuclei.

    `patch_um`: the physical sizes at which each spot is looked at; their outputs are concatenated.
    `patch_px`: side of the square in pixels as the encoder wants it.
    """

    name: str
    patch_um: list[float]
    patch_px: int

    def identity(self) -> dict[str, Any]:
        """Plain values that fix the output: weights, preprocessing, version. Part of the store's key."""
        ...

    def __call__(self, patches: NDArray[np.uint8], mpp: float) -> NDArray[np.float32]:
        """(n, px, px, 3) RGB at `mpp` um per px -> (n, d)."""
        ...


def embed_section(section: Section, encoder: Encoder, store: EmbeddingStore) -> NDArray[np.float32]:
    """Embeddings (n_spots, d) of a section, all patch sizes side by side; computed now if the store lacks them."""
    parts = []
    for um in encoder.patch_um:
        spec = PatchSpec(float(um), encoder.patch_px)
        identity = {
            "encoder": encoder.identity(),
            "image": file_fingerprint(_pixels(section)),
            "patch_um": spec.um,
            "patch_px": spec.px,
            "mpp": round(section.mpp, 6),
            "positions": digest(np.round(section.pos_px, 2).tobytes()),
            "barcodes": digest(section.barcodes),
        }
        compute = _computation(section, encoder, spec)
        parts.append(store.load(section.section_id, encoder.name, identity, section.barcodes, compute))
    return np.concatenate(parts, axis=1)


def _computation(section: Section, encoder: Encoder, spec: PatchSpec) -> Callable[[], NDArray[np.float32]]:
    def compute() -> NDArray[np.float32]:
        numbers, rows = [], []
        with tqdm(total=len(section.adata), unit="patch", desc=f"{encoder.name} {section.section_id} {spec.um:g} um") as bar:
            for spots, patches in iterate_patches(section, spec, BATCH):
                numbers.append(spots)
                rows.append(encoder(patches, spec.mpp))
                bar.update(len(spots))
        return np.concatenate(rows)[np.argsort(np.concatenate(numbers))]

    return compute


def _pixels(section: Section) -> Any:
    return section.image if section.image is not None else section.patches
