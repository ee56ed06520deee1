"""How much a spot counts in a fit, so that neither a large section nor a large patient drowns the
rest.
"""

from collections import Counter
from collections.abc import Mapping

from hespotex.common.errors import InputError

UNITS = ("spots", "sections", "groups")
KEY = "data.batching.weight"


def check_unit(unit: str | None) -> None:
    """Refuse words that are no unit."""
    if unit is not None and unit not in UNITS:
        raise InputError(f"{KEY}: expected {', '.join(UNITS)} or null, got {unit!r}")


def spot_weights(
    unit: str, sizes: Mapping[str, int], groups: Mapping[str, str]
) -> dict[str, float]:
    """Weight of a spot of each section, such that all units count alike; 1 on average over all
    spots.

    Args:
        unit: spots, sections or groups.
        sizes: spots of each section.
        groups: patient of each.
    """
    unit_of = dict.fromkeys(sizes, "") if unit == "spots" else {i: i for i in sizes}
    unit_of = unit_of if unit != "groups" else {i: groups[i] for i in sizes}
    spots: Counter[str] = Counter()
    for section_id, n in sizes.items():
        spots[unit_of[section_id]] += n
    each = sum(sizes.values()) / len(spots)
    return {i: each / spots[unit_of[i]] for i in sizes}
