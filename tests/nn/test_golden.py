"""The published form gives the numbers of the released modules (shared/golden)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import sparse
from torch import Tensor

from hespotex.metrics import GeneMoments
from hespotex.nn.autoencoder import ExpressionAutoencoder
from hespotex.nn.losses import latent_alignment
from hespotex.nn.published import PublishedDecoder, published_nuclei_factor
from hespotex.nuclei.published import PublishedMaskCounter
from hespotex.sections.graph import knn_edges
from hespotex.sections.patch_reader import iterate_patches
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section, SectionKey, make_adata

Golden = dict[str, Tensor]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    with np.load(shared / "golden" / "published_forward.npz") as arrays:
        return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays}


@pytest.fixture
def edges(golden: Golden) -> Tensor:
    return torch.from_numpy(knn_edges(golden["spots_xy"].double().numpy(), 4, tie=1e-6))


@pytest.fixture
def decoder(golden: Golden) -> PublishedDecoder:
    model = PublishedDecoder(512, 14, d_latent=5)
    weights = {
        name.removeprefix("w."): value for name, value in golden.items() if name.startswith("w.")
    }
    model.load_state_dict(
        {name.replace("jknet.0.", "jknet.lstm."): value for name, value in weights.items()}
    )
    return model


def close(value: Tensor, expected: Tensor) -> None:
    """Within 1e-5 of the largest value: how many threads sum up shows in the last digits of small
    ones.
    """
    atol = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(value.detach().double(), expected.double(), rtol=1e-5, atol=atol)


def test_autoencoder(golden: Golden) -> None:
    model = ExpressionAutoencoder(14, 10, 5)
    names = {"w1": "gate_w1", "w2": "gate_w2", "att_src": "gate_att_src", "att_dst": "gate_att_dst"}
    model.load_state_dict(
        {name: golden[key].view_as(getattr(model, name)) for name, key in names.items()}
    )
    latent, reconstruction = model(golden["gate_x"], golden["gate_edge_index"].long())
    close(latent, golden["gate_latent"])
    close(reconstruction, golden["gate_reconstruction"])
    close(torch.nn.functional.mse_loss(reconstruction, golden["gate_x"]), golden["gate_mse"])


def test_stage_2_graph(golden: Golden, edges: Tensor) -> None:
    adjacency = torch.zeros(40, 40, dtype=torch.uint8)
    adjacency[edges[1], edges[0]] = 1
    assert torch.equal(adjacency, golden["adjacency"])


def test_stage_2_forward_and_losses(
    golden: Golden, edges: Tensor, decoder: PublishedDecoder
) -> None:
    out = decoder(golden["image_embedding"], edges, golden["nuclei_factor"])
    close(out.expression, golden["prediction"])
    close(latent_alignment(out.latent, golden["gate_latent"]), golden["loss_latent"])
    close(torch.nn.functional.mse_loss(out.expression, golden["gate_x"]), golden["loss_mse"])
    close(
        1 - GeneMoments.of(out.expression, golden["gate_x"]).correlation().mean(),
        golden["loss_pcc"],
    )


def test_three_training_steps(golden: Golden, edges: Tensor, decoder: PublishedDecoder) -> None:
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-3, weight_decay=1e-3)
    for _ in range(3):
        out = decoder(golden["image_embedding"], edges, golden["nuclei_factor"])
        latent = latent_alignment(out.latent, golden["gate_latent"])
        mse = torch.nn.functional.mse_loss(out.expression, golden["gate_x"])
        optimizer.zero_grad()
        (latent + mse).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    close(torch.stack([latent, mse]), golden["train_losses_after3"])
    after = decoder(golden["image_embedding"], edges, golden["nuclei_factor"]).expression
    torch.testing.assert_close(after.detach(), golden["prediction_after3"], rtol=1e-4, atol=1e-4)


@pytest.fixture
def slide(golden: Golden, tmp_path: Path) -> Section:
    """The golden slide as a section, at 1 um per px, with its label mask beside it."""
    Image.fromarray(golden["slide_image"].numpy()).save(tmp_path / "g.png")
    np.save(tmp_path / "g.npy", golden["nuclei_label_mask"].numpy())
    pos = golden["slide_spots_xy"].double().numpy()
    adata = make_adata(sparse.csr_matrix((len(pos), 0)), [str(i) for i in range(len(pos))], [], pos)
    diameter = float(golden["spot_diameter_px"])
    return Section(
        SectionKey("g", "g"), adata, 1.0, "golden", 100.0, diameter, image=tmp_path / "g.png"
    )


def test_patches(golden: Golden, slide: Section) -> None:
    spec = PatchSpec(slide.spot_diameter_um, 224, cut="published")
    ((spots, patches),) = iterate_patches(slide, spec, batch_size=64)
    for expected, spot in zip(golden["item_patches"], (0, 1, 5), strict=True):
        patch = torch.from_numpy(patches[np.flatnonzero(spots == spot)[0]]).permute(2, 0, 1)
        # releases of OpenCV round a few pixels to the next grey level
        difference = (patch.float() - expected).abs()
        assert difference.max() <= 1
        assert (difference > 0).float().mean() < 1e-4


def test_nuclei_factor(golden: Golden, slide: Section, tmp_path: Path) -> None:
    counts = torch.from_numpy(PublishedMaskCounter(str(tmp_path))(slide))
    close(published_nuclei_factor(counts, counts.max())[:, None], golden["item_nuclei_factor"])
