"""One name for a gene that sections call differently.

Two names mean one gene where files give them one Ensembl id, or, of names for which no file has an
id, where HGNC lists them as symbol, earlier symbol or alias of one gene. Two names that stand side
by side in a section are two genes, unless their ids are equal: its annotation knew them apart.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.names.genes import Genes
from hespotex.sections.names.hgnc import hgnc
from hespotex.sections.naming import ENSEMBL, species

log = logging.getLogger(__name__)
Names = dict[str, str]
Numbers = NDArray[np.int32]
Pair = tuple[str, str]  # a name, and the Ensembl id that a list gives it, or ""
# names with an id that HGNC knows, of which this share has another one in HGNC: not of these names
ENOUGH = 50
WRONG = 0.5


@dataclass(frozen=True)
class Listing:
    """A list of genes, as numbers of pairs, and how many sections have exactly it."""

    held: Numbers
    sections: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """Names that may be of one gene.

    `pairs`: these names with the ids that lists give them; `together`: those of them that stand
    side by side in some list.
    """

    names: tuple[str, ...]
    pairs: list[Pair] = field(default_factory=list)
    together: set[tuple[Pair, ...]] = field(default_factory=set)


def common_names(sections: Mapping[str, Genes], reference: Sequence[str] = ()) -> dict[str, Names]:
    """What to rename in each section, `{section_id: {name: new name}}`; the log has the numbers.

    The name that most sections use is taken, of equally common ones the approved symbol; an
    Ensembl id only where there is no symbol.

    Args:
        sections: their genes.
        reference: names that come before all others, such as those of a model's genes.
    """
    names = _Naming(*_listings(sections), reference)
    called: dict[Pair, str] = {}
    n_apart = 0
    for family in names.families():
        changes = names.one_for_all(family)
        changes = names.by_id(family) if changes is None else changes
        n_apart += changes is None
        called.update(changes or {})
    _say(sorted({f"{new} for {old}" for (old, _), new in called.items()}), n_apart)
    changes_by_id = dict(names.changed(called))
    return dict(sorted(changes_by_id.items()))


def check_ids(section_id: str, genes: Genes) -> None:
    """Refuse Ensembl ids that are not of the names beside them.

    Raises:
        InputError: they are of another species, or most are those of other genes, as where only
          one of the two columns was sorted.
    """
    pairs = [(n, i) for n, i in genes.id_of_name().items() if i and not ENSEMBL.match(n)]
    way_out = "put the ids right, or leave them aside with data.genes.one_name=false"
    kinds = species([name for name, _ in pairs]), species([ensembl for _, ensembl in pairs])
    if all(kinds) and kinds[0] != kinds[1]:
        raise InputError(
            f"{section_id}: the names are {kinds[0]}, the Ensembl ids {kinds[1]}; {way_out}"
        )
    approved = hgnc().ids
    right = [approved[name] == ensembl for name, ensembl in pairs if approved.get(name)]
    if len(right) >= ENOUGH and np.mean(right) < WRONG:
        raise InputError(
            f"{section_id}: {sum(right)} of {len(right)} Ensembl ids are those of the names beside"
            f" them, by HGNC: were names or ids sorted by themselves? {way_out}"
        )


def _listings(sections: Mapping[str, Genes]) -> tuple[list[Pair], list[Listing]]:
    """The different pairs of name and id, and the different lists of genes; most sections of one
    reference share theirs.
    """
    same: defaultdict[Genes, list[str]] = defaultdict(list)
    for section_id in sorted(sections):
        same[sections[section_id]].append(section_id)
    number: defaultdict[Pair, int] = defaultdict(count().__next__)
    listings = []
    for genes, ids in same.items():
        numbers = (number[pair] for pair in genes.id_of_name().items())
        listings.append(Listing(np.fromiter(numbers, np.int32), tuple(ids)))
    return list(number), listings


class _Naming:
    """Which names are of one gene, and what it is to be called."""

    def __init__(
        self, pairs: Sequence[Pair], listings: Sequence[Listing], reference: Sequence[str]
    ) -> None:
        self.pairs = pairs
        self.listings = listings
        self.reference = dict.fromkeys(reference, "")
        self.votes = dict(zip(pairs, self._sections_with().tolist(), strict=True))
        self.often: Counter[str] = Counter()
        self.genes: defaultdict[str, set[str]] = defaultdict(set)
        for (name, ensembl), n_sections in self.votes.items():
            self.often[name] += n_sections
            self.genes[name] |= {ensembl} - {""}
        for name in [*self.genes, *self.reference]:
            if not self.genes[name] and (gene := hgnc().gene(name)):
                self.genes[name] = {gene}
        self.names: defaultdict[str, set[str]] = defaultdict(set)
        for name, genes in self.genes.items():
            for gene in genes:
                self.names[gene].add(name)

    def _sections_with(self) -> Numbers:
        """How many sections have each pair, (n_pairs,)."""
        n_sections = np.zeros(len(self.pairs), dtype=np.int32)
        for listing in self.listings:
            n_sections[listing.held] += len(listing.sections)
        return n_sections

    def families(self) -> list[Family]:
        """Names that are connected by genes that they mean; of two or more."""
        families = [Family(tuple(sorted(names))) for names in self._connected()]
        number = {name: i for i, family in enumerate(families) for name in family.names}
        family_of = np.array([number.get(name, -1) for name, _ in self.pairs], dtype=np.int32)
        for place in np.flatnonzero(family_of >= 0).tolist():
            families[family_of[place]].pairs.append(self.pairs[place])
        for listing in self.listings:
            for held in side_by_side(listing.held, family_of):
                pairs = tuple(sorted(self.pairs[place] for place in held))
                families[family_of[held[0]]].together.add(pairs)
        return families

    def changed(self, called: Mapping[Pair, str]) -> Iterator[tuple[str, Names]]:
        """Sections, and what is to be renamed in them; those of one listing share it."""
        new = [called.get(pair) for pair in self.pairs]
        changes = np.array([name is not None for name in new], dtype=bool)
        for listing in self.listings:
            held = listing.held[changes[listing.held]].tolist()
            change = {self.pairs[place][0]: str(new[place]) for place in held}
            if change:
                yield from ((section_id, change) for section_id in listing.sections)

    def _connected(self) -> Iterator[set[str]]:
        visited: set[str] = set()
        for gene in sorted(gene for gene, names in self.names.items() if len(names) > 1):
            if gene in visited:
                continue
            family: set[str] = set()
            new = {gene}
            while new:
                visited |= new
                family |= {name for one in new for name in self.names[one]}
                new = {one for name in family for one in self.genes[name]} - visited
            yield family

    def one_for_all(self, family: Family) -> dict[Pair, str] | None:
        """All names of the family become one; None where a section tells two of them apart."""
        preferred = [(name, "") for name in family.names if name in self.reference]
        if any(_apart(pairs) for pairs in [preferred, *family.together]):
            return None
        best = self.best(family.names, self.often)
        return {pair: best for pair in family.pairs if pair[0] != best}

    def by_id(self, family: Family) -> dict[Pair, str] | None:
        """Names with an Ensembl id become the name of that id; None where two genes of a section
        would then have one name.
        """
        name_of = self._name_ids(family)
        called = {pair: name_of.get(pair[1], pair[0]) for pair in family.pairs}
        if any(_share_a_name(pairs, called) for pairs in family.together):
            return None
        return {pair: best for pair, best in called.items() if best != pair[0]}

    def _name_ids(self, family: Family) -> Names:
        """A name for each Ensembl id, each name once; the id itself where others have its names."""
        votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for name, ensembl in family.pairs:
            votes[ensembl][name] = self.votes[name, ensembl]
        votes.pop("", None)
        called: Names = {}
        for ensembl in sorted(votes, key=lambda i: (-max(votes[i].values()), i)):
            free = set(votes[ensembl]) - set(called.values())
            called[ensembl] = self.best(free or {ensembl}, votes[ensembl])
        return called

    def best(self, names: Iterable[str], votes: Counter[str]) -> str:
        """The name to be taken, see `common_names`."""
        return min(
            names,
            key=lambda name: (
                name not in self.reference,
                ENSEMBL.match(name) is not None,
                -votes[name],
                name not in hgnc().ids,
                name,
            ),
        )


def side_by_side(held: Numbers, family_of: Numbers) -> list[list[int]]:
    """Those pairs of a list that share their family with another one, family by family.

    Args:
        held: numbers of pairs, each once.
        family_of: number of the family of each pair, (n_pairs,); -1 for none.
    """
    pairs = held[family_of[held] >= 0]
    pairs = pairs[np.argsort(family_of[pairs], kind="stable")]
    families = family_of[pairs]
    starts = np.flatnonzero(np.diff(families, prepend=-1))
    sizes = np.diff(starts, append=len(pairs))
    several = sizes > 1
    places = zip(starts[several].tolist(), sizes[several].tolist(), strict=True)
    return [pairs[start : start + size].tolist() for start, size in places]


def _apart(pairs: Sequence[Pair]) -> bool:
    """Whether these names of one list are several genes."""
    ids = {ensembl for _, ensembl in pairs}
    return len(pairs) > 1 and (len(ids) > 1 or "" in ids)


def _share_a_name(pairs: Iterable[Pair], called: Mapping[Pair, str]) -> bool:
    """Whether two genes of one list are called alike."""
    first: Names = {}
    for name, ensembl in pairs:
        gene = ensembl or name
        if first.setdefault(called[name, ensembl], gene) != gene:
            return True
    return False


def _say(joined: Sequence[str], n_apart: int) -> None:
    if joined:
        examples = ", ".join(joined[:3])
        log.info(
            "%d genes that sections name differently get one name, by Ensembl id or by HGNC's"
            " table, such as %s (data.genes.one_name)",
            len({pair.split(" for ")[0] for pair in joined}),
            examples,
        )
    if n_apart:
        log.info("%d are left apart: a section has both names", n_apart)
