"""What gene names tell of a section: their kind and the species; a run may hold one of each."""

import logging
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from typing import TypeVar

import numpy as np

from hespotex.common.errors import InputError

log = logging.getLogger(__name__)
T = TypeVar("T")

ENSEMBL = re.compile(r"^ENS[A-Z]*G\d{6,}")  # a gene id of any species
HUMAN_SYMBOL = re.compile(r"^[A-Z][A-Z0-9.-]*(orf\d+)?$")
MOUSE_SYMBOL = re.compile(r"^[A-Z0-9][a-z0-9]*[a-z][A-Za-z0-9.-]*$")
# as 10x has them in a reference of two species
HUMAN_PREFIX = re.compile(r"^(GRCh38|hg38|hg19)_+")
MOUSE_PREFIX = re.compile(r"^(GRCm39|GRCm38|mm39|mm10)_+")
# fewer names, or a smaller share of one kind, give no verdict
MIN_NAMES = 10
MOST = 0.7
BOTH = 0.2  # of the names, at least, of each of two species in one section


def naming(names: Sequence[str]) -> str | None:
    """Whether most names are "Ensembl ids" or "symbols"; None for too few names."""
    ids = [ENSEMBL.match(name) is not None for name in names]
    return None if len(ids) < MIN_NAMES else "Ensembl ids" if np.mean(ids) > 0.5 else "symbols"


def species(names: Sequence[str]) -> str | None:
    """Whether the names are "human" (ENSG, ERBB2) or "mouse" (ENSMUSG, Erbb2); None where that is
    not clear.
    """
    if naming(names) == "Ensembl ids":
        human, mouse = (
            [name.startswith(prefix) for name in names] for prefix in ("ENSG0", "ENSMUSG0")
        )
    else:
        symbols = [name for name in names if not ENSEMBL.match(name)]
        human, mouse = (
            [p.match(name) is not None for name in symbols] for p in (HUMAN_SYMBOL, MOUSE_SYMBOL)
        )
    if len(human) < MIN_NAMES:
        return None
    return "human" if np.mean(human) > MOST else "mouse" if np.mean(mouse) > MOST else None


def two_species(names: Sequence[str]) -> bool:
    """Whether genes of human and of mouse stand side by side, as in a xenograft."""
    return all(
        sum(map(kind, names)) >= max(MIN_NAMES, BOTH * len(names)) for kind in (_human, _mouse)
    )


def _human(name: str) -> bool:
    if ENSEMBL.match(name):
        return name.startswith("ENSG0")
    return bool(HUMAN_PREFIX.match(name) or HUMAN_SYMBOL.match(name))


def _mouse(name: str) -> bool:
    if ENSEMBL.match(name):
        return name.startswith("ENSMUSG")
    prefixed = not HUMAN_PREFIX.match(name) and MOUSE_SYMBOL.match(name)
    return bool(MOUSE_PREFIX.match(name) or prefixed)


def _are_numbers(names: Sequence[str]) -> bool:
    """Whether the names are 0, 1, 2, ...: anndata gives these where it is given none."""
    return len(names) >= MIN_NAMES and set(names) == set(map(str, range(len(names))))


def check_names(names: Mapping[str, Sequence[str]]) -> None:
    """Refuse a run whose sections, given as `{section_id: gene names}`, have no names, or are of
    two species or two namings.

    Raises:
        InputError: naming the sections of each kind.
    """
    one = "set data.reader.sections to those of one kind"
    if lost := sorted(i for i, numbers in _verdicts(names, _are_numbers).items() if numbers):
        raise InputError(
            f"genes of {', '.join(lost[:8])} are named 0, 1, 2, ...: their names are lost; write"
            " the files anew with adata.var_names = SYMBOLS"
        )
    if mixed := sorted(i for i, two in _verdicts(names, two_species).items() if two):
        raise InputError(
            f"genes of human and mouse stand side by side in {', '.join(mixed[:8])}; leave those of"
            " one species out of the files, or set data.reader.sections to others"
        )
    if len(kinds := _by_kind(_verdicts(names, species))) > 1:
        raise InputError(
            f"species are mixed, by the gene names: {_listed(kinds)}; {one}, "
            "or name orthologues alike with data.genes.aliases=FILE.csv (columns alias,symbol)"
        )
    if len(kinds := _by_kind(_verdicts(names, naming))) > 1:
        raise InputError(
            f"gene names are of two kinds: {_listed(kinds)}; translate them with"
            " data.genes.aliases=FILE.csv (columns alias,symbol: one line for each Ensembl id), or"
            f" {one}"
        )


def _by_kind(verdicts: Mapping[str, str | None]) -> dict[str, list[str]]:
    kinds = sorted({kind for kind in verdicts.values() if kind})
    return {kind: sorted(i for i, verdict in verdicts.items() if verdict == kind) for kind in kinds}


def _listed(kinds: Mapping[str, list[str]]) -> str:
    texts = {
        kind: ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        for kind, ids in kinds.items()
    }
    return "; ".join(f"{kind} in {ids}" for kind, ids in texts.items())


def log_overlap(names: Mapping[str, Sequence[str]], training: Sequence[str]) -> None:
    """Tell for each section how many genes it has, and how many of those that all training sections
    share.
    """
    shared = reduce(operator.and_, (set(genes) for genes in _lists(names[i] for i in training)))
    in_shared = {id(genes): len(shared & set(genes)) for genes in _lists(names.values())}
    for section_id, genes in names.items():
        log.info(
            "%s: %d genes, %d of the %d shared by training",
            section_id,
            len(genes),
            in_shared[id(genes)],
            len(shared),
        )


def _lists(lists: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
    """Each of these once: many sections share one."""
    return {id(genes): genes for genes in lists}.values()


def _verdicts(
    names: Mapping[str, Sequence[str]], judge: Callable[[Sequence[str]], T]
) -> dict[str, T]:
    """What is said of the genes of each section."""
    found = {id(genes): _verdict(judge, tuple(genes)) for genes in _lists(names.values())}
    return {section_id: found[id(genes)] for section_id, genes in names.items()}


@lru_cache(maxsize=64)
def _verdict(judge: Callable[[Sequence[str]], T], names: tuple[str, ...]) -> T:
    """The folds of a sweep ask for the same sections again."""
    return judge(names)
