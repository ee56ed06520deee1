"""The sections of a data set, read when they are asked for and kept while there is room."""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import overload

from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.progress import progress
from hespotex.sections.gene_names import GeneNames
from hespotex.sections.ids import by_id
from hespotex.sections.names.genes import Genes
from hespotex.sections.names.one_name import Names, check_ids, common_names
from hespotex.sections.section import Reader, Section, SectionKey

log = logging.getLogger(__name__)


class Sections:
    """Reads sections, puts gene names right and drops spots without a measurement.

    The counts of the sections that were used last stay in memory up to `keep_gib`; the others are
    read again when they are needed, so that a data set may be larger than the memory.

    Args:
        reader: the data set.
        genes: puts gene names right; None for its defaults.
        min_counts: spots with fewer counts in all are dropped: there is nothing to learn or to
          score.
        keep_gib: memory for counts, in GiB.
    """

    def __init__(
        self,
        reader: Reader,
        genes: GeneNames | None = None,
        min_counts: int = 25,
        keep_gib: float = 4.0,
    ) -> None:
        if keep_gib < 0:
            raise InputError(f"data.keep_gib: expected 0 or more, got {keep_gib}")
        self.reader = reader
        self.names = genes or GeneNames()
        self.min_counts = min_counts
        self.keys: dict[str, SectionKey] = keys_by_id(reader.section_keys())
        self._room = keep_gib * 2**30
        self._kept: OrderedDict[str, Section] = OrderedDict()
        self._reference: tuple[str, ...] = ()
        self._common: dict[str, Names] | None = None
        self._wrong: dict[str, InputError] = {}

    def __getitem__(self, section_id: str) -> Section:
        if section_id in self._kept:
            self._kept.move_to_end(section_id)
            return self._kept[section_id]
        return self.measured(self.named(section_id))

    def named(self, section_id: str) -> Section:
        """A section with its gene names put right, its empty spots included.

        Raises:
            InputError: it cannot be read, or its Ensembl ids are not of the names beside them.
        """
        common = self._common_names()
        if section_id in self._wrong:
            raise self._wrong[section_id]
        return self.names(self.reader.read(section_id), common.get(section_id))

    def call_as(self, genes: Sequence[str]) -> None:
        """From now on, where sections have another name for one of these genes, it gets this
        one.
        """
        self._reference = tuple(genes)
        self._common = None
        self._kept.clear()

    def measured(self, named: Section) -> Section:
        """Such a section less its empty spots, kept while there is room."""
        section = named.measured_spots(self.min_counts)
        self._keep(section)
        return section

    def of(self, section_ids: Sequence[str]) -> "SectionList":
        """These sections, in this order, each read when it is looked at."""
        return SectionList(self, section_ids)

    def _common_names(self) -> dict[str, Names]:
        """What to rename in each section, so that a gene has one name in all of them."""
        if self._common is None:
            reference = [*self._reference, *self.names.aliases.values()]
            self._common = common_names(self._genes(), reference)
        return self._common

    def _genes(self) -> dict[str, Genes]:
        """Of the sections whose reader tells them without the counts."""
        tell = getattr(self.reader, "genes", None)
        found: dict[str, Genes] = {}
        if tell is None or not self.names.one_name:
            return found
        for section_id in progress(list(self.keys), "genes", "sections"):
            try:
                genes: Genes = tell(section_id)
            except InputError:  # said where the section is read
                continue
            try:
                check_ids(section_id, genes)
            except InputError as error:
                self._wrong[section_id] = error
                continue
            found[section_id] = genes.called(map(self.names.rename, genes.names))
        return found

    def _keep(self, section: Section) -> None:
        """Remember a section; those that were used longest ago are let go when there is no room."""
        self._kept[section.section_id] = section
        while self._kept and sum(counts_bytes(kept) for kept in self._kept.values()) > self._room:
            self._kept.popitem(last=False)


class SectionList(Sequence[Section]):
    """Some sections of a data set; a section is in memory only while it is looked at or kept.

    Args:
        sections: of the data set.
        section_ids: which ones, in their order.
    """

    def __init__(self, sections: Sections, section_ids: Sequence[str]) -> None:
        self.sections = sections
        self.section_ids = list(section_ids)

    def __len__(self) -> int:
        return len(self.section_ids)

    @overload
    def __getitem__(self, place: int) -> Section: ...

    @overload
    def __getitem__(self, place: slice) -> "SectionList": ...

    def __getitem__(self, place: int | slice) -> "Section | SectionList":
        if isinstance(place, slice):
            return SectionList(self.sections, self.section_ids[place])
        return self.sections[self.section_ids[place]]

    def __iter__(self) -> Iterator[Section]:
        return (self.sections[section_id] for section_id in self.section_ids)


def counts_bytes(section: Section) -> int:
    """Memory that the counts of a section take, in bytes."""
    counts = sparse.csr_matrix(section.adata.X)
    return int(counts.data.nbytes + counts.indices.nbytes + counts.indptr.nbytes)


def keys_by_id(keys: Sequence[SectionKey]) -> dict[str, SectionKey]:
    """The keys of a reader by id.

    Raises:
        InputError: two sections of one id.
    """
    pairs = ((key.section_id, key) for key in keys)
    return by_id(pairs, "sections of data.reader", "give each section an id of its own")
