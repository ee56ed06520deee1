"""The sections of a data set, read when they are asked for and kept while there is room."""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.files import digest
from hespotex.common.progress import progress
from hespotex.sections.gene_names import GeneNames
from hespotex.sections.ids import by_id
from hespotex.sections.names.genes import Genes
from hespotex.sections.names.one_name import Names, check_ids, common_names
from hespotex.sections.section import Reader, Section, SectionKey
from hespotex.sections.stored import Origin, SectionStore

log = logging.getLogger(__name__)


class Sections:
    """Reads sections, puts gene names right and drops spots without a measurement.

    The counts of the sections that were used last stay in memory up to `keep_gib`; the others go
    to the store, or are read again when they are needed, so that a data set may be larger than the
    memory.

    Args:
        reader: the data set.
        genes: puts gene names right; None for its defaults.
        min_counts: spots with fewer counts in all are dropped: there is nothing to learn or to
          score.
        keep_gib: memory for counts, in GiB.
        store: where sections that do not fit in memory are kept; None reads them again. Of readers
          that tell by `made_from` what a section is made from.

    `overflows`: whether a section was let go for want of room.
    """

    def __init__(
        self,
        reader: Reader,
        genes: GeneNames | None = None,
        min_counts: int = 25,
        keep_gib: float = 4.0,
        store: SectionStore | None = None,
    ) -> None:
        if keep_gib < 0:
            raise InputError(f"data.keep_gib: expected 0 or more, got {keep_gib}")
        self.reader = reader
        self.names = genes or GeneNames()
        self.min_counts = min_counts
        self.keys: dict[str, SectionKey] = keys_by_id(reader.section_keys())
        self.store = store
        self.overflows = False
        self._room = keep_gib * 2**30
        self._kept: OrderedDict[str, Section] = OrderedDict()
        self._reference: tuple[str, ...] = ()
        self._common: dict[str, Names] | None = None
        self._hashes: dict[str, str] = {}  # of it
        self._wrong: dict[str, InputError] = {}

    def __getitem__(self, section_id: str) -> Section:
        if section_id in self._kept:
            self._kept.move_to_end(section_id)
            return self._kept[section_id]
        stored = self._stored(section_id)
        if stored is None:
            return self.measured(self.named(section_id))
        self._keep(stored)
        return stored

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

    def measured(self, raw: Section) -> Section:
        """Such a section less its empty spots, kept while there is room."""
        section = raw.measured_spots(self.min_counts)
        self._keep(section)
        return section

    def origins(self) -> list[list[Any]] | None:
        """What each section is made from, as it is now; None where that is not known of all."""
        tell = getattr(self.reader, "made_from", None)
        if tell is None:
            return None
        try:
            origins = [tell(section_id) for section_id in self.keys]
            return [one.stamp() for one in origins] if all(origins) else None
        except Exception:  # whatever is wrong is said where the section is read
            return None

    def of(self, section_ids: Sequence[str]) -> "SectionList":
        """These sections, in this order, each read when it is looked at."""
        return SectionList(self, section_ids)

    def _common_names(self) -> dict[str, Names]:
        """What to rename in each section, so that a gene has one name in all of them."""
        if self._common is None:
            reference = [*self._reference, *self.names.aliases.values()]
            self._common = common_names(self._genes(), reference)
            different = {id(names): names for names in self._common.values()}
            hash_of = {number: digest(names) for number, names in different.items()}
            self._hashes = {i: hash_of[id(names)] for i, names in self._common.items()}
        return self._common

    def _genes(self) -> dict[str, Genes]:
        """Of the sections whose reader tells them without the counts."""
        tell = getattr(self.reader, "genes", None)
        genes_by_id: dict[str, Genes] = {}
        sound: dict[Genes, Genes] = {}  # sections of one list share it
        if tell is None or not self.names.one_name:
            return genes_by_id
        for section_id in progress(list(self.keys), "genes", "sections"):
            try:
                genes: Genes = tell(section_id)
            except InputError:  # said where the section is read
                continue
            try:
                if genes not in sound:
                    check_ids(section_id, genes)
                    sound[genes] = genes.called(map(self.names.rename, genes.names))
            except InputError as error:
                self._wrong[section_id] = error
                continue
            genes_by_id[section_id] = sound[genes]
        return genes_by_id

    def _keep(self, section: Section) -> None:
        """Remember a section; those that were used longest ago are let go when there is no room."""
        self._kept[section.section_id] = section
        while self._kept and sum(counts_bytes(held) for held in self._kept.values()) > self._room:
            _, let_go = self._kept.popitem(last=False)
            self.overflows = True
            place = self._place(let_go.section_id)
            if self.store and place:
                self.store.save(place[0], let_go, place[1])

    def _stored(self, section_id: str) -> Section | None:
        place = self._place(section_id)
        return self.store.load(place[0], self.keys[section_id]) if self.store and place else None

    def _place(self, section_id: str) -> tuple[Path, list[Any]] | None:
        """File of the store, and what the section is made from; None where that is not known."""
        tell = getattr(self.reader, "made_from", None)
        self._common_names()
        if self.store is None or tell is None or section_id in self._wrong:
            return None
        origin: Origin | None = tell(section_id)
        if origin is None or not all(path.is_file() for path in origin.files):
            return None
        names = self.names.identity(), self._hashes.get(section_id)
        identity = [origin.identity(), *names, self.min_counts]
        return self.store.path(section_id, identity), identity


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
