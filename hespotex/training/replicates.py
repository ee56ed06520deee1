"""What the measurement of the same tissue next door tells: a yardstick beside models, not a
model.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.data import Data

from hespotex.batches.fold import Fold
from hespotex.common.files import atomic_path
from hespotex.common.loading import tensor_bytes
from hespotex.common.numerics.sparse import Edges
from hespotex.common.provenance import KEY
from hespotex.nn.registration import Picture, register
from hespotex.records.about import About

log = logging.getLogger(__name__)
LEAK = (
    "a ceiling, not a model: it uses the measured expression of other sections of the test"
    " section's group"
)


@dataclass(frozen=True)
class ReplicateCeiling:
    """Each spot gets the expression measured at its place in the other sections of its group
    (patient).

    The sections are laid over each other by their images alone (`register`); expression plays no
    part in it. A section without another of its group, and a gene that no other has measured,
    get the gene means, which have no correlation: shown as "no value". Not an upper bound in
    the strict sense: the replicate has noise of its own, which a prediction need not have.

    Args:
        n_spots: nearest spots of each replicate that are averaged: the region that is matched.
    """

    n_spots: int = 7

    def __call__(self, fold: Fold) -> dict[str, Tensor]:
        """Expression (n_spots, n_genes) of each test section."""
        whole = {i: fold.graph(i).whole() for i in fold.section_ids}
        groups = {i: fold.group(i) for i in fold.section_ids}
        mean = fold.gene_scaling[0]
        return {i: self.looked_up(i, whole, groups, mean) for i in fold.split.test}

    def looked_up(
        self, section_id: str, whole: Mapping[str, Data], groups: Mapping[str, str], mean: Tensor
    ) -> Tensor:
        """Expression of one section from the others of its group, or the mean (n_genes,) of each
        gene.
        """
        section = whole[section_id]
        others = [i for i in whole if i != section_id and groups[i] == groups[section_id]]
        values = [self._from(section, whole[i]) for i in others]
        if not values:
            return mean.expand(section.num_nodes, -1)
        found = torch.stack(values).nanmean(0)
        return torch.where(found.isnan(), mean, found)  # of genes that none of them measured

    def _from(self, section: Data, replicate: Data) -> Tensor:
        pos, agreement = register(picture_of(section), picture_of(replicate), pitch_of(replicate))
        names = (section.section_id, replicate.section_id)
        log.info("ceiling: %s laid over %s, images agree to %.2f", *names, agreement)
        n = min(self.n_spots, replicate.num_nodes)
        nearest = cKDTree(replicate.pos.numpy()).query(pos, k=n)[1]
        spots = torch.from_numpy(nearest.reshape(len(pos), -1))
        values: Tensor = replicate.target.dense()[spots]
        return values.mean(1)


def write_facts(path: Path, fold: Fold, about: About) -> None:
    """Leave the facts of a run where a model would leave its checkpoint, for the audit: no
    weights.
    """
    mean, std = fold.gene_scaling
    state = {"gene_mean": mean, "gene_std": std}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        content = {KEY: about, "state_dict": state, "global_step": 0, "epoch": 0}
        partial.write_bytes(tensor_bytes(content))


def picture_of(section: Data) -> Picture:
    """Embeddings smoothed over the neighbours, which registers better than single spots."""
    x = section.image_embedding.double()
    x = x + Edges(section.edge_index, len(x)).mean(x)
    x = (x - x.mean(0)) / x.std(0, correction=0).clamp(min=1e-6)
    return Picture(section.pos.double().numpy(), x.numpy())


def pitch_of(section: Data) -> float:
    """Distance of neighbouring spots, in the unit of the positions."""
    pos = section.pos.numpy()
    return float(np.median(cKDTree(pos).query(pos, k=2)[0][:, 1]))
