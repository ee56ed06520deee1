"""The sections of a data set with their counts, each read once."""

from collections.abc import Sequence

from hespotex.data.gene_names import GeneNames
from hespotex.data.readers.ids import by_id
from hespotex.data.section import Reader, Section, SectionKey


class Sections:
    """Reads sections, puts gene names right and drops spots without a measurement.

    Args:
        reader: the data set.
        genes: puts gene names right; None for its defaults.
        min_counts: spots with fewer counts in all are dropped: there is nothing to learn from or to score.
        keep: hold all counts in memory, for the next fold; else `release` lets them go.
    """

    def __init__(self, reader: Reader, genes: GeneNames | None = None, min_counts: int = 25, keep: bool = False) -> None:
        self.reader, self.names, self.min_counts, self.keep = reader, genes or GeneNames(), min_counts, keep
        self.keys: dict[str, SectionKey] = keys_by_id(reader.section_keys())
        self._read: dict[str, Section] = {}

    def __getitem__(self, section_id: str) -> Section:
        if section_id not in self._read:
            self._read[section_id] = self.names(self.reader.read(section_id)).measured_spots(self.min_counts)
        return self._read[section_id]

    def release(self) -> None:
        """Let the counts go, unless they are kept."""
        if not self.keep:
            self._read.clear()


def keys_by_id(keys: Sequence[SectionKey]) -> dict[str, SectionKey]:
    """The keys of a reader by id.

    Raises:
        InputError: two sections of one id.
    """
    pairs = ((key.section_id, key) for key in keys)
    return by_id(pairs, "sections of data.reader", "give each section an id of its own")
