"""From a section to the tensors of one batch entry; `predict.py` and the test step both come through here."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from hespotex.data.embed import count_nuclei, embed_section
from hespotex.data.encoder import Encoder, NucleiCounter
from hespotex.data.graph import knn_edges
from hespotex.data.pipeline import N_VIEWS
from hespotex.data.section import Section
from hespotex.data.store import EmbeddingStore
from hespotex.errors import InputError


@dataclass(frozen=True)
class ImageInputs:
    """How the image side of a section becomes tensors.

    Args:
        n_neighbours: edges into each spot from its nearest spots.
        standardize: "section" gives every embedding dimension mean 0 and standard deviation 1 over the section's
            own spots, which removes stain and scanner shifts (it uses the section's image, never its counts);
            "none" leaves it to the model.
        shuffle: control: give each spot the image of another spot of its section.
        views: of each patch, 1 to 8: as it lies, turned and mirrored. Training draws one for each spot and epoch;
            everything else sees the patch as it lies.
    """

    n_neighbours: int = 18
    standardize: str = "section"
    shuffle: bool = False
    views: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.views <= N_VIEWS:
            raise InputError(f"data.inputs.views: expected 1 to {N_VIEWS}, got {self.views}")

    def assemble(
        self, section: Section, encoder: Encoder, nuclei: NucleiCounter | None, store: EmbeddingStore, views: int = 1
    ) -> Data:
        """One section as a graph. Fields, with n spots:

        `image_embedding` (n, d_image) float32; `nuclei` (n, 1) float32, count per spot; `pos` (n, 2) float32, um,
        x then y; `edge_index` (2, n_edges), row 0 the neighbour, row 1 the spot; `section_id`; with more than one of
        `views`, `image_views` (n, views, d_image), the first as in `image_embedding`.
        The data module adds `expression` (n, n_genes), `weight` (1,) and, from the teacher, `latent` (n, d_latent).
        """
        embeddings = np.stack([embed_section(section, encoder, store, view) for view in range(views)], axis=1)
        counts = count_nuclei(section, nuclei, store)
        if self.shuffle:
            order = np.random.default_rng(len(embeddings)).permutation(len(embeddings))
            embeddings, counts = embeddings[order], counts[order]
        if self.standardize == "section":
            embeddings = standardize(embeddings)
        data = Data(
            image_embedding=torch.from_numpy(np.ascontiguousarray(embeddings[:, 0])),
            nuclei=torch.from_numpy(counts),
            pos=torch.from_numpy(section.pos.astype(np.float32)),
            edge_index=torch.from_numpy(knn_edges(section.pos, self.n_neighbours)),
            section_id=section.section_id,
            num_nodes=len(embeddings),
        )
        if views > 1:
            data.image_views = torch.from_numpy(embeddings)
        return data

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def standardize(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the spots (first axis) to mean 0 and standard deviation 1, clipped at 6; what is constant becomes 0."""
    mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scaled = (values - mean) / np.where(std > 1e-6, std, np.inf)
    return np.clip(scaled, -6, 6).astype(np.float32)
