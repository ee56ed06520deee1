"""Can sections or patients be read off the embeddings that are in the store?"""

import logging
from collections.abc import Mapping

from hespotex.batches.fold import Recipe
from hespotex.embeddings.embed import embed_section, is_filled
from hespotex.embeddings.levels import TrainingScale
from hespotex.embeddings.probe import ReadOff, probe
from hespotex.embeddings.rows import Embeddings, ImageRows
from hespotex.sections.section import Section

log = logging.getLogger(__name__)


def probe_stored(sections: Mapping[str, Section], recipe: Recipe) -> ReadOff:
    """What `probe` says of the sections whose embeddings are in the store, standardised as for a
    model; nothing where fewer than two are there.

    Nothing is encoded. With data.inputs.standardize=training all of them stand for the training
    sections.
    """
    stored = [
        section.without_counts()
        for section in sections.values()
        if is_filled(section, recipe.encoder, None, recipe.store)
    ]
    if len(stored) < 2:
        return {}
    own = {one.section_id: embed_section(one, recipe.encoder, recipe.store) for one in stored}
    groups = {one.section_id: one.key.group for one in stored}
    training = _training(own, stored, groups) if recipe.inputs.standardize == "training" else None
    rows = {i: ImageRows(rows, recipe.inputs.scale(rows, training)) for i, rows in own.items()}
    return probe(rows, groups)


def _training(
    own: Mapping[str, Embeddings], stored: list[Section], groups: Mapping[str, str]
) -> TrainingScale:
    return TrainingScale.fit(own, {one.section_id: one.pos for one in stored}, groups)
