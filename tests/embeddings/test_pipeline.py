"""Patches to rows: reading ahead, turned patches, and the way through embed to the store."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import CountByPlace, MeanColour, picture, section, write_pyramid
from numpy.typing import NDArray

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.loader import BlockLoader, Order, draw_view
from hespotex.common.errors import InputError
from hespotex.embeddings.embed import embed_section, fill, is_filled
from hespotex.embeddings.pipeline import N_VIEWS, encode_spots, turn
from hespotex.embeddings.read_ahead import read_ahead
from hespotex.embeddings.store import EmbeddingStore
from hespotex.sections.patch_reader import iterate_patches, patch_reader
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section

SPEC = PatchSpec(100.0, 16)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(str(tmp_path / "store"), "full")


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_read_ahead_keeps_the_order_and_stays_close(workers: int) -> None:
    reading = []
    lock = threading.Lock()

    def read(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        with lock:
            reading.append(item)
        return item

    taken = 0
    for item in read_ahead(read, range(40), workers):
        assert item == taken
        taken += 1
        assert max(reading) <= item + 2 * workers
    assert taken == 40


def test_an_error_of_a_reader_arrives() -> None:
    def read(item: int) -> int:
        raise InputError(f"no tile {item}")

    with pytest.raises(InputError, match="no tile 0"):
        list(read_ahead(read, range(5), 2))


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize("start", [0, 3, 25])
@pytest.mark.parametrize("workers", [1, 4])
def test_rows_are_those_of_the_patches(
    spots: Section, batch_size: int, start: int, workers: int
) -> None:
    encoder = MeanColour()
    encoder.batch_size = batch_size
    rows = list(encode_spots(spots, SPEC, encoder, start, workers))
    patches = np.concatenate([patches for _, patches in iterate_patches(spots, SPEC, 7)])
    expected = patches.reshape(25, -1, 3).mean(axis=1)[start:]
    np.testing.assert_allclose(np.concatenate([np.empty((0, 3)), *rows]), expected, rtol=1e-6)


def test_spots_are_read_band_by_band(tmp_path: Path) -> None:
    """Bands of 512 px, in each from left to right, whatever the order of the spots."""
    pos = np.random.default_rng(0).uniform(20, 2000, (200, 2))
    image = write_pyramid(tmp_path / "b.tif", [picture(2020, 2020)])
    bands, x = (pos[patch_reader(section(image=image, pos=pos), SPEC).order] // [1, 512]).T[::-1]
    assert (np.diff(bands) >= 0).all() and bands[-1] == 3
    assert (np.diff(x)[np.diff(bands) == 0] >= 0).all()


def test_eight_views_of_a_patch() -> None:
    patch = np.random.default_rng(0).integers(0, 255, (1, 6, 6, 3), dtype=np.uint8)
    views = [turn(patch, view) for view in range(N_VIEWS)]
    assert len({view.tobytes() for view in views}) == 8
    np.testing.assert_array_equal(views[0], patch)
    np.testing.assert_array_equal(views[2][0], patch[0, ::-1, ::-1])
    np.testing.assert_array_equal(views[4][0], patch[0, :, ::-1])
    assert all(view.flags.c_contiguous for view in views)


class LeftRight(MeanColour):
    """Sees which side is brighter, so that a view shows."""

    def __call__(self, patches: torch.Tensor, mpp: float) -> torch.Tensor:
        half = patches.shape[2] // 2
        return patches[:, :, :half].float().mean((1, 2)) - patches[:, :, half:].float().mean((1, 2))


def test_views_are_files_of_their_own(spots: Section, store: EmbeddingStore) -> None:
    plain, mirrored = (embed_section(spots, LeftRight(), store, view)[:] for view in (0, 4))
    np.testing.assert_allclose(mirrored, -plain, atol=1e-4)
    assert len(list(store.root.rglob("*.h5"))) == 2


def test_is_filled_asks_for_every_view_and_the_counts(
    spots: Section, store: EmbeddingStore
) -> None:
    parts = (spots, MeanColour([40.0, 100.0]), CountByPlace(), store)
    assert not is_filled(*parts)
    embed_section(spots, parts[1], store)
    assert not is_filled(*parts)
    fill(*parts)
    assert is_filled(*parts) and not is_filled(*parts, views=2)
    fill(*parts, views=2)
    assert is_filled(*parts, views=2)


class Slow(MeanColour):
    """Leaves time to be killed."""

    def __call__(self, patches: torch.Tensor, mpp: float) -> torch.Tensor:
        time.sleep(0.02)
        return super().__call__(patches, mpp)


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """kill -9 before the first block, between blocks and while the last ones are made; then an
    undisturbed end.
    """
    pos = np.random.default_rng(0).uniform(20, 320, (1500, 2))
    spots = section(image=write_pyramid(tmp_path / "a.tif", [picture(340, 340)]), pos=pos)
    whole, broken = (EmbeddingStore(str(tmp_path / name)) for name in ("whole", "broken"))
    embed_section(spots, MeanColour(), whole)
    server = get_context("forkserver")  # forked from a process without threads
    server.set_forkserver_preload(["hespotex.embeddings.embed"])
    for blocks in (0, 1, 3, 5):
        job = server.Process(target=embed_section, args=(spots, Slow(), broken))
        job.start()
        while len(list(broken.root.rglob("*.npy"))) < blocks:
            time.sleep(0.001)
        os.kill(job.pid or 0, signal.SIGKILL)
        job.join()
        assert not list(broken.root.rglob("*.h5"))
    embed_section(spots, MeanColour(), broken)
    (one,) = list(whole.root.rglob("*.h5"))
    (other,) = list(broken.root.rglob("*.h5"))
    assert one.read_bytes() == other.read_bytes()
    assert {path.suffix for path in broken.root.rglob("*") if path.is_file()} == {".h5", ".lock"}


def test_two_encoders_side_by_side(spots: Section, store: EmbeddingStore) -> None:
    class Pair(MeanColour):
        parts = (MeanColour([40.0]), LeftRight([100.0], patch_px=32, version=2))

    both = embed_section(spots, Pair(), store)[:]
    np.testing.assert_array_equal(
        both, np.hstack([embed_section(spots, part, store)[:] for part in Pair.parts])
    )


def test_training_draws_views_by_seed_and_epoch(spots: Section, store: EmbeddingStore) -> None:
    graph = ImageInputs(views=3, standardize="none").assemble(
        spots, LeftRight(), None, store, views=3
    )
    data = graph.whole()
    assert data.image_views.shape == (25, 3, 3)
    torch.testing.assert_close(data.image_views[:, 0], data.image_embedding)

    def drawn(epoch: int) -> Iterator[NDArray[np.float32]]:
        for batch in BlockLoader([graph], order=Order(0, lambda: epoch)):
            assert "image_views" not in batch
            yield batch.image_embedding.numpy()

    (first,) = list(drawn(0))
    (again,) = list(drawn(0))
    (other,) = list(drawn(1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    of = (data.image_views.numpy() == first[:, None]).all(axis=2)
    # every spot got one of its views, and all views occur
    assert of.any(axis=1).all() and of.any(axis=0).all()
    (unseeded,) = BlockLoader([graph])
    torch.testing.assert_close(unseeded.image_embedding, data.image_embedding)


def test_draw_view_of_one() -> None:
    views = torch.arange(6.0).reshape(3, 1, 2)
    torch.testing.assert_close(draw_view(views, np.random.default_rng(0)), views[:, 0])


def test_number_of_views() -> None:
    with pytest.raises(InputError, match=r"data.inputs.views: expected 1 to 8, got 9"):
        ImageInputs(views=9)
