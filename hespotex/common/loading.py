"""Files of tensors and arrays, which are read without running what stands in them."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hespotex.common.errors import InputError

CODE = "it holds Python objects, which would run code when they are loaded: not loaded"


def load_tensors(path: Path, label: str = "file of tensors") -> Any:
    """Tensors and plain values that torch has saved, on the CPU.

    Args:
        label: what the file is meant to be, for the message.

    Raises:
        InputError: it cannot be read, or holds objects that run code.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle, key and value errors all mean a file of another kind
        why = f": {CODE}" if _is_code(error) else ""
        kind = type(error).__name__
        raise InputError(f"{path}: not a {label} that can be loaded ({kind}){why}") from error


def tensor_bytes(content: Any) -> memoryview:
    """Tensors and plain values as torch saves them, to be written by whoever asks: where torch
    itself writes to a full disk, its error does not say so.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getbuffer()


def array_bytes(values: NDArray[Any]) -> memoryview:
    """The same of an array, as numpy saves it."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getbuffer()


def _is_code(error: Exception) -> bool:
    """Whether it is a pickle of more than tensors and plain values."""
    signs = ("GLOBAL", "REDUCE", "BUILD", "class", "function")
    return isinstance(error, pickle.UnpicklingError) and any(word in str(error) for word in signs)


def load_array(path: Path, mapped: bool = False) -> NDArray[Any]:
    """An array of numbers that numpy has saved.

    Args:
        mapped: leave it on disk until it is looked at.

    Raises:
        InputError: it cannot be read, or holds objects that run code.
    """
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except Exception as error:  # a torn header raises many kinds
        message = " ".join(str(error).split())[:120]
        why = CODE if _holds_objects(path, message) else f"{message}; is the file whole?"
        raise InputError(f"{path}: cannot be read as a NumPy array ({why})") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: expected one array (.npy), found an archive of several")
    return array


def _holds_objects(path: Path, message: str) -> bool:
    """Whether it is an array of objects or a bare pickle: numpy says so of any file that it does
    not know.
    """
    if not any(word in message.lower() for word in ("pickle", "python objects")):
        return False
    with path.open("rb") as file:
        return file.read(1) in (b"\x80", b"\x93")  # first byte of a pickle, and of an .npy file
