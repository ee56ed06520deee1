"""Ridges on several encoders: one each, mixed by shares that left-out sections decide."""

from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import torch
from conftest import Run
from sklearn.linear_model import Ridge
from torch_geometric.data import Batch

from hespotex.modules.ridge import RidgeModule
from hespotex.nn.late_fusion import columns_of

from .test_baselines import ALPHAS, TEST, TRAIN, D, fitted, predict

KNOWS = 3  # the gene "image" follows the first two inputs; the encoder behind them knows nothing


def module(neighbours: bool = False, alphas: list[float] = ALPHAS) -> RidgeModule:
    made = RidgeModule(D, 4, alphas, neighbours)
    made.widths = [KNOWS, D - KNOWS]
    return made


def test_columns_of_each_encoder_in_spot_and_neighbours() -> None:
    first, second = columns_of([2, 3], 2)
    assert first.tolist() == [0, 1, 5, 6]
    assert second.tolist() == [2, 3, 4, 7, 8, 9]


@pytest.mark.parametrize("neighbours", [False, True])
def test_the_mixture_is_of_each_encoders_own_ridge(neighbours: bool) -> None:
    """Against scikit-learn: the predictions of two ridges, by one share for all genes."""
    own = fitted(module(neighbours, [10.0]), val=[])
    train = Batch.from_data_list(TRAIN)
    inputs = own.linear.inputs
    x = inputs(train.image_embedding, train.edge_index).double().numpy()
    y = torch.cat([data.target.dense() for data in TRAIN]).double().numpy()
    new = inputs(TEST.image_embedding, TEST.edge_index).double().numpy()
    each = [
        Ridge(10.0).fit(x[:, columns], y).predict(new[:, columns]) - y.mean(0)
        for columns in columns_of(own.widths, 1 + neighbours)
    ]
    found = predict(own, TEST)["D"].double().numpy() - y.mean(0)
    assert_mixture(found, each)


def assert_mixture(found: np.ndarray, each: list[np.ndarray]) -> None:
    """One share of each, that add up to 1."""
    design = np.stack([values.ravel() for values in each], axis=1)
    shares, *_ = np.linalg.lstsq(design, found.ravel(), rcond=None)
    np.testing.assert_allclose(design @ shares, found.ravel(), atol=1e-4)
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    assert (shares > 0.2).all()  # half of the shares is equal


def test_the_encoder_that_knows_gets_more() -> None:
    weight = fitted(module(), val=[]).linear.weight[:, 0]
    alone = fitted(RidgeModule(D, 4, ALPHAS), val=[]).linear.weight[:, 0]
    assert (weight[:2] > 0.7 * alone[:2]).all()


def test_a_single_section_gives_equal_shares() -> None:
    """And each encoder the middle penalty, as an encoder alone gets it."""
    half = fitted(module(), TRAIN[:1], []).linear.weight
    image = TRAIN[0].image_embedding.double().numpy()
    ridge = Ridge(ALPHAS[1]).fit(image[:, :KNOWS], TRAIN[0].target.dense().double().numpy())
    np.testing.assert_allclose(2 * half[:KNOWS], ridge.coef_.T, rtol=1e-3, atol=1e-4)


def test_a_pair_of_the_command_line_is_fused_late(train: Run, tmp_path: Path) -> None:
    """Two seeds of one random network are two encoders, not two patch sizes of one."""
    words = ["model=ridge", "model.module.alphas=[1000.0]", "data.panel.n_top=40", "fold.index=0"]

    def predicted(name: str, *encoder: str) -> np.ndarray:
        run = train(*words, *encoder, folder=tmp_path / name)
        tables = sorted((run / "predictions").glob("*_predicted.h5ad"))
        values = [np.asarray(ad.read_h5ad(table).X, float) for table in tables]
        return np.concatenate([own - own.mean(0) for own in values])

    each = [predicted(f"seed{seed}", f"encoder.seed={seed}") for seed in (0, 1)]
    parts = [f"encoder@encoder.parts.{part}=random_vit" for part in ("first", "second")]
    found = predicted("pair", "encoder=pair", *parts, "encoder.parts.second.seed=1")
    assert_mixture(found, each)
