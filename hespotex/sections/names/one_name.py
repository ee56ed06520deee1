"""One name for a gene that sections call differently.

Two names mean one gene where files give them one Ensembl id, or, of names for which no file has an
id, where HGNC lists them as symbol, earlier symbol or alias of one gene. Two names that stand side
by side in a section are two genes, unless their ids are equal: its annotation knew them apart.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hespotex.common.errors import InputError
from hespotex.sections.names.genes import Genes
from hespotex.sections.names.hgnc import hgnc
from hespotex.sections.naming import ENSEMBL, species

log = logging.getLogger(__name__)
Names = dict[str, str]
# names with an id that HGNC knows, of which this share has another one in HGNC: not of these names
ENOUGH = 50
WRONG = 0.5


@dataclass(frozen=True)
class Listing:
    """A list of genes, `{name: Ensembl id or ""}`, and the sections that have exactly it."""

    genes: Names
    sections: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """Names that may be of one gene, and those of them that each listing, given by its number, has,
    where it has some.
    """

    names: tuple[str, ...]
    held: list[tuple[int, Names]] = field(default_factory=list)


def common_names(sections: Mapping[str, Genes], reference: Sequence[str] = ()) -> dict[str, Names]:
    """What to rename in each section, `{section_id: {name: new name}}`; the log has the numbers.

    The name that most sections use is taken, of equally common ones the approved symbol; an
    Ensembl id only where there is no symbol.

    Args:
        sections: their genes.
        reference: names that come before all others, such as those of a model's genes.
    """
    names = _Naming(_listings(sections), reference)
    changed: list[Names] = [{} for _ in names.listings]
    joined: list[str] = []
    n_apart = 0
    for family in names.families():
        changes = names.one_for_all(family) or names.by_id(family)
        n_apart += changes is None
        for (number, _), change in zip(family.held, changes or [], strict=False):
            changed[number].update(change)
            joined += [f"{new} for {old}" for old, new in change.items()]
    _say(sorted(set(joined)), n_apart)
    # sections of one listing share what is to be renamed
    pairs = zip(names.listings, changed, strict=True)
    changes_by_id = {i: change for listing, change in pairs if change for i in listing.sections}
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


def _listings(sections: Mapping[str, Genes]) -> list[Listing]:
    """The different lists of genes; most sections of one reference share theirs."""
    same: defaultdict[Genes, list[str]] = defaultdict(list)
    for section_id in sorted(sections):
        same[sections[section_id]].append(section_id)
    return [Listing(genes.id_of_name(), tuple(ids)) for genes, ids in same.items()]


class _Naming:
    """Which names are of one gene, and what it is to be called."""

    def __init__(self, listings: Sequence[Listing], reference: Sequence[str]) -> None:
        self.listings = listings
        self.reference = dict.fromkeys(reference, "")
        self.often: Counter[str] = Counter()
        self.genes: defaultdict[str, set[str]] = defaultdict(set)
        for listing in listings:
            self.often.update(dict.fromkeys(listing.genes, len(listing.sections)))
            for name, ensembl in listing.genes.items():
                self.genes[name] |= {ensembl} - {""}
        for name in [*self.genes, *self.reference]:
            if not self.genes[name] and (gene := hgnc().gene(name)):
                self.genes[name] = {gene}
        self.names: defaultdict[str, set[str]] = defaultdict(set)
        for name, genes in self.genes.items():
            for gene in genes:
                self.names[gene].add(name)

    def families(self) -> list[Family]:
        """Names that are connected by genes that they mean; of two or more."""
        families = [Family(tuple(sorted(names))) for names in self._connected()]
        number = {name: i for i, family in enumerate(families) for name in family.names}
        for place, listing in enumerate(self.listings):
            members: defaultdict[int, Names] = defaultdict(dict)
            for name in sorted(listing.genes.keys() & number.keys()):
                members[number[name]][name] = listing.genes[name]
            for i, held in members.items():
                families[i].held.append((place, held))
        return families

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

    def one_for_all(self, family: Family) -> list[Names] | None:
        """All names of the family become one; None where a section tells two of them apart."""
        preferred = {name: "" for name in family.names if name in self.reference}
        if any(_apart(names) for names in [preferred, *(names for _, names in family.held)]):
            return None
        best = self.best(family.names, self.often)
        return [{name: best for name in names if name != best} for _, names in family.held]

    def by_id(self, family: Family) -> list[Names] | None:
        """Names with an Ensembl id become the name of that id; None where two genes of a section
        would then have one name.
        """
        called = self._name_ids(family)
        changes = []
        for _, ids in family.held:
            new = {name: called.get(ensembl, name) for name, ensembl in ids.items()}
            if _share_a_name(ids, new):
                return None
            changes.append({name: best for name, best in new.items() if best != name})
        return changes

    def _name_ids(self, family: Family) -> Names:
        """A name for each Ensembl id, each name once; the id itself where others have its names."""
        votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for place, ids in family.held:
            for name, ensembl in ids.items():
                votes[ensembl][name] += len(self.listings[place].sections)
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


def _apart(ids: Names) -> bool:
    """Whether these names of one list are several genes."""
    return len(ids) > 1 and (len(set(ids.values())) > 1 or "" in ids.values())


def _share_a_name(ids: Names, called: Names) -> bool:
    """Whether two genes of one list are called alike."""
    first: Names = {}
    for name, new in called.items():
        ensembl = ids[name] or name
        if first.setdefault(new, ensembl) != ensembl:
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
