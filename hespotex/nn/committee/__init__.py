"""A committee of linear regressions, its settings and shares chosen on left-out training parts.

Nothing is tuned on a test section, and no spot is looked at twice: everything is read off sums of
the inputs and targets. How a model uses it::

    committee = Committee([Source("histology", (107, 107))], gene_std)
    parts = part_names({section_id: group, ...})  # None for a single section
    for each section, whole or in blocks that follow one another:
        x = committee_inputs(image_embedding, edge_index)[inner]  # (n, 3 * d_image)
        committee.add(section_id, parts[section_id], RidgeSums.of(x, ...))
        # a single section: one such call for the spots of each of its `quarters`
    fitted = committee.fit()
    expression = gene_mean + committee_inputs(...) @ fitted.weight + fitted.bias
"""

from hespotex.nn.committee.centred import Centred, Principal, standardised
from hespotex.nn.committee.fit import PENALTIES, Committee, Fitted
from hespotex.nn.committee.members import (
    MOST_PARTS,
    RANKS,
    Chosen,
    Member,
    Source,
    committee_inputs,
    members_of,
    part_names,
    quarters,
)
from hespotex.nn.committee.mixture import mixed, second_share
from hespotex.nn.committee.shares import Forms, shares_of

__all__ = [
    "MOST_PARTS",
    "PENALTIES",
    "RANKS",
    "Centred",
    "Chosen",
    "Committee",
    "Fitted",
    "Forms",
    "Member",
    "Principal",
    "Source",
    "committee_inputs",
    "members_of",
    "mixed",
    "part_names",
    "quarters",
    "second_share",
    "shares_of",
    "standardised",
]
