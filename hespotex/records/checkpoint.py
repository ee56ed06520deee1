"""Checkpoints: tensors and plain values only, loaded without unpickling objects."""

from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.loading import load_tensors
from hespotex.common.provenance import KEY
from hespotex.genes.expression import Expression
from hespotex.modules.base import ExpressionModule
from hespotex.records.about import About
from hespotex.records.moved import current_unit
from hespotex.records.plain import plain
from hespotex.records.trusted import part, rebuild

Config = dict[str, Any]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint's content.

    Raises:
        InputError: no such file, or one that HESpotEx did not write.
    """
    if not path.is_file():
        raise InputError(
            f"checkpoint not found: {path}; set checkpoint=RUN_DIR/checkpoints/best.ckpt"
        )
    content = load_tensors(path, "checkpoint")
    if not isinstance(content, dict) or not isinstance(content.get(KEY), dict):
        raise InputError(
            f"{path}: not a HESpotEx checkpoint (it lacks the gene panel and preprocessing facts)"
        )
    config = plain(part(content[KEY], "config"))
    unit = current_unit(content[KEY].get("unit"), config)
    content[KEY] = content[KEY] | {"config": config, "unit": unit}
    return content


def load_module(content: dict[str, Any]) -> ExpressionModule:
    """The predictor as it was trained, ready to predict.

    Raises:
        InputError: weights of another version of the model.
    """
    about = content[KEY]
    if about["config"]["model"].get("reference"):
        name = about["config"]["model"]["name"]
        raise InputError(
            f"model={name} looks expression up and predicts nothing; take the checkpoint of another"
            " model"
        )
    module = rebuilt_module(about["config"], about["sizes"])
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        wrote = about.get("versions", {}).get("hespotex", "unknown")
        raise InputError(
            f"the checkpoint's weights do not fit this version of its model ({reason}); it was"
            f" written by HESpotEx {wrote}, commit {about.get('git_commit')}: predict with that, or"
            " train again"
        ) from error
    wrong = [name for name, value in module.state_dict().items() if value.isnan().any()]
    if wrong:
        raise InputError(
            f"the checkpoint's weights are not all numbers (NaN in {', '.join(wrong[:3])}): train"
            " it again"
        )
    return module.eval()


def rebuilt_module(config: Config, sizes: dict[str, int]) -> ExpressionModule:
    """The predictor that a config from a file names, with weights of its own making.

    Args:
        sizes: `d_image` and `n_genes`.
    """
    module: ExpressionModule = rebuild(config, "model.module", **plain(sizes))
    return module


def load_weights(module: ExpressionModule, path: Path) -> None:
    """Put a checkpoint's weights into a module of the same shape."""
    module.load_state_dict(load_tensors(path, "checkpoint")["state_dict"])


def fresh_target(config: Config) -> Expression:
    """The target of a config that comes from a file, fitted on nothing yet."""
    target: Expression = rebuild(config, "data.expression")
    return target


def restored_target(about: About) -> Expression:
    """The target of the training run, with what was fitted there.

    Args:
        about: a checkpoint's facts.

    Raises:
        InputError: a checkpoint of an older version, which lacks what its target was fitted to.
    """
    if about["expression_fitted_on"] and not about.get("expression_state"):
        raise InputError(
            "the checkpoint, of an older version, does not hold what its target was fitted to;"
            " train it again"
        )
    target = fresh_target(about["config"])
    target.restore(about.get("expression_state", {}), about["expression_fitted_on"])
    return target
