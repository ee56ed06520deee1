"""From a section to the tensors of a batch entry."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import CountByPlace, MeanColour

from hespotex.batches.assemble import ImageInputs, standardize
from hespotex.embeddings.store import EmbeddingStore
from hespotex.sections.graph import knn_edges
from hespotex.sections.section import Section


@pytest.fixture
def embeddings(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(str(tmp_path / "store"))


def test_standardize() -> None:
    values = np.random.default_rng(0).normal(5, 3, (50, 4)).astype(np.float32)
    values[:, 2] = 0.1  # constant
    result = standardize(values)
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(result.std(axis=0), [1, 1, 0, 1], atol=1e-5)
    assert result.dtype == np.float32 and (result[:, 2] == 0).all()


def test_standardize_clips_at_six() -> None:
    values = np.zeros((1000, 2), dtype=np.float32)
    values[0] = [1e6, -1e6]
    assert standardize(values)[0].tolist() == [6, -6]


@pytest.mark.parametrize("shift", [0.0, 1e4, -300.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 40.0])
def test_shift_and_scale_of_a_scanner_leave_no_trace(shift: float, scale: float) -> None:
    values = np.random.default_rng(0).normal(0, 1, (50, 4)).astype(np.float64)
    moved = (values * scale + shift).astype(np.float32)
    np.testing.assert_allclose(
        standardize(moved),
        standardize(values.astype(np.float32)),
        atol=0.3 if scale < 0.1 else 1e-2,
    )


def test_fields_and_shapes(spots: Section, embeddings: EmbeddingStore) -> None:
    data = (
        ImageInputs(n_neighbours=4)
        .assemble(spots, MeanColour([40.0, 100.0]), CountByPlace(), embeddings)
        .whole()
    )
    assert (
        data.image_embedding.shape == (25, 6)
        and data.nuclei.shape[0] == 25
        and data.num_nodes == 25
    )
    names = ("image_embedding", "nuclei", "nuclei_log", "nuclei_most", "pos", "place")
    assert {data[name].dtype for name in names} == {torch.float32}
    assert (data.nuclei_most == data.nuclei.max()).all() and data.place.shape == (25, 2)
    torch.testing.assert_close(
        data.nuclei_log, torch.from_numpy(standardize(torch.log1p(data.nuclei).numpy()))
    )
    np.testing.assert_allclose(data.pos.numpy(), spots.pos_px * spots.mpp)
    np.testing.assert_array_equal(data.edge_index.numpy(), knn_edges(spots.pos, 4))
    assert data.section_id == "S1" and "expression" not in data
    assert not [
        key for key in data.to_dict() if key != "edge_index" and ("index" in key or "batch" in key)
    ]


def test_without_a_counter_there_are_no_nuclei(spots: Section, embeddings: EmbeddingStore) -> None:
    data = ImageInputs().assemble(spots, MeanColour(), None, embeddings).whole()
    assert not [name for name in data.to_dict() if "nuclei" in name]


def test_standardize_none_keeps_the_numbers(spots: Section, embeddings: EmbeddingStore) -> None:
    raw = (
        ImageInputs(standardize="none")
        .assemble(spots, MeanColour(), None, embeddings)
        .whole()
        .image_embedding
    )
    scaled = ImageInputs().assemble(spots, MeanColour(), None, embeddings).whole().image_embedding
    assert raw.mean() > 10
    np.testing.assert_allclose(scaled.numpy(), standardize(raw.numpy()), atol=1e-5)


@pytest.mark.parametrize("standard", ["section", "none"])
def test_shuffle_permutes_within_the_section_only(
    spots: Section, embeddings: EmbeddingStore, standard: str
) -> None:
    plain = (
        ImageInputs(standardize=standard)
        .assemble(spots, MeanColour(), CountByPlace(), embeddings)
        .whole()
    )
    inputs = ImageInputs(standardize=standard, shuffle=True)
    mixed = inputs.assemble(spots, MeanColour(), CountByPlace(), embeddings).whole()
    order = [
        int((plain.image_embedding - row).abs().sum(1).argmin()) for row in mixed.image_embedding
    ]
    assert sorted(order) == list(range(25)) and order != list(range(25))
    torch.testing.assert_close(mixed.image_embedding, plain.image_embedding[order])
    torch.testing.assert_close(mixed.nuclei, plain.nuclei[order])  # the nuclei go with their image
    assert torch.equal(mixed.pos, plain.pos) and torch.equal(mixed.edge_index, plain.edge_index)
    again = inputs.assemble(spots, MeanColour(), CountByPlace(), embeddings).whole()
    assert torch.equal(again.image_embedding, mixed.image_embedding)


def test_to_dict_gives_the_object_back() -> None:
    inputs = ImageInputs(4, "none", True)
    assert ImageInputs(**inputs.to_dict()) == inputs
