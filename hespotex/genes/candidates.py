"""Which genes enough of the sections measured, and names that are not among them."""

import difflib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.section import Section

ALL = "all"
MEASURED_IN = "data.panel.measured_in"
LEAST = re.compile(r"\s*(?P<number>\d+(\.\d*)?|\.\d+)(\s+(?P<unit>sections|groups))?\s*")


def shared_genes(sections: Sequence[Section]) -> list[str]:
    """Genes that all sections measured, sorted.

    Raises:
        InputError: none is shared.
    """
    shared: set[str] | None = None
    examples: dict[str, str] = {}
    for section in sections:
        names = {str(gene) for gene in section.adata.var_names}
        shared = names if shared is None else shared & names
        if len(examples) < 3:
            examples[section.section_id] = str(section.adata.var_names[0])
    if not shared:
        raise InputError(
            f"the training sections share no gene name (first names: {examples}): symbols in one,"
            " Ensembl ids in another?"
        )
    return sorted(shared)


def candidates(sections: Sequence[Section], measured_in: str | float) -> list[str]:
    """Genes that enough of the sections measured, sorted.

    Args:
        sections: that train.
        measured_in: `all` of them; a number of them, such as 3; a share of them, such as 0.5; or
          either of their groups, such as `2 groups`.

    Raises:
        InputError: none is, or words that say neither.
    """
    if str(measured_in).strip().lower() == ALL:
        return shared_genes(sections)
    least, unit = _least(measured_in)
    units_with = _groups_with if unit == "groups" else _sections_with
    n_units, measured = units_with(sections)
    n_needed = least if least >= 1 else max(1, math.ceil(least * n_units - 1e-9))
    genes = sorted(gene for gene, n in measured.items() if n >= n_needed)
    if not genes:
        raise InputError(
            f"{MEASURED_IN}={measured_in}: no gene was measured in {n_needed:g} of the {n_units}"
            f" training {unit}; lower it"
        )
    return genes


def _sections_with(sections: Sequence[Section]) -> tuple[int, Counter[str]]:
    """Number of sections, and of those that measured each gene."""
    measured: Counter[str] = Counter()
    n_sections = 0
    for section in sections:
        measured.update(set(section.adata.var_names))
        n_sections += 1
    return n_sections, measured


def _groups_with(sections: Sequence[Section]) -> tuple[int, Counter[str]]:
    """Number of groups, and of those that measured each gene."""
    number: defaultdict[str, int] = defaultdict(count().__next__)
    genes: dict[str, NDArray[np.int32]] = {}
    for section in sections:
        own = np.fromiter((number[str(gene)] for gene in section.adata.var_names), np.int32)
        group = section.key.group
        genes[group] = np.union1d(genes.get(group, own[:0]), own)
    measured = np.zeros(len(number), dtype=np.int64)
    for held in genes.values():
        measured[held] += 1
    return len(genes), Counter(dict(zip(number, measured.tolist(), strict=True)))


def _least(measured_in: str | float) -> tuple[float, str]:
    """Number or share, and of what."""
    match = LEAST.fullmatch(str(measured_in))
    number = float(match["number"]) if match else 0.0
    if match is None or number <= 0 or (number > 1 and number % 1):
        raise InputError(
            f"{MEASURED_IN}: expected all, a number of training sections such as 3, a share of them"
            f" such as 0.5, or '2 groups', found {measured_in!r}"
        )
    return number, match["unit"] or "sections"


def measured_of(section: Section, genes: Sequence[str]) -> NDArray[np.bool_]:
    """Which of these genes a section measured, (n_genes,)."""
    return np.asarray(section.adata.var_names.get_indexer(list(genes)) >= 0)


def check_markers(
    markers: Sequence[str], genes: Sequence[str], config_key: str = "data.panel.markers"
) -> None:
    """Refuse names that are not among `genes`, with the nearest that are, whatever their case."""
    available = set(genes)
    unknown = [marker for marker in markers if marker not in available]
    near = _near(unknown, genes)
    if unknown:
        hints = "; ".join(f"{m} (near: {', '.join(names) or 'none'})" for m, names in near.items())
        raise InputError(f"{config_key}: not among the genes that can be predicted: {hints}")


def _near(unknown: Sequence[str], genes: Sequence[str]) -> dict[str, list[str]]:
    """By unknown name up to three of `genes` that are like it; upper and lower case are one."""
    by_upper = {gene.upper(): gene for gene in genes}
    matches = {
        name: difflib.get_close_matches(name.upper(), list(by_upper), n=3, cutoff=0.6)
        for name in unknown
    }
    return {name: [by_upper[upper] for upper in near] for name, near in matches.items()}
