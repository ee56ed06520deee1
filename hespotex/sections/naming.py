"""What gene names tell of a section: their kind and the species; a run may hold one of each."""

import logging
import re
from collections.abc import Mapping, Sequence

import numpy as np

from hespotex.common.errors import InputError

log = logging.getLogger(__name__)

ENSEMBL = re.compile(r"^ENS[A-Z]*G\d{6,}")  # a gene id of any species
HUMAN_SYMBOL = re.compile(r"^[A-Z][A-Z0-9.-]*(orf\d+)?$")
MOUSE_SYMBOL = re.compile(r"^[A-Z0-9][a-z0-9]*[a-z][A-Za-z0-9.-]*$")
# fewer names, or a smaller share of one kind, give no verdict
MIN_NAMES = 10
MOST = 0.7


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


def check_names(names: Mapping[str, Sequence[str]]) -> None:
    """Refuse a run whose sections, given as `{section_id: gene names}`, are of two species or two
    namings.

    Raises:
        InputError: naming the sections of each kind.
    """
    one = "set data.reader.sections to those of one kind"
    if len(kinds := _by_kind({i: species(genes) for i, genes in names.items()})) > 1:
        raise InputError(
            f"species are mixed, by the gene names: {_listed(kinds)}; {one}, "
            "or name orthologues alike with data.genes.aliases=FILE.csv (columns alias,symbol)"
        )
    if len(kinds := _by_kind({i: naming(genes) for i, genes in names.items()})) > 1:
        raise InputError(
            f"gene names are of two kinds: {_listed(kinds)}; translate them with"
            " data.genes.aliases=FILE.csv (columns alias,symbol: one line for each Ensembl id), or"
            f" {one}"
        )


def _by_kind(verdicts: Mapping[str, str | None]) -> dict[str, list[str]]:
    kinds = sorted({kind for kind in verdicts.values() if kind})
    return {kind: sorted(i for i, verdict in verdicts.items() if verdict == kind) for kind in kinds}


def _listed(kinds: Mapping[str, list[str]]) -> str:
    shown = {
        kind: ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        for kind, ids in kinds.items()
    }
    return "; ".join(f"{kind} in {ids}" for kind, ids in shown.items())


def log_overlap(names: Mapping[str, Sequence[str]], training: Sequence[str]) -> None:
    """Tell for each section how many genes it has, and how many of those that all training sections
    share.
    """
    shared = set.intersection(*(set(names[i]) for i in training))
    for section_id, genes in names.items():
        log.info(
            "%s: %d genes, %d of the %d shared by training",
            section_id,
            len(genes),
            len(shared & set(genes)),
            len(shared),
        )
