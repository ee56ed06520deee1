"""What the measurement of the same tissue next door tells: a yardstick, not a model."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.data import Batch, Data

from hespotex.errors import InputError
from hespotex.modules.base import blocks
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.nn.registration import Picture, register
from hespotex.sparse import Edges

log = logging.getLogger(__name__)
LEAK = "a ceiling, not a model: it uses the measured expression of other sections of the test section's group"


class CeilingModule(ClosedFormModule):
    """Each spot gets the expression measured at its place in the other sections of its group (patient).

    The sections are laid over each other by their images alone (`register`); expression plays no part in it. A section
    without another of its group gets the gene means, which have no correlation: it is shown as "no value".
    Not an upper bound in the strict sense: the replicate has noise of its own, which a prediction need not have.

    Args:
        n_spots: nearest spots of each replicate that are averaged: the region that is matched.
    """

    def __init__(self, d_image: int, n_genes: int, n_spots: int = 7) -> None:
        super().__init__(d_image, n_genes)
        self.n_spots = n_spots
        self.known: dict[str, Tensor] = {}

    def fit_replicates(self, data: Mapping[str, Data], groups: Mapping[str, str]) -> None:
        """Look up every section's expression in the other sections of its group; sections are whole."""
        for section_id, section in data.items():
            others = [i for i in data if i != section_id and groups[i] == groups[section_id]]
            values = [self._looked_up(section, data[i]) for i in others]
            constant = self.gene_mean.expand(section.num_nodes, -1)
            self.known[section_id] = torch.stack(values).nanmean(0) if values else constant

    def _looked_up(self, section: Data, replicate: Data) -> Tensor:
        pos, agreement = register(_picture(section), _picture(replicate), _pitch(replicate))
        log.info("ceiling: %s laid over %s, images agree to %.2f", section.section_id, replicate.section_id, agreement)
        nearest = cKDTree(replicate.pos.numpy()).query(pos, k=min(self.n_spots, replicate.num_nodes))[1]
        values: Tensor = replicate.target.dense()[torch.from_numpy(nearest.reshape(len(pos), -1))]
        return values.mean(1)

    def expression(self, batch: Batch) -> Tensor:
        if missing := [i for i in batch.section_id if i not in self.known]:
            raise InputError(
                f"model=ceiling looks expression up and predicts nothing, so there is none for {missing}; "
                "take the checkpoint of another model"
            )
        parts = zip(batch.section_id, blocks(batch), strict=True)
        return torch.cat([self.known[i][batch.spot[spots].cpu()] for i, spots in parts]).to(batch.spot.device)


def _picture(section: Data) -> Picture:
    """Embeddings smoothed over the neighbours, which registers better than single spots."""
    x = section.image_embedding.double()
    x = x + Edges(section.edge_index, len(x)).mean(x)
    x = (x - x.mean(0)) / x.std(0, correction=0).clamp(min=1e-6)
    return Picture(section.pos.double().numpy(), x.numpy())


def _pitch(section: Data) -> float:
    """Distance of neighbouring spots, in the unit of the positions."""
    pos = section.pos.numpy()
    return float(np.median(cKDTree(pos).query(pos, k=2)[0][:, 1]))
