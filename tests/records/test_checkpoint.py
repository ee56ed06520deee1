"""What is no checkpoint of ours, or one of another version, is refused in words."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from hespotex.common.errors import InputError
from hespotex.common.provenance import KEY
from hespotex.modules.ridge import RidgeModule
from hespotex.records.checkpoint import load_module, read_checkpoint

MODULE = {"_target_": "hespotex.modules.ridge.RidgeModule", "_partial_": True, "alphas": [1.0]}


def content(d_image: int) -> dict[str, Any]:
    """Of a checkpoint for three numbers a spot whose weights are for `d_image`."""
    about = {"config": {"model": {"module": MODULE}}, "sizes": {"d_image": 3, "n_genes": 2}}
    weights = RidgeModule(d_image, 2, [1.0]).state_dict()
    return {
        "state_dict": weights,
        KEY: about | {"versions": {"hespotex": "0.0.9"}, "git_commit": "abc123"},
    }


def test_there_and_back(tmp_path: Path) -> None:
    torch.save(content(3), tmp_path / "a.ckpt")
    module = load_module(read_checkpoint(tmp_path / "a.ckpt"))
    assert not module.training and module.n_genes == 2


def test_weights_of_another_version_name_it() -> None:
    with pytest.raises(
        InputError,
        match=(
            r"weights do not fit this version.*written by HESpotEx 0\.0\.9, commit abc123: predict"
            r" with"
        ),
    ):
        load_module(content(4))


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (None, r"checkpoint not found: .*; set checkpoint=RUN_DIR"),
        (b"not a zip", r"not a checkpoint that can be loaded \("),
        (pickle.dumps(Path("x")), r"not a checkpoint that can be loaded \("),
        ({"state_dict": {}}, r"not a HESpotEx checkpoint"),
    ],
)
def test_no_checkpoint(tmp_path: Path, stored: Any, message: str) -> None:
    path = tmp_path / "a.ckpt"
    if isinstance(stored, bytes):
        path.write_bytes(stored)
    elif stored:
        torch.save(stored, path)
    with pytest.raises(InputError, match=message):
        read_checkpoint(path)
