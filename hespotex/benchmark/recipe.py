"""The regression of HEST-Benchmark, with scikit-learn as there."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hespotex.metrics import gene_pearson

N_COMPONENTS = 256
SEED = 1
MAX_ITER = 1000
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FoldScore:
    """Pearson of each gene over all test spots pooled, (n_genes,), NaN for a constant gene; and the
    width after PCA.
    """

    pcc: NDArray[np.float64]
    n_components: int

    @property
    def mean(self) -> float:
        """Over the genes that have a value: the released code gives NaN for all as soon as one gene
        is constant.
        """
        finite = self.pcc[np.isfinite(self.pcc)]
        return float(finite.mean()) if len(finite) else float("nan")


def score_fold(x_train: Floats, y_train: Floats, x_test: Floats, y_test: Floats) -> FoldScore:
    """Standardise and reduce the embeddings, fit the ridge regression on training spots, correlate
    on test spots.

    Args:
        x_train, x_test: embeddings (n_spots, d); y_train, y_test: log(1 + raw counts) (n_spots,
        n_genes).

    PCA keeps 256 dimensions, or as many as there are where embeddings are narrower: the released
    code stops there. The penalty, 100 / (dimensions * n_genes), the solver and its default
    tolerance, the missing intercept and single precision after PCA are all as released.
    """
    n_components = min(N_COMPONENTS, *x_train.shape)
    reduce = make_pipeline(StandardScaler(), PCA(n_components, random_state=SEED))
    train = reduce.fit_transform(x_train).astype(np.float32)
    test = reduce.transform(x_test).astype(np.float32)
    alpha = 100 / (n_components * y_train.shape[1])
    ridge = Ridge(
        alpha, solver="lsqr", fit_intercept=False, max_iter=MAX_ITER, random_state=SEED
    ).fit(train, y_train)
    predicted = ridge.predict(test).reshape(y_test.shape)
    return FoldScore(
        gene_pearson(torch.as_tensor(predicted), torch.as_tensor(y_test)).numpy(), n_components
    )
