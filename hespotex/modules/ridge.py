"""Ridge regression in the same harness: on the embeddings, and on what is no image at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch_geometric.data import Batch, Data

from hespotex.metrics import gene_pearson
from hespotex.modules.base import sections
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.modules.inputs import exponents, position_terms, standardised_log
from hespotex.nn.ridge import NeighbourRidge, ridge_weights
from hespotex.progress import progress


@dataclass
class _Graph:
    image_embedding: Tensor
    edge_index: Tensor


class RidgeModule(ClosedFormModule):
    """Ridge regression on all training spots.

    Args:
        alphas: penalties to choose from on the validation sections, for inputs of unit variance; without
            validation sections the middle one is taken.
        neighbours: append the mean input of the neighbouring spots.
    """

    def __init__(self, d_image: int, n_genes: int, alphas: list[float], neighbours: bool = False) -> None:
        super().__init__(d_image, n_genes)
        self.alphas, width = sorted(alphas), self.width(d_image)
        self.linear = NeighbourRidge(width, n_genes, self.alphas[len(alphas) // 2], neighbours, rescale=False)

    def width(self, d_image: int) -> int:
        """Of `inputs`."""
        return d_image

    def inputs(self, batch: Batch) -> Tensor:
        """What is regressed on, (n_spots, width)."""
        x: Tensor = batch.image_embedding
        return x

    def fit_closed_form(self, train: Sequence[Data], val: Sequence[Data]) -> None:
        graphs = [_Graph(self.inputs(Batch.from_data_list([section])), section.edge_index) for section in train]
        targets = [(section.expression - self.gene_mean) / self.gene_std for section in train]
        scores = {}
        for alpha in progress(self.alphas if val else [], "fit", "ridge"):
            self.linear.alpha = alpha
            self.linear.fit(graphs, targets)
            scores[alpha] = self._score(val)
        self.linear.alpha = max(scores, key=scores.__getitem__, default=self.linear.alpha)
        self.linear.fit(graphs, targets)

    def _score(self, val: Sequence[Data]) -> float:
        scores = [gene_pearson(self.expression(Batch.from_data_list([s])), s.expression).nanmean() for s in val]
        return float(torch.stack(scores).nanmean())

    def expression(self, batch: Batch) -> Tensor:
        return self.linear(self.inputs(batch), batch.edge_index) * self.gene_std + self.gene_mean


class CoordinatesModule(RidgeModule):
    """Control without an image: a polynomial of degree 4 in the spot's place, x and y standardised over the section.

    What it reaches comes from sections that lie alike on their slides, and from borders that look like borders.
    """

    degree = 4

    def width(self, d_image: int) -> int:
        return len(exponents(self.degree))

    def inputs(self, batch: Batch) -> Tensor:
        return torch.cat([position_terms(batch.pos[spots], self.degree) for spots in sections(batch)])


class NucleiModule(RidgeModule):
    """Control with one number a spot: log(1 + nuclei count), standardised over the section.

    Log-normalised targets keep a cellularity signal, so what this reaches is no tissue reading yet.
    """

    def width(self, d_image: int) -> int:
        return 1

    def inputs(self, batch: Batch) -> Tensor:
        return torch.cat([standardised_log(batch.nuclei[spots]) for spots in sections(batch)])


class HestRidgeModule(ClosedFormModule):
    """The regression of HEST-Benchmark (Jaume et al. 2024) on this run's targets: scaling, PCA, a penalty by formula.

    alpha = 100 / (n_components * n_genes) and no intercept, so targets are centred here. With so small a penalty it is
    least squares on the components.

    Args:
        n_components: of the PCA; as many as there are where the embedding or the training set is smaller.
        seed: of the PCA.
    """

    mean: Tensor
    weight: Tensor

    def __init__(self, d_image: int, n_genes: int, n_components: int = 256, seed: int = 1) -> None:
        super().__init__(d_image, n_genes)
        self.n_components, self.seed = n_components, seed
        self.register_buffer("mean", torch.zeros(d_image))
        self.register_buffer("weight", torch.zeros(d_image, n_genes))

    def fit_closed_form(self, train: Sequence[Data], val: Sequence[Data]) -> None:
        x, y = torch.cat([s.image_embedding for s in train]), torch.cat([s.expression for s in train]) - self.gene_mean
        scaler = StandardScaler().fit(x.double().numpy())
        pca = PCA(min(self.n_components, *x.shape), random_state=self.seed)
        components = torch.from_numpy(pca.fit_transform(scaler.transform(x.double().numpy())))
        fitted = ridge_weights(components, y, 100 / (components.shape[1] * self.n_genes))
        self.mean.copy_(torch.from_numpy(scaler.mean_))
        self.weight.copy_(torch.from_numpy(pca.components_.T / scaler.scale_[:, None]) @ fitted.double())

    def expression(self, batch: Batch) -> Tensor:
        return (batch.image_embedding - self.mean) @ self.weight + self.gene_mean
