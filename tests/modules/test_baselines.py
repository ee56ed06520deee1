"""Baselines and controls on small planted sections: each finds what it is for, and nothing else."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch_geometric.data import Batch, Data

from hespotex.batches.assemble import standardize
from hespotex.batches.spot_graph import SpotGraph
from hespotex.genes.block_target import BlockTarget
from hespotex.genes.target import Rows
from hespotex.metrics import gene_pearson
from hespotex.modules.base import ExpressionModule
from hespotex.modules.closed_form import GeneMeanModule
from hespotex.modules.retrieval import RetrievalModule
from hespotex.modules.ridge import (
    CoordinatesModule,
    HestRidgeModule,
    NucleiModule,
    RidgeModule,
    exponents,
    position_terms,
)
from hespotex.sections.graph import knn_edges
from hespotex.training.replicates import ReplicateCeiling

from .tables import Table

D = 8
GENES = ["image", "place", "cells", "noise"]
ALPHAS = [1.0, 10.0, 100.0]


def section(name: str, side: int = 12, seed: int = 0) -> Data:
    """Four genes: one follows the image, one the place, one the nuclei, one nothing."""
    rng = np.random.default_rng(seed)
    n = side**2
    row, column = np.mgrid[:side, :side]
    pos = 100.0 * np.stack([column.ravel(), row.ravel()], axis=1)
    image = rng.normal(size=(n, D))
    nuclei = rng.poisson(20, (n, 1))
    place = np.hypot(*(pos - pos.mean(axis=0)).T) / 200
    follows = [image[:, 0] + image[:, 1], place, np.log1p(nuclei[:, 0]) * 3, np.zeros(n)]
    expression = np.stack(follows, axis=1) + 0.3 * rng.normal(size=(n, 4)) + 5
    arrays = {
        "image_embedding": image,
        "nuclei": nuclei,
        "nuclei_log": standardize(np.log1p(nuclei)),
        "place": standardize(pos),
    }
    inputs: dict[str, Rows] = {
        key: torch.from_numpy(np.asarray(value, dtype=np.float32)) for key, value in arrays.items()
    }
    return SpotGraph(
        name, pos, knn_edges(pos, 6), inputs, Table(torch.from_numpy(expression.astype(np.float32)))
    ).whole()


TRAIN = [section("A", seed=1), section("B", 10, seed=2)]
VAL = [section("C", seed=3)]
TEST = section("D", 9, seed=4)


def batches(data: Sequence[Data]) -> list[Batch]:
    return [Batch.from_data_list([each]) for each in data]


def fitted(
    module: ExpressionModule, train: Sequence[Data] = TRAIN, val: Sequence[Data] = VAL
) -> ExpressionModule:
    values = torch.cat([s.target.dense() for s in train])
    module.set_scaling(values.mean(0), values.std(0))
    module.fit_closed_form(batches(train), batches(val))
    return module


def predict(module: ExpressionModule, *data: Data) -> dict[str, Tensor]:
    return module.predict([Batch.from_data_list(list(data))])


def correlations(module: ExpressionModule) -> dict[str, float]:
    found = gene_pearson(predict(module, TEST)["D"], TEST.target.dense())
    return dict(zip(GENES, found.nan_to_num(0).tolist(), strict=True))


@pytest.mark.parametrize(
    ("module", "gene"),
    [
        (RidgeModule(D, 4, ALPHAS), "image"),
        (RidgeModule(D, 4, ALPHAS, neighbours=True), "image"),
        (HestRidgeModule(D, 4), "image"),
        (RetrievalModule(D, 4, k=10), "image"),
        (CoordinatesModule(D, 4, ALPHAS), "place"),
        (NucleiModule(D, 4, ALPHAS), "cells"),
    ],
)
def test_each_finds_its_gene_only(module: ExpressionModule, gene: str) -> None:
    found = correlations(fitted(module))
    assert found.pop(gene) > 0.75
    assert all(abs(value) < 0.4 for value in found.values()), found


def test_ridge_chooses_its_penalty_by_leaving_sections_out() -> None:
    """Without validation sections: the penalty that predicts each of three training sections best
    from the other two.
    """
    train = [section(name, 10, seed) for name, seed in (("A", 1), ("B", 2), ("E", 5))]
    alphas = [1.0, 300.0, 1e6]
    scores = []
    for alpha in alphas:
        each = []
        for number, held_out in enumerate(train):
            rest = [data for other, data in enumerate(train) if other != number]
            found = predict(fitted(RidgeModule(D, 4, [alpha]), rest, []), held_out)[
                held_out.section_id
            ]
            each.append(gene_pearson(found, held_out.target.dense()).nanmean())
        scores.append(torch.stack(each).mean())
    best = alphas[int(torch.stack(scores).argmax())]
    chosen = fitted(RidgeModule(D, 4, alphas), train, [])
    expected = fitted(RidgeModule(D, 4, [best]), train, [])
    torch.testing.assert_close(chosen.state_dict(), expected.state_dict())
    alone = fitted(RidgeModule(D, 4, alphas), train[:1], [])
    torch.testing.assert_close(
        alone.state_dict(), fitted(RidgeModule(D, 4, [300.0]), train[:1], []).state_dict()
    )


def test_gene_mean_is_constant_and_as_wrong_as_the_spread() -> None:
    module = fitted(GeneMeanModule(D, 4))
    predicted = predict(module, TEST)["D"]
    assert predicted.shape == TEST.target.dense().shape
    assert gene_pearson(predicted, TEST.target.dense()).isnan().all()
    torch.testing.assert_close(predicted[0], torch.cat([s.target.dense() for s in TRAIN]).mean(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: GeneMeanModule(D, 4),
        lambda: CoordinatesModule(D, 4, ALPHAS),
        lambda: NucleiModule(D, 4, ALPHAS),
        lambda: HestRidgeModule(D, 4),
        lambda: RetrievalModule(D, 4),
    ],
)
def test_a_batch_and_a_checkpoint_change_nothing(make: Callable[[], ExpressionModule]) -> None:
    module = fitted(make())
    other = make()
    alone = {
        name: values for data in (VAL[0], TEST) for name, values in predict(module, data).items()
    }
    together = predict(module, VAL[0], TEST)
    other.load_state_dict(module.state_dict())
    again = predict(other, TEST)["D"]
    for name in ("C", "D"):
        torch.testing.assert_close(together[name], alone[name], rtol=1e-5, atol=1e-5)
    assert torch.equal(again, alone["D"])


def test_hest_ridge_is_the_recipe() -> None:
    """Scaler, PCA with seed 1 and ridge of scikit-learn, with the penalty of the benchmark; targets
    centred.
    """
    wide = [section("A", seed=1)]
    x = wide[0].image_embedding.double().numpy() @ np.diag([1, 2, 3, 4, 5, 6, 7, 8])
    y = wide[0].target.dense().double().numpy()
    wide[0].image_embedding = torch.from_numpy(x).float() + 3
    module = fitted(HestRidgeModule(D, 4, n_components=5), wide, [])
    scaled = StandardScaler().fit(x)
    pca = PCA(5, random_state=1).fit(scaled.transform(x))
    ridge = Ridge(100 / (5 * 4), fit_intercept=False).fit(
        pca.transform(scaled.transform(x)), y - y.mean(axis=0)
    )
    expected = ridge.predict(pca.transform(scaled.transform(x))) + y.mean(axis=0)
    np.testing.assert_allclose(predict(module, wide[0])["A"], expected, rtol=1e-3, atol=1e-3)


def test_the_penalty_of_the_recipe_may_be_chosen() -> None:
    """On few spots with many inputs of noise, the formula's penalty is next to none."""
    train = [section(name, 4, seed) for name, seed in (("A", 1), ("B", 2), ("E", 5))]
    alphas = [1e-3, 30.0, 1e6]
    loose, tuned = (fitted(HestRidgeModule(D, 4, alphas=own), train, []) for own in (None, alphas))
    best = min(alphas, key=lambda a: -left_out_score(train, a))
    only = fitted(HestRidgeModule(D, 4, alphas=[best]), train, [])
    assert torch.equal(predict(tuned, TEST)["D"], predict(only, TEST)["D"])
    assert not torch.equal(predict(tuned, TEST)["D"], predict(loose, TEST)["D"])


def left_out_score(train: Sequence[Data], alpha: float) -> float:
    """Mean over sections and genes, by scikit-learn; the PCA, of all inputs, is a rotation here."""
    x = np.concatenate([data.image_embedding.double().numpy() for data in train])
    scaler = StandardScaler().fit(x)
    scores = []
    for number, held_out in enumerate(train):
        rest = [data for other, data in enumerate(train) if other != number]
        inputs, targets = (
            np.concatenate(parts)
            for parts in zip(
                *(
                    (scaler.transform(d.image_embedding.double().numpy()), d.target.dense().numpy())
                    for d in rest
                ),
                strict=True,
            )
        )
        model = Ridge(alpha).fit(inputs, targets)
        predicted = model.predict(scaler.transform(held_out.image_embedding.double().numpy()))
        found = gene_pearson(torch.from_numpy(predicted).float(), held_out.target.dense())
        scores.append(float(found.nanmean()))
    return float(np.mean(scores))


def test_retrieval_averages_the_nearest_by_cosine() -> None:
    module = fitted(RetrievalModule(D, 4, k=7))
    x, y = (
        torch.cat(parts).double().numpy()
        for parts in zip(*((s.image_embedding, s.target.dense()) for s in TRAIN), strict=True)
    )
    mean = x.mean(axis=0)
    std = x.std(axis=0)
    search = NearestNeighbors(n_neighbors=7, metric="cosine").fit((x - mean) / std)
    nearest = search.kneighbors(
        (TEST.image_embedding.double().numpy() - mean) / std, return_distance=False
    )
    np.testing.assert_allclose(
        predict(module, TEST)["D"], y[nearest].mean(axis=1), rtol=1e-4, atol=1e-4
    )
    few = fitted(RetrievalModule(D, 4, k=10_000))
    torch.testing.assert_close(
        predict(few, TEST)["D"][0], torch.cat([s.target.dense() for s in TRAIN]).mean(0)
    )


def test_coordinates_are_a_polynomial_of_the_place() -> None:
    assert len(exponents(4)) == 14 and (4, 0) in exponents(4) and (0, 0) not in exponents(4)
    side = torch.linspace(-(3**0.5), 3**0.5, 401)
    even = torch.stack(torch.meshgrid(side, side, indexing="ij"), dim=-1).reshape(-1, 2)
    terms = position_terms(even, 4)
    assert terms.shape == (len(even), 14)
    torch.testing.assert_close(terms.square().mean(0).sqrt(), torch.ones(14), atol=0.02, rtol=0)


class TestCeiling:
    """A replicate is the same tissue, turned, shifted and measured anew."""

    @staticmethod
    def pair(angle: float) -> dict[str, Data]:
        one = section("A", 14, seed=5)
        other = section("B", 14, seed=5)
        smooth = torch.sin(one.pos / 300) @ torch.randn(
            2, D, generator=torch.Generator().manual_seed(0)
        )
        pattern = smooth + 0.3 * one.pos[:, :1] / 1400
        for number, data in enumerate((one, other)):
            noise = torch.randn(len(pattern), D, generator=torch.Generator().manual_seed(number))
            values = pattern + 0.2 * noise
            data.image_embedding = (values - values.mean(0)) / values.std(0)
            jitter = torch.randn(
                len(pattern), 4, generator=torch.Generator().manual_seed(7 + number)
            )
            data.target = BlockTarget.of_table(pattern[:, :4] + 0.3 * jitter)
        turn = torch.tensor(
            [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], dtype=torch.float32
        )
        other.pos = other.pos @ turn + torch.tensor([4000.0, -700.0])
        return {"A": one, "B": other, "L": section("L")}

    @pytest.mark.parametrize("degrees", [0, 13, 90, 200])
    def test_registered_replicates_agree(self, degrees: float) -> None:
        data = self.pair(np.deg2rad(degrees))
        ceiling = ReplicateCeiling(n_spots=5)
        groups = {"A": "P1", "B": "P1", "L": "P2"}
        found = {i: ceiling.looked_up(i, data, groups, torch.ones(4)) for i in ("A", "L")}
        assert gene_pearson(found["A"], data["A"].target.dense()).min() > 0.6
        # nobody of its group: gene means
        assert gene_pearson(found["L"], data["L"].target.dense()).isnan().all()
        assert torch.equal(found["L"], torch.ones(data["L"].num_nodes, 4))

    def test_expression_plays_no_part_in_the_registration(self) -> None:
        data = self.pair(0.4)
        ceiling = ReplicateCeiling()
        groups = {"A": "P1", "B": "P1", "L": "P2"}
        before = ceiling.looked_up("A", data, groups, torch.zeros(4))
        data["A"].target = BlockTarget.of_table(torch.rand_like(data["A"].target.dense()))
        assert torch.equal(before, ceiling.looked_up("A", data, groups, torch.zeros(4)))

    def test_a_gene_that_no_replicate_measured_has_its_mean(self) -> None:
        data = self.pair(0.0)
        table = data["B"].target.dense()
        table[:, 2] = torch.nan
        data["B"].target = BlockTarget.of_table(table)
        groups = {"A": "P1", "B": "P1", "L": "P2"}
        found = ReplicateCeiling().looked_up("A", data, groups, torch.full((4,), 3.0))
        assert torch.equal(found[:, 2], torch.full((len(found),), 3.0))
        assert found.isfinite().all() and (found[:, [0, 1, 3]].std(0) > 0).all()
