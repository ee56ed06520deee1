"""The whole tissue of a bare slide, beside the spots that are asked for: the same spot gets the
same prediction, whatever else is asked.
"""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.batches.assemble import ImageInputs, nuclei_rows, standardize
from hespotex.batches.cut import Block, with_halos
from hespotex.batches.spot_graph import SpotGraph
from hespotex.embeddings.embed import count_nuclei, embed_section, is_filled
from hespotex.embeddings.encoder import Encoder, NucleiCounter
from hespotex.embeddings.levels import Scale
from hespotex.embeddings.rows import Embeddings, ImageRows, JoinedRows
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.target import Rows
from hespotex.sections.graph import edges_from, knn_edges
from hespotex.sections.section import Section

Numbers = NDArray[np.int64]
SAMPLE = 2000  # patches of a slide's tissue that it is standardised over, at most
ONE_PLACE_PX = 0.01  # the store tells positions apart by this


class WholeSlide:
    """Spots over all tissue of a slide, laid as in training.

    A slide is standardised over them, and the neighbours of any spot are the nearest of them. Both
    are of the slide alone, and neither depends on the spots that are asked for.

    Args:
        tissue: the slide with a grid over all of its tissue, at the pitch of training.
        inputs, encoder, nuclei, store: as in `ImageInputs.assemble`.
        n_hops: steps along the edges that predictions look away from a spot.
    """

    def __init__(
        self,
        tissue: Section,
        inputs: ImageInputs,
        encoder: Encoder,
        nuclei: NucleiCounter | None,
        store: EmbeddingStore,
        n_hops: int,
    ) -> None:
        self.tissue = tissue
        self.inputs = inputs
        self.encoder = encoder
        self.nuclei = nuclei
        self.store = store
        self.n_hops = n_hops

    @property
    def n_patches(self) -> int:
        """Spots of the grid over the tissue."""
        return len(self.tissue.adata)

    @cached_property
    def scale(self) -> Scale:
        """Of the embeddings, over a sample of the tissue."""
        return Scale.of(self._rows(self.sample).chunks())

    @cached_property
    def sample(self) -> Numbers:
        """Numbers of the tissue's spots that the slide is standardised over: all, or evenly many
        of them.
        """
        n = min(self.n_patches, SAMPLE)
        return np.linspace(0, self.n_patches - 1, n).round().astype(np.int64)

    def graph(self, asked: Section) -> SpotGraph:
        """The image side of the spots that are asked for; see `ImageInputs.assemble`.

        Tissue spots that they look at follow as context. The scale is the slide's own.
        """
        own = embed_section(asked, self.encoder, self.store)
        local = self._local(asked)
        context = local.spots[local.n_inner :] - local.n_inner
        rows = JoinedRows([own, self._rows(context)]) if len(context) else own
        pos = np.concatenate([asked.pos, self.tissue.pos[context]])
        scale = self.scale if self.inputs.standardize == "section" else None
        inputs: dict[str, Rows] = {
            "image_embedding": ImageRows(rows, scale, self._order(len(pos))),
            "place": torch.from_numpy(standardize(pos, self.tissue.pos)),
        }
        if self.nuclei:
            inputs |= self._nuclei(self.nuclei, asked, context)
        return SpotGraph(asked.section_id, pos, local.edges, inputs, n_context=len(context))

    def _order(self, n: int) -> Numbers | None:
        """Of the control that exchanges images."""
        return np.random.default_rng(n).permutation(n) if self.inputs.shuffle else None

    def _local(self, asked: Section) -> Block:
        """The spots that are asked for, then the tissue spots that they see, numbered from
        `n_inner` on; and the edges between them.
        """
        n = len(asked.adata)
        edges = self._edges(asked)
        return with_halos(edges, n + self.n_patches, [np.arange(n)], self.n_hops)[0]

    def _edges(self, asked: Section) -> Numbers:
        """Of the asked spots, and then of the tissue's; a tissue spot that is asked for is not
        there twice.
        """
        n = len(asked.adata)
        k = self.inputs.n_neighbours
        near = knn_edges(self.tissue.pos, k)[0].reshape(self.n_patches, -1)
        same = self._same(asked)
        number = n + np.arange(self.n_patches)
        number[same[same >= 0]] = np.flatnonzero(same >= 0)
        on = np.flatnonzero(same >= 0)
        off = np.flatnonzero(same < 0)
        rest = np.setdiff1d(np.arange(self.n_patches), same)
        between = edges_from(asked.pos[off], self.tissue.pos, k)
        return np.concatenate(
            [
                _into(number[near[same[on]]], on),
                np.stack([number[between[0]], off[between[1]]]),
                _into(number[near[rest]], number[rest]),
            ],
            axis=1,
        )

    def _same(self, asked: Section) -> Numbers:
        """The tissue spot at the place of each asked spot, (n_asked,); -1 where there is none."""
        distance, index = cKDTree(self.tissue.pos_px).query(asked.pos_px)
        return np.where(distance < ONE_PLACE_PX, index, -1).astype(np.int64)

    def _rows(self, spots: Numbers) -> Embeddings:
        """Embeddings of some tissue spots."""
        if self._by_whole():
            return embed_section(self.tissue, self.encoder, self.store).keep(spots)
        return embed_section(self.tissue.keep(spots.tolist()), self.encoder, self.store)

    def _counts(self, counter: NucleiCounter, spots: Numbers) -> NDArray[np.float32]:
        """Nuclei at some tissue spots, (n, 1)."""
        if self._by_whole():
            return count_nuclei(self.tissue, counter, self.store)[spots]
        return count_nuclei(self.tissue.keep(spots.tolist()), counter, self.store)

    def _by_whole(self) -> bool:
        """Whether all tissue spots are embedded, or so few that it is done now."""
        few = self.n_patches <= SAMPLE
        return few or is_filled(self.tissue, self.encoder, self.nuclei, self.store)

    def _nuclei(self, counter: NucleiCounter, asked: Section, context: Numbers) -> dict[str, Rows]:
        own = count_nuclei(asked, counter, self.store)
        counts = np.concatenate([own, self._counts(counter, context)]) if len(context) else own
        order = self._order(len(counts))
        over = self._counts(counter, self.sample)
        return nuclei_rows(counts if order is None else counts[order], over)


def _into(neighbours: Numbers, spots: Numbers) -> Numbers:
    """Edges (2, n * k) from the neighbours (n, k) of each spot (n,)."""
    return np.stack([neighbours.ravel(), np.repeat(spots, neighbours.shape[1])])
