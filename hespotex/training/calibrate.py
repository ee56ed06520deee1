"""Calibration of a model in closed form: its training groups are left out in turn and predicted."""

import logging

import torch

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.metrics import GeneMoments
from hespotex.modules.base import ExpressionModule
from hespotex.nn.committee import part_names
from hespotex.records.build import Config
from hespotex.training.left_out import LeftOut, leave_out

log = logging.getLogger(__name__)


def fit_at_once(config: Config, fold: Fold, module: ExpressionModule) -> None:
    """All that is fitted before the epochs: closed forms, and the calibration where the config asks
    for one.
    """
    module.fit(fold)
    if config["model"].get("calibrate"):
        calibrate(config, fold, module)


def calibrate(config: Config, fold: Fold, module: ExpressionModule) -> None:
    """Fit the module's `calibration`; without two training sections it is left as it is.

    Groups are left out in turn (sections, where there is one group), a model of the same config is
    fitted on the others and asked for them. No test section has a part in it.

    Raises:
        InputError: the model takes epochs, which are not gone through for each group here.
    """
    if module.automatic_optimization:
        raise InputError(
            f"model.calibrate={config['model']['calibrate']}: {config['model']['name']} is trained"
            " over epochs; only models in closed form, such as strict and ridge, are calibrated"
        )
    groups = part_names({i: fold.group(i) for i in fold.split.train})
    if groups is None:
        log.warning("model.calibrate wants two training sections: nothing is calibrated")
        return
    left_out: dict[str, list[GeneMoments]] = {}
    for section in leave_out(config, fold, groups, "calibration"):
        moments = _moments(section, len(fold.panel.genes))
        left_out.setdefault(section.group, []).append(moments)
    module.calibration.fit(left_out, module.gene_mean)
    log.info(
        "calibrated on %d left-out groups: slopes of %.2f to %.2f",
        len(left_out),
        *module.calibration.slope.quantile(module.calibration.slope.new_tensor([0.05, 0.95])),
    )


def _moments(section: LeftOut, n_genes: int) -> GeneMoments:
    """Among all genes of the panel; NaN for a gene that no other section measured."""
    moments = GeneMoments.of(section.predicted, section.measured)
    return moments.among(torch.from_numpy(section.genes), n_genes)
