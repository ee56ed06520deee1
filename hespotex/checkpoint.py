"""Checkpoints: tensors and plain values only, loaded without unpickling objects."""

from pathlib import Path
from typing import Any

import torch

from hespotex.build import Config, build, build_module, check_trusted
from hespotex.data.expression import Expression
from hespotex.errors import InputError
from hespotex.modules.base import ExpressionModule
from hespotex.provenance import KEY


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint's content.

    Raises:
        InputError: no such file, or one that HESpotEx did not write.
    """
    if not path.is_file():
        raise InputError(f"checkpoint not found: {path}; set checkpoint=RUN_DIR/checkpoints/best.ckpt")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and key errors all mean a file of another kind
        raise InputError(f"{path}: not a checkpoint that can be loaded ({type(error).__name__})") from error
    if KEY not in content:
        raise InputError(f"{path}: not a HESpotEx checkpoint (it lacks the gene panel and preprocessing facts)")
    return content


def load_module(content: dict[str, Any]) -> ExpressionModule:
    """The predictor as it was trained, ready to predict.

    Raises:
        InputError: weights of another version of the model.
    """
    about = content[KEY]
    check_trusted(about["config"]["model"]["module"])
    module = build_module(about["config"], about["sizes"])
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        words = " ".join(str(error).split())[:200]
        wrote = about.get("versions", {}).get("hespotex", "unknown")
        raise InputError(
            f"the checkpoint's weights do not fit this version of its model ({words}); it was written by HESpotEx {wrote}, "
            f"commit {about.get('git_commit')}: predict with that, or train again"
        ) from error
    return module.eval()


def load_weights(module: ExpressionModule, path: Path) -> None:
    """Put a checkpoint's weights into a module of the same shape."""
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])


def fresh_target(config: Config) -> Expression:
    """The target of a config that comes from a file, fitted on nothing yet."""
    settings = config["data"]["expression"]
    check_trusted(settings)
    target: Expression = build(settings)
    return target


def restored_target(about: dict[str, Any]) -> Expression:
    """The target of the training run, with what was fitted there.

    Args:
        about: a checkpoint's facts.

    Raises:
        InputError: a checkpoint of an older version, which lacks what its target was fitted to.
    """
    if about["expression_fitted_on"] and not about.get("expression_state"):
        raise InputError("the checkpoint, of an older version, does not hold what its target was fitted to; train it again")
    target = fresh_target(about["config"])
    target.restore(about.get("expression_state", {}), about["expression_fitted_on"])
    return target
