"""Every patch is encoded once: from a section's image to rows in the store."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.files import digest, file_fingerprint
from hespotex.common.numerics.digests import array_digest
from hespotex.embeddings.encoder import Encoder, NucleiCounter, parts_of
from hespotex.embeddings.pipeline import encode_spots
from hespotex.embeddings.rows import Embeddings, StoredRows
from hespotex.embeddings.store import EmbeddingStore, Request
from hespotex.sections.patch_reader import patch_reader
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section


def embed_section(
    section: Section, encoder: Encoder, store: EmbeddingStore, view: int = 0
) -> Embeddings:
    """Embeddings (n_spots, d) of a section, all patch sizes side by side; computed now if the store
    lacks them.

    Args:
        view: which rotation or mirror image of the patches, 0 to 7; see `encode_spots`.
    """
    return Embeddings(
        [_load(section, member, spec, store, view) for member, spec in patch_specs(encoder)]
    )


def fill(
    section: Section,
    encoder: Encoder,
    nuclei: NucleiCounter | None,
    store: EmbeddingStore,
    views: int = 1,
) -> None:
    """Put all that a section needs into the store."""
    for view in range(views):
        embed_section(section, encoder, store, view)
    if nuclei:
        count_nuclei(section, nuclei, store)


def is_filled(
    section: Section,
    encoder: Encoder,
    nuclei: NucleiCounter | None,
    store: EmbeddingStore,
    views: int = 1,
) -> bool:
    """Whether `fill` would find all in the store."""
    requests = [
        _request(section, member, spec, view)
        for member, spec in patch_specs(encoder)
        for view in range(views)
    ]
    requests += [_count_request(section, nuclei)] if nuclei else []
    return all(store.holds(request) for request in requests)


def patch_specs(encoder: Encoder) -> list[tuple[Encoder, PatchSpec]]:
    """The patches that are cut at each spot, each with the encoder that gets it: one of those put
    side by side.
    """
    members = parts_of(encoder)
    return [
        (member, PatchSpec(float(um), member.patch_px, member.patch_cut))
        for member in members
        for um in member.patch_um
    ]


def _request(section: Section, encoder: Encoder, spec: PatchSpec, view: int) -> Request:
    identity = spots_identity(section) | {
        "encoder": encoder.identity(),
        "patch": spec.to_dict(),
        "view": view,
    }
    return Request(section.section_id, encoder.name, identity, section.barcodes)


def _load(
    section: Section, encoder: Encoder, spec: PatchSpec, store: EmbeddingStore, view: int
) -> StoredRows:
    request = _request(section, encoder, spec, view)
    compute = partial(
        encode_spots, section, spec, encoder, read_workers=store.read_workers, view=view
    )
    return store.load(
        request, lambda start: compute(start=start), lambda: patch_reader(section, spec).order
    )


def count_nuclei(
    section: Section, counter: NucleiCounter, store: EmbeddingStore
) -> NDArray[np.float32]:
    """Nuclei (n_spots, 1) at each spot; counted now if the store lacks them."""
    return store.load(_count_request(section, counter), lambda _: [_counted(section, counter)])[:]


def _counted(section: Section, counter: NucleiCounter) -> NDArray[np.float32]:
    """What a counter gave, if it is a number a spot, as a column."""
    counts = np.asarray(counter(section))
    n = len(section.adata)
    if counts.shape != (n,):
        raise InputError(
            f"{counter.name} of {section.section_id}: expected counts ({n},), one a spot, got"
            f" {counts.shape}"
        )
    return counts[:, None]


def _count_request(section: Section, counter: NucleiCounter) -> Request:
    identity = spots_identity(section) | {"nuclei": counter.name, **counter.identity(section)}
    return Request(section.section_id, counter.name, identity, section.barcodes)


def spots_identity(section: Section) -> dict[str, Any]:
    """What fixes the pixels around each spot."""
    return {
        "image": file_fingerprint(section.pixels),
        "mpp": round(section.mpp, 6),
        "positions": array_digest(np.round(section.pos_px, 2)),
        "barcodes": digest(section.barcodes),
    }
