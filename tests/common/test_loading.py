"""Tensors and arrays are read without running what stands in the file."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from payload import Touch

from hespotex.common.errors import InputError
from hespotex.common.loading import load_array, load_tensors


def test_there_and_back(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2), "b": (1, "x")}, tmp_path / "a.pt")
    assert load_tensors(tmp_path / "a.pt")["b"] == (1, "x")
    np.save(tmp_path / "a.npy", np.arange(4))
    assert load_array(tmp_path / "a.npy").tolist() == [0, 1, 2, 3]
    assert isinstance(load_array(tmp_path / "a.npy", mapped=True), np.memmap)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_objects_are_refused(tmp_path: Path, protocol: int) -> None:
    bad = Touch(tmp_path / "marker")
    torch.save({"a": (bad,)}, tmp_path / "torch", pickle_protocol=max(protocol, 2))
    torch.save(bad, tmp_path / "old", _use_new_zipfile_serialization=False)
    (tmp_path / "bare").write_bytes(pickle.dumps(bad, protocol))
    np.save(tmp_path / "objects.npy", np.array([bad]), allow_pickle=True)
    np.savez(tmp_path / "several.npz", a=np.array([bad]))
    for name in ("torch", "old", "bare"):
        with pytest.raises(InputError, match=r"not a teacher that can be loaded"):
            load_tensors(tmp_path / name, "teacher")
    for name in ("bare", "objects.npy", "several.npz"):
        for mapped in (False, True):
            with pytest.raises(InputError, match=r"NumPy array|one array"):
                load_array(tmp_path / name, mapped)
    assert not (tmp_path / "marker").exists()


def test_the_words(tmp_path: Path) -> None:
    torch.save({"a": Touch(tmp_path)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="would run code"):
        load_tensors(tmp_path / "a.pt")
    np.save(tmp_path / "a.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(InputError, match="would run code"):
        load_array(tmp_path / "a.npy")
    for content in (b"", b"no array", b"\x93NUMPY"):
        (tmp_path / "torn.npy").write_bytes(content)
        with pytest.raises(InputError, match="is the file whole"):
            load_array(tmp_path / "torn.npy")
