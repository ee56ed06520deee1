"""HEST-Benchmark once more, from its description, with scikit-learn and scipy only: imports nothing
of hespotex.
"""

import csv
import json
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


def score_task(
    task: Path, embeddings: dict[str, Path]
) -> tuple[float, float, dict[str, list[float]]]:
    """Mean and standard deviation over folds of the mean Pearson, and Pearson of each gene, fold by
    fold.

    `embeddings`: for each sample an HDF5 file with `embedding` and `barcode`.
    """
    genes = json.loads((task / "var_50genes.json").read_text())["genes"]
    n_folds = len(list((task / "splits").iterdir())) // 2
    by_gene: dict[str, list[float]] = {gene: [] for gene in genes}
    means = []
    for fold in range(n_folds):
        x_train, y_train = side(task, f"train_{fold}.csv", embeddings, genes)
        x_test, y_test = side(task, f"test_{fold}.csv", embeddings, genes)
        width = min(256, len(x_train), len(x_train[0]))
        pipe = Pipeline(
            [("scaler", StandardScaler()), ("pca", PCA(n_components=width, random_state=1))]
        )
        z_train, z_test = (
            np.asarray(z, dtype=np.float32)
            for z in (pipe.fit_transform(x_train), pipe.transform(x_test))
        )
        alpha = 100 / (z_train.shape[1] * y_train.shape[1])
        model = Ridge(
            solver="lsqr", alpha=alpha, random_state=1, fit_intercept=False, max_iter=1000
        )
        predicted = model.fit(z_train, y_train).predict(z_test)
        values = [float(pearsonr(y_test[:, i], predicted[:, i])[0]) for i in range(len(genes))]
        for gene, value in zip(genes, values, strict=True):
            by_gene[gene].append(value)
        means.append(np.mean(values))
    return float(np.mean(means)), float(np.std(means)), by_gene


def side(
    task: Path, name: str, embeddings: dict[str, Path], genes: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Embeddings and log counts of all spots of one side of a split, in the order of the
    patches.
    """
    xs = []
    ys = []
    with (task / "splits" / name).open() as file:
        samples = [(row["sample_id"], row["expr_path"]) for row in csv.DictReader(file)]
    for sample, expression in samples:
        with h5py.File(embeddings[sample]) as stored:
            xs.append(stored["embedding"][:])
            barcodes = [value.decode() for value in stored["barcode"][:]]
        table = ad.read_h5ad(task / expression)[barcodes, genes]
        counts = table.X.toarray() if hasattr(table.X, "toarray") else table.X
        ys.append(np.log1p(np.asarray(counts, dtype=np.float64)))
    return np.concatenate(xs), np.concatenate(ys)
