"""What a checkpoint's config may make us build: classes of ours, of torch.optim, and of packages that the user names."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run, compose_config
from omegaconf import OmegaConf

from hespotex.build import check_trusted
from hespotex.checkpoint import restored_target
from hespotex.errors import InputError
from hespotex.predictor import Predictor

FINE: list[Any] = [
    {"_target_": "hespotex.data.folds.GroupKFold", "n_folds": 5},
    {"optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True}},
    {"name": "uni", "patch_um": [112.0], "weights": None},
    None,
]
REFUSED: list[tuple[Any, str]] = [
    ({"_target_": "os.system", "_args_": ["true"]}, "'os.system', which is not part of HESpotEx"),
    ({"_target_": "hespotexes.evil.Class"}, "'hespotexes.evil.Class', which is not part of HESpotEx"),
    ({"_target_": "hespotex.cli.os.system"}, "'hespotex.cli.os.system', which is no class of hespotex"),
    ({"_target_": "hespotex.files.shutil.rmtree"}, "which is no class of hespotex"),
    ({"_target_": "hespotex.files.Path"}, "which is no class of hespotex"),
    ({"_target_": "hespotex.provenance._git"}, "which is no class of hespotex"),
    ({"deep": [{"er": {"_target_": "builtins.eval"}}]}, "'builtins.eval', which is not part of HESpotEx"),
    ({"name": "${oc.create:{_target_: os.system}}"}, "which is no plain value"),
    ({"_target_": "hespotex.data.folds.Gone"}, "'hespotex.data.folds.Gone'.*its folder is not on PYTHONPATH"),
]


@pytest.mark.parametrize("config", FINE)
def test_accepted(config: Any) -> None:
    check_trusted(config)


@pytest.mark.parametrize(("config", "message"), REFUSED)
def test_refused(config: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_trusted(config)


def test_packages_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"_target_": "collections.Counter"}
    with pytest.raises(InputError, match="HESPOTEX_TRUST=collections before the command"):
        check_trusted(theirs)
    monkeypatch.setenv("HESPOTEX_TRUST", "theirlab,collections")
    check_trusted(theirs)
    with pytest.raises(InputError, match=r"'os.system'.* not part"):
        check_trusted({"_target_": "os.system"})
    with pytest.raises(InputError, match=r"'theirlab.encoder.MeanColour'.*its folder is not on PYTHONPATH"):
        check_trusted({"_target_": "theirlab.encoder.MeanColour"})


def test_every_part_that_prediction_builds_of_a_checkpoint_is_checked(train: Run, tmp_path: Path) -> None:
    path = train("model=ridge", "nuclei=haematoxylin") / "checkpoints" / "best.ckpt"
    words = [f"checkpoint={path}", "slides=none", f"output={tmp_path}", f"paths.store={tmp_path}"]
    config: Any = OmegaConf.to_container(compose_config("predict", words, tmp_path), resolve=True)
    Predictor(config)
    for place in (("model", "module"), ("encoder",), ("nuclei", "counter"), ("data", "batching"), ("data", "expression")):
        content = torch.load(path, weights_only=True)
        part = content["hespotex"]["config"]
        for key in place:
            part = part[key]
        part["_target_"] = "os.system"
        torch.save(content, tmp_path / "changed.ckpt")
        with pytest.raises(InputError, match=r"'os.system', which is not part of HESpotEx"):
            restored_target(Predictor(config | {"checkpoint": str(tmp_path / "changed.ckpt")}).about)
