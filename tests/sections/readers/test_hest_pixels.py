"""The image of a HEST-1k section."""

from pathlib import Path

import pytest

from hespotex.common.errors import InputError
from hespotex.sections.readers.hest.pixels import IMAGES, find_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "wsis").mkdir()
    (tmp_path / "wsis" / "A.tif").touch()
    return tmp_path


@pytest.mark.parametrize("suffix", IMAGES[1:])
@pytest.mark.parametrize("source", ["auto", "wsis"])
def test_two_images_of_one_id_are_refused(root: Path, source: str, suffix: str) -> None:
    (root / "wsis" / f"A{suffix}").touch()
    with pytest.raises(InputError, match=rf"^A: expected one image .*A\.tif, A\{suffix}; move"):
        find_image(root, "A", source)
    assert find_image(root, "A", "patches") is None


def test_images_of_other_ids_are_no_matter(root: Path) -> None:
    (root / "wsis" / "B.svs").touch()
    assert find_image(root, "A", "auto") == root / "wsis" / "A.tif"
