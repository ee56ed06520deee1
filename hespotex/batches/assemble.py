"""From a section to the tensors of one batch entry; `predict.py` and the test step both come
through here.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hespotex.batches.spot_graph import SpotGraph
from hespotex.common.errors import InputError
from hespotex.common.numerics.moments import CONSTANT
from hespotex.embeddings.embed import count_nuclei, embed_section
from hespotex.embeddings.encoder import Encoder, NucleiCounter
from hespotex.embeddings.levels import LARGEST, Scale, TrainingScale
from hespotex.embeddings.pipeline import N_VIEWS
from hespotex.embeddings.rows import Embeddings, ImageRows, Views
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.target import Rows
from hespotex.sections.graph import knn_edges
from hespotex.sections.section import Section

STANDARDS = ("section", "training", "none")


@dataclass(frozen=True)
class ImageInputs:
    """How the image side of a section becomes tensors.

    Args:
        n_neighbours: edges into each spot from its nearest spots.
        standardize: "section" gives every embedding dimension mean 0 and standard deviation 1 over
          the section's own spots, which removes stain and scanner shifts (it uses the section's
          image, never its counts), and of a bare slide over its tissue; "training" does so by the
          training sections, alike for all, which keeps what differs between sections; "none"
          leaves it to the model.
        shuffle: control: give each spot the image of another spot of its section.
        views: of each patch, 1 to 8: as it lies, turned and mirrored. Training draws one for each
          spot and epoch; everything else sees the patch as it lies.
    """

    n_neighbours: int = 18
    standardize: str = "section"
    shuffle: bool = False
    views: int = 1

    def __post_init__(self) -> None:
        if self.standardize not in STANDARDS:
            raise InputError(
                f"data.inputs.standardize: expected {', '.join(STANDARDS)}, got {self.standardize}"
            )
        if not 1 <= self.views <= N_VIEWS:
            raise InputError(f"data.inputs.views: expected 1 to {N_VIEWS}, got {self.views}")

    def assemble(
        self,
        section: Section,
        encoder: Encoder,
        nuclei: NucleiCounter | None,
        store: EmbeddingStore,
        views: int = 1,
        training: TrainingScale | None = None,
    ) -> SpotGraph:
        """The image side of a section, with n spots:

        `image_embedding` (n, d_image); `place` (n, 2), x and y standardised over the section; with
        a nuclei counter `nuclei` (n, 1), count per spot, `nuclei_log` (n, 1), log(1 + count)
        standardised over the section, and `nuclei_most` (n, 1), the section's highest count; with
        more than one of `views`, `image_views` (n, views, d_image), the first as in
        `image_embedding`. All float32. What needs the whole section is here, so that a model may
        see blocks of it. The data module adds `target` and the teacher `latent` (n, d_latent): see
        `SpotGraph`.

        Args:
            training: what the training sections are like, for standardize="training".
        """
        order = (
            np.random.default_rng(len(section.adata)).permutation(len(section.adata))
            if self.shuffle
            else None
        )
        views_of = [embed_section(section, encoder, store, view) for view in range(views)]
        rows = [ImageRows(own, self.scale(own, training), order) for own in views_of]
        inputs: dict[str, Rows] = {
            "image_embedding": rows[0],
            "place": torch.from_numpy(standardize(section.pos)),
        }
        if views > 1:
            inputs["image_views"] = Views(rows)
        if nuclei:
            counts = count_nuclei(section, nuclei, store)
            inputs |= nuclei_rows(counts if order is None else counts[order])
        return SpotGraph(
            section.section_id, section.pos, knn_edges(section.pos, self.n_neighbours), inputs
        )

    def scale(self, own: Embeddings, training: TrainingScale | None) -> Scale | None:
        """By which a section of these embeddings is standardised; None for not at all."""
        if self.standardize == "section":
            return Scale.of(own.chunks())
        if self.standardize == "training":
            if training is None:
                raise InputError(
                    "data.inputs.standardize=training: the training sections are not known here"
                )
            return training.scale
        return None

    def to_dict(self) -> dict[str, Any]:
        """The settings by name, as the checkpoint keeps them."""
        return asdict(self)


def nuclei_rows(
    counts: NDArray[np.float32], over: NDArray[np.float32] | None = None
) -> dict[str, Rows]:
    """What models may want of the counts (n, 1) of a section; see `ImageInputs.assemble`.

    Args:
        over: counts (m, 1) of the spots that stand for the section; by default its own.
    """
    whole = counts if over is None else over
    fields = {
        "nuclei": counts,
        "nuclei_log": standardize(np.log1p(counts), np.log1p(whole)),
        "nuclei_most": np.full_like(counts, whole.max()),
    }
    return {name: torch.from_numpy(values) for name, values in fields.items()}


def standardize(
    values: NDArray[np.floating], over: NDArray[np.floating] | None = None
) -> NDArray[np.float32]:
    """Over the spots (first axis) to mean 0 and standard deviation 1, clipped at 6; what is
    constant becomes 0.

    Args:
        over: the spots (first axis) that tell mean and standard deviation; by default the same.
    """
    whole = values if over is None else over
    mean = whole.mean(axis=0, dtype=np.float64)
    std = whole.std(axis=0, dtype=np.float64)
    scaled = (values - mean) / np.where(std > CONSTANT, std, np.inf)
    return np.clip(scaled, -LARGEST, LARGEST).astype(np.float32)
