"""Cellpose through a stand-in for its network, and what it is asked to do."""

from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from builders import MeanColour, section
from PIL import Image

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Recipe
from hespotex.batches.loader import Batching
from hespotex.checkup.costs import estimate
from hespotex.common.errors import InputError
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.expression import LogNormalised
from hespotex.genes.gene_list import GeneList
from hespotex.nuclei import NucleiPerSpot
from hespotex.nuclei.cellpose import CellposeNuclei
from hespotex.sections.section import Section
from hespotex.splits.split import Split

from .stand_in import Asked, replace_cellpose
from .test_haematoxylin import POS, lattice, within, write_stored


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return replace_cellpose(monkeypatch)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights").write_bytes(b"fine")
    return tmp_path / "weights"


@pytest.fixture
def spots(tmp_path: Path) -> Section:
    Image.fromarray(lattice()).save(tmp_path / "a.png")
    return section(image=tmp_path / "a.png", pos=POS, mpp=0.5)


@pytest.mark.parametrize("tile_px", [64, 256, 1024])
def test_counts(asked: Asked, weights: Path, spots: Section, tile_px: int) -> None:
    counter = NucleiPerSpot(
        CellposeNuclei(112.0, weights=str(weights), device="cpu", tile_px=tile_px)
    )
    assert counter(spots).tolist() == within(POS, 112).tolist()
    assert len(counter.source.nuclei(spots)) < within(POS, 112).sum()  # squares overlap
    assert len(asked.built) == 1
    assert asked.built[0]["pretrained_model"] == str(weights.absolute())
    assert asked.built[0]["use_bfloat16"] is False and asked.built[0]["gpu"] is False


def test_one_normalisation_for_all_tiles(asked: Asked, weights: Path, spots: Section) -> None:
    CellposeNuclei(112.0, weights=str(weights), device="cpu", tile_px=256).nuclei(spots)
    assert len(asked.calls) > 4
    for pixels, settings in asked.calls:
        assert (
            settings["normalize"] is False
            and settings["min_size"] == 40
            and settings["channel_axis"] == -1
        )
        assert pixels.dtype == np.float32
        levels = np.unique(pixels[..., 0].round(3))
        assert levels.min() == pytest.approx(0, abs=0.01) and levels.max() == pytest.approx(
            1, abs=0.01
        )


@pytest.mark.usefixtures("asked")
def test_without_a_gpu_it_warns(
    weights: Path, spots: Section, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = CellposeNuclei(112.0, weights=str(weights), device="cpu")
    seconds = NucleiPerSpot(source).expected_seconds(spots)
    assert seconds == pytest.approx(
        420 * (0.589 + 0.128) * (0.515 + 0.128), rel=0.05
    )  # megapixels of the squares, with 64 px around them
    source.nuclei(spots)
    assert (
        "Cellpose without a GPU takes about" in caplog.text
        and "GPU is strongly advised" in caplog.text
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert CellposeNuclei(112.0, weights=str(weights)).expected_seconds(spots) is None


@pytest.mark.usefixtures("asked")
def test_weights(weights: Path, spots: Section, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is never replaced by another."""
    missing = CellposeNuclei(112.0, weights="nowhere")
    for ask in (missing.identity, missing.nuclei):
        with pytest.raises(
            InputError,
            match=r"Cellpose weights not found: .*nowhere; set nuclei.counter.source.weights",
        ):
            ask(spots)
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda *names: str(weights) if names[1] == "mine" else 1 / 0,
    )
    with pytest.raises(
        InputError,
        match=(
            r"could not fetch cpsam_v2 of mouseland/cellpose-sam .* set"
            r" nuclei.counter.source.weights"
        ),
    ):
        CellposeNuclei(112.0).identity(spots)
    by_name = CellposeNuclei(112.0, model="mine")
    by_file = CellposeNuclei(112.0, weights=str(weights))
    before = by_name.identity(spots)
    assert before == by_file.identity(spots)
    weights.write_bytes(b"broken")
    assert before != by_file.identity(spots)
    with pytest.raises(
        InputError, match=r"no weights of Cellpose 4 \(RuntimeError: not a checkpoint"
    ):
        by_file.nuclei(spots)


def test_the_doctor_does_not_try_it_without_a_gpu(
    asked: Asked, weights: Path, spots: Section
) -> None:
    counter = NucleiPerSpot(CellposeNuclei(112.0, weights=str(weights), device="cpu"))
    split = Split(0, 1, ["a"], [], ["b"])
    panel = GeneList(["A", "B"])
    store = EmbeddingStore("unused")
    recipe = Recipe(MeanColour(), counter, panel, LogNormalised(), ImageInputs(), store, Batching())
    costs = estimate({"a": spots, "b": spots}, [split], recipe, 10, 4.0)
    assert costs.nuclei_seconds == 2 * (counter.expected_seconds(spots) or 0) > 100
    assert not asked.calls


@pytest.mark.usefixtures("asked")
def test_stored_patches(weights: Path, tmp_path: Path) -> None:
    stored = section(patches=write_stored(tmp_path / "p.h5"), pos=POS, mpp=0.5)
    source = CellposeNuclei(112.0, weights=str(weights), device="cpu")
    assert NucleiPerSpot(source)(stored).tolist() == within(POS, 112).tolist()
    assert source.megapixels(stored) == pytest.approx(4 * 224**2 / 1e6)
