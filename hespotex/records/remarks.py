"""What somebody has told of a model when it was packed: tissue, source of the data, licence."""

from collections.abc import Sequence
from pathlib import Path

from hespotex.common.files import read_json
from hespotex.common.shapes import check_shape
from hespotex.records.layout import BUNDLE, home_of

REMARKS = {
    "tissue": "what it was trained on, such as HER2-positive breast cancer",
    "source": "where the data is from, and its licence",
    "licence": "under which the weights are given away",
}


def remarks_of(checkpoints: Sequence[Path]) -> dict[str, str]:
    """The words of `REMARKS` that a bundle has, by its checkpoints; none of anything else.

    Raises:
        InputError: they are no text.
    """
    facts = home_of(checkpoints[0]).parent.parent / BUNDLE
    if not facts.is_file():
        return {}
    stored = read_json(facts, "pack the bundle again")
    remarks = {name: stored[name] for name in REMARKS if stored.get(name)}
    check_shape(remarks, dict.fromkeys(remarks, str), str(facts))
    return remarks
