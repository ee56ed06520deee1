"""From a section to the tensors of one batch entry; `predict.py` and the test step both come through here."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from hespotex.data.embed import Encoder, NucleiCounter, count_nuclei, embed_section
from hespotex.data.graph import knn_edges
from hespotex.data.section import Section
from hespotex.data.store import EmbeddingStore


@dataclass(frozen=True)
class ImageInputs:
    """How the image side of a section becomes tensors.

    Args:
        n_neighbours: edges into each spot from its nearest spots.
        standardize: "section" gives every embedding dimension mean 0 and standard deviation 1 over the section's
            own spots, which removes stain and scanner shifts (it uses the section's image, never its counts);
            "none" leaves it to the model.
        shuffle: control: give each spot the image of another spot of its section.
    """

    n_neighbours: int = 18
    standardize: str = "section"
    shuffle: bool = False

    def assemble(self, section: Section, encoder: Encoder, nuclei: NucleiCounter | None, store: EmbeddingStore) -> Data:
        """One section as a graph. Fields, with n spots:

        `image_embedding` (n, d_image) float32; `nuclei` (n, 1) float32, count per spot; `pos` (n, 2) float32, um,
        x then y; `edge_index` (2, n_edges), row 0 the neighbour, row 1 the spot; `section_id`.
        The data module adds `expression` (n, n_genes), `weight` (1,) and, from the teacher, `latent` (n, d_latent).
        """
        embedding = embed_section(section, encoder, store)
        counts = count_nuclei(section, nuclei, store)
        if self.shuffle:
            order = np.random.default_rng(len(embedding)).permutation(len(embedding))
            embedding, counts = embedding[order], counts[order]
        if self.standardize == "section":
            embedding = standardize(embedding)
        return Data(
            image_embedding=torch.from_numpy(embedding),
            nuclei=torch.from_numpy(counts),
            pos=torch.from_numpy(section.pos.astype(np.float32)),
            edge_index=torch.from_numpy(knn_edges(section.pos, self.n_neighbours)),
            section_id=section.section_id,
            num_nodes=len(embedding),
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def standardize(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Columns to mean 0 and standard deviation 1, clipped at 6; constant columns become 0."""
    mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scaled = (values - mean) / np.where(std > 1e-6, std, np.inf)
    return np.clip(scaled, -6, 6).astype(np.float32)
