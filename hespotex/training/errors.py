"""What a model gets wrong on its training sections: the prior of what measured spots put right."""

import logging
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.kriging import MeasuredSpots, Prior, Settings, learn
from hespotex.modules.base import ExpressionModule
from hespotex.nn.committee import part_names
from hespotex.records.build import Config
from hespotex.training.left_out import LeftOut, leave_out

log = logging.getLogger(__name__)


def learn_prior(config: Config, module: ExpressionModule, fold: Fold, settings: Settings) -> Prior:
    """The prior of this fold, from its training sections alone, one at a time.

    Of models in closed form each group is left out in turn (each section, where there is one
    group), and predicted by a model of the same config fitted on the others. Of a single section,
    and of models that take epochs, the model's own predictions of what it has seen are taken, which
    are too good: their prior trusts the measured spots less.
    """
    groups = part_names({i: fold.group(i) for i in fold.split.train})
    if groups is None or module.automatic_optimization:
        log.info("prior of the errors: from the training sections as the model has seen them")
        sections = _as_seen(module, fold)
    else:
        left_out = leave_out(config, fold, groups, "prior of the errors")
        sections = (_spots(fold, one.section_id, _whole(fold, one)) for one in left_out)
    return learn(sections, fold.gene_scaling[1].double().numpy(), settings)


def _as_seen(module: ExpressionModule, fold: Fold) -> Iterator[MeasuredSpots]:
    """Each training section with what the model says of it."""
    for section_id in fold.split.train:
        loader = fold.loader([section_id], module.n_hops)
        yield _spots(fold, section_id, module.predict(loader)[section_id])


def _whole(fold: Fold, left_out: LeftOut) -> Tensor:
    """What the others say of all genes of the panel, (n_spots, n_genes): the mean where none of
    them measured a gene.
    """
    predicted = left_out.predicted
    whole = fold.gene_scaling[0].to(predicted).repeat(len(predicted), 1)
    whole[:, left_out.genes] = predicted
    return whole


def _spots(fold: Fold, section_id: str, predicted: Tensor) -> MeasuredSpots:
    """All spots of a section; a gene that it did not measure has no error there."""
    prepared = fold.sections[section_id]
    image = predicted.double().numpy()
    measured = prepared.target.dense().double().numpy()
    expression = np.where(prepared.target.known, measured, image)
    return MeasuredSpots(prepared.section.pos, expression, prepared.depth, image)
