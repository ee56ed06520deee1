"""What is read of a SpatialData object (extra `spatialdata`): elements, places, pixels."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hespotex.common.errors import InputError, full_cause

METADATA = (".zarray", "zarr.json", ".zmetadata")


def read_object(path: Path) -> Any:
    """The object; its images stay on disk.

    Raises:
        InputError: the package is not installed, or the folder cannot be read.
    """
    if not path.is_dir():
        raise InputError(f"folder not found: {path}; set data.reader.root=PATH")
    return _opened(path, max(file.stat().st_mtime_ns for file in (path, *path.iterdir())))


@lru_cache(maxsize=2)
def _opened(path: Path, _changed: int) -> Any:
    try:
        from spatialdata import read_zarr
    except ImportError as error:
        raise InputError(
            f"data=spatialdata needs the package spatialdata ({error}); run `pip install"
            " spatialdata`"
        ) from error
    _check_codecs(path)
    try:
        return read_zarr(path)
    except Exception as error:  # zarr and spatialdata raise many kinds
        raise InputError(
            f"{path}: cannot be read as SpatialData ({full_cause(error)}); is the folder whole?"
        ) from error


def _check_codecs(path: Path) -> None:
    """Refuse arrays that are stored as Python objects: to read them is to run what is in them."""
    for name in METADATA:
        for file in path.rglob(name):
            if b"pickle" in file.read_bytes().lower():
                raise InputError(
                    f"{file}: values are stored as pickled Python objects, which are not read;"
                    " write the object anew with spatialdata"
                )


def systems_of(element: Any) -> set[str]:
    """The coordinate systems in which an element has a place."""
    from spatialdata.transformations import get_transformation

    return set(get_transformation(element, get_all=True))


def levels_of(image: Any) -> list[Any]:
    """The pyramid of an image element, full resolution first: arrays (c, y, x)."""
    if hasattr(image, "transpose"):  # no pyramid
        return [image.transpose("c", "y", "x")]
    scales = sorted(image.keys(), key=lambda name: int(str(name).removeprefix("scale")))
    return [next(iter(image[name].values())).transpose("c", "y", "x") for name in scales]


def pixels_of(image: Any) -> Any:
    """An image element at full resolution, (c, y, x)."""
    return levels_of(image)[0]


def is_rgb(pixels: Any) -> bool:
    """Whether an array (c, y, x) is a picture in colours of 8 bits."""
    return pixels.shape[0] in (3, 4) and pixels.dtype == np.uint8
