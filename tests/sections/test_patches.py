"""Patches lie on their spots, have the physical size asked for, and every spot gets one."""

from dataclasses import astuple
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from builders import (
    MPP,
    Pixels,
    halves,
    picture,
    section,
    square_grid,
    write_patches,
    write_pyramid,
)

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image
from hespotex.sections.patch_reader import iterate_patches, stored_barcodes
from hespotex.sections.patches import PatchSize, PatchSpec, cut_patch, patch_size


def target(
    width: int = 512, height: int = 512, x: int = 200, y: int = 300, radius: int = 40
) -> Pixels:
    """White with a dark disc at (x, y)."""
    image = np.full((height, width, 3), 255, dtype=np.uint8)
    return np.asarray(cv2.circle(image, (x, y), radius, (0, 0, 0), -1), dtype=np.uint8)


@pytest.fixture
def pyramid(tmp_path: Path) -> Path:
    return write_pyramid(tmp_path / "a.tif", halves(target(), 3), compression="deflate")


@pytest.mark.parametrize(
    ("um", "px", "mpp", "expected"),
    [
        (112, 224, 0.5, PatchSize(224, 0, 224, 224.0)),
        # two level-0 px per wanted px: the half level
        (112, 224, 0.25, PatchSize(224, 1, 224, 448.0)),
        (112, 224, 0.125, PatchSize(224, 2, 224, 896.0)),
        (112, 224, 0.3, PatchSize(224, 0, 373, 112 / 0.3)),  # between levels: the finer one
        (112, 224, 1.0, PatchSize(224, 0, 112, 112.0)),  # coarser than asked: enlarged
        (350, 224, 0.69, PatchSize(224, 1, 254, 350 / 0.69)),
        (0.1, 8, 1.0, PatchSize(8, 0, 1, 0.1)),
    ],
)
def test_three_numbers(pyramid: Path, um: float, px: int, mpp: float, expected: PatchSize) -> None:
    found = patch_size(PatchSpec(um, px), mpp, open_image(pyramid))
    assert astuple(found) == pytest.approx(astuple(expected))


@pytest.mark.parametrize("mpp", [0.25, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("px", [32, 57, 64])
def test_the_spot_is_in_the_middle_at_its_physical_size(pyramid: Path, mpp: float, px: int) -> None:
    spec = PatchSpec(100 * mpp, px)  # 100 level-0 px, the disc is 80 px wide
    image = open_image(pyramid)
    patch = cut_patch(image, patch_size(spec, mpp, image), 200.0, 300.0)
    assert patch.shape == (px, px, 3) and patch.dtype == np.uint8
    dark = patch[..., 0] < 128
    level0_per_px = 100 / px
    rows, columns = np.nonzero(dark)
    assert np.mean([rows, columns], axis=1) == pytest.approx(
        [px / 2 - 0.5] * 2, abs=1.5 / level0_per_px + 0.5
    )
    assert dark.sum() * level0_per_px**2 == pytest.approx(np.pi * 40**2, rel=0.05)


def test_a_moved_spot_moves_the_patch(tmp_path: Path) -> None:
    image = picture(400, 300)
    reader = open_image(write_pyramid(tmp_path / "a.tif", [image]))
    size = patch_size(PatchSpec(64.0, 64), 1.0, reader)
    np.testing.assert_array_equal(cut_patch(reader, size, 150, 120), image[88:152, 118:182])
    np.testing.assert_array_equal(cut_patch(reader, size, 160, 110), image[78:142, 128:192])


def test_border_patches_are_mirrored(tmp_path: Path) -> None:
    image = picture(200, 160)
    reader = open_image(write_pyramid(tmp_path / "a.tif", [image]))
    size = patch_size(PatchSpec(64.0, 64), 1.0, reader)
    padded = np.pad(image, ((40, 40), (40, 40), (0, 0)), mode="reflect")
    for x, y in [(10, 5), (190, 150), (100, 155), (20, 80)]:
        np.testing.assert_array_equal(
            cut_patch(reader, size, x, y), padded[y + 8 : y + 72, x + 8 : x + 72]
        )


@pytest.mark.parametrize("batch_size", [1, 7, 25, 100])
def test_every_spot_once(tmp_path: Path, batch_size: int) -> None:
    image = picture(340, 340)
    spots = section(image=write_pyramid(tmp_path / "a.tif", [image]))
    spec = PatchSpec(40 * MPP, 40)
    batches = list(iterate_patches(spots, spec, batch_size))
    numbers = np.concatenate([n for n, _ in batches])
    assert sorted(numbers) == list(range(25)) and max(len(n) for n, _ in batches) <= batch_size
    patches = np.concatenate([p for _, p in batches])
    for number, patch in zip(numbers, patches, strict=True):
        x, y = spots.pos_px[number].astype(int)
        np.testing.assert_array_equal(patch, image[y - 20 : y + 20, x - 20 : x + 20])


@pytest.mark.parametrize(("x", "y", "n"), [(-1.0, 50.0, 1), (50.0, 400.0, 1), (np.nan, 50.0, 1)])
def test_spots_outside_the_image_are_refused(tmp_path: Path, x: float, y: float, n: int) -> None:
    pos = square_grid()[0]
    pos[3] = x, y
    path = write_pyramid(tmp_path / "a.tif", [picture(340, 340)])
    with pytest.raises(
        InputError, match=rf"S1: {n} of 25 spots lie outside the image of 340 x 340 px"
    ) as error:
        list(iterate_patches(section(pos=pos, image=path), PatchSpec(80, 40), 8))
    assert str(path) in str(error.value) and "full-resolution image" in str(error.value)


def test_a_thumbnail_instead_of_the_image_is_refused(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", [picture(150, 150)])
    with pytest.raises(InputError, match=r"x spans 50\.\.290 px") as error:
        list(iterate_patches(section(image=path), PatchSpec(80, 40), 8))
    assert "21 of 25" in str(error.value)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_stored_patches_are_joined_by_barcode(tmp_path: Path, batch_size: int) -> None:
    # another order than the spots, and most of them missing
    barcodes = [f"b{i:03d}" for i in (7, 3, 20, 0, 11)]
    stored = write_patches(tmp_path / "a.h5", barcodes)
    spots = section(patches=tmp_path / "a.h5").keep([0, 3, 7, 11, 20])
    found: dict[str, Pixels] = {}
    for numbers, patches in iterate_patches(spots, PatchSpec(112.0, 224), batch_size):
        found |= {spots.barcodes[n]: patch for n, patch in zip(numbers, patches, strict=True)}
    assert len(found) == 5
    for barcode, patch in zip(barcodes, stored, strict=True):
        np.testing.assert_array_equal(found[barcode], patch)


@pytest.mark.parametrize(("side", "um"), [(224, 112.0), (256, 128.0)])
def test_the_centre_of_a_stored_patch_gives_a_smaller_one(
    tmp_path: Path, side: int, um: float
) -> None:
    write_patches(tmp_path / "a.h5", ["b000"], side)
    spots = section(patches=tmp_path / "a.h5").keep([0])
    ((_, half),) = iterate_patches(spots, PatchSpec(um / 2, 64), 8)
    assert half.shape == (1, 64, 64, 3) and (half[..., 0] == 200).all()
    ((_, more),) = iterate_patches(spots, PatchSpec(0.75 * um, 84), 8)
    assert (more[0, :, :, 0] == 200).sum() == pytest.approx(56**2, rel=0.05) and (
        more[0, 0] < 100
    ).all()


def test_a_larger_patch_cannot_be_had(tmp_path: Path) -> None:
    write_patches(tmp_path / "a.h5", ["b000"])
    with pytest.raises(InputError, match="S1: patches of 350 um are wanted") as error:
        list(iterate_patches(section(patches=tmp_path / "a.h5").keep([0]), PatchSpec(350, 64), 8))
    for part in (str(tmp_path / "a.h5"), "112 um", "encoder.patch_um=[112]", "wsis/"):
        assert part in str(error.value)


def test_barcodes_of_either_shape_and_type(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["img"] = np.zeros((2, 1, 1, 3), dtype=np.uint8)
        file["barcode"] = np.array([b"a", b"b"])
        assert stored_barcodes(file) == ["a", "b"]
        del file["barcode"]
        file.create_dataset("barcode", data=[["c"], ["d"]], dtype=h5py.string_dtype())
        assert stored_barcodes(file) == ["c", "d"]
