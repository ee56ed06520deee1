"""The data set of a run, read again: each section once, for all runs that are audited together."""

from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.files import digest
from hespotex.genes.panel import GenePanel
from hespotex.records.record import RunRecord
from hespotex.records.trusted import rebuild, rebuild_part
from hespotex.sections.section import Section, section_facts
from hespotex.sections.sections import Sections
from hespotex.sections.similarity import Look, look_at

Config = dict[str, Any]


class DataSet:
    """Sections as training reads them.

    Args:
        data: the `data` group of a run's config. Nothing is fetched or generated: what is not there
          is an error.

    Raises:
        InputError: the data set is not there.
    """

    def __init__(self, data: Config) -> None:
        root = Path(str(data["reader"].get("root", ".")))
        if not root.is_dir():
            raise InputError(f"the data set is not found at {root}")
        reader, genes = (rebuild({"data": data}, f"data.{name}") for name in ("reader", "genes"))
        self.sections = Sections(reader, genes, data["min_counts"], data.get("keep_gib", 4.0))
        self.keys = self.sections.keys
        self._facts: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, Look] = {}
        self._panels: dict[str, GenePanel] = {}

    def section(self, section_id: str) -> Section:
        """A section with its gene names put right, less its empty spots."""
        if section_id not in self.keys:
            raise InputError(f"section {section_id} is no longer in the data set")
        return self.sections[section_id]

    def facts(self, section_id: str) -> dict[str, Any]:
        """Group, size and hashes of a section, as they are now."""
        if section_id not in self._facts:
            self._facts[section_id] = section_facts(self.section(section_id))
        return self._facts[section_id]

    def look(self, section_id: str) -> Look:
        """What tells that two sections are one tissue."""
        if section_id not in self._looks:
            self._looks[section_id] = look_at(self.section(section_id))
        return self._looks[section_id]

    def panel(self, rule: Config, ids: list[str]) -> GenePanel:
        """The genes that this rule chooses on these sections, and on nothing else."""
        key = digest([rule, sorted(ids)])
        if key not in self._panels:
            choice = rebuild_part(rule, "data.panel")
            self._panels[key] = choice.fit([self.section(i) for i in sorted(ids)])
        return self._panels[key]


class DataSets:
    """The data sets of several runs; runs with the same reader share one."""

    def __init__(self) -> None:
        self._found: dict[str, DataSet] = {}

    def of(self, record: RunRecord) -> DataSet:
        """The run's data set, with the counts that the run has seen.

        Raises:
            InputError: it is not there, or has changed.
        """
        data = record.config["data"]
        key = digest([data[name] for name in ("reader", "genes", "min_counts")])
        if key not in self._found:
            self._found[key] = DataSet(data)
        data_set = self._found[key]
        changed = [
            i for i, facts in record.known.items() if facts["counts"] != data_set.facts(i)["counts"]
        ]
        if changed:
            raise InputError(f"the counts of {', '.join(changed)} have changed since the run")
        return data_set
