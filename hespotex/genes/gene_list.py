"""A gene panel that is given, not chosen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.typed_paths import typed_path
from hespotex.common.user_table import read_user_text
from hespotex.genes.candidates import ALL, candidates, check_markers
from hespotex.genes.panel import GenePanel
from hespotex.sections.section import Section

QUOTES = "\"',; \t\u00a0"  # around a name, as spreadsheets leave them


@dataclass(frozen=True)
class GeneList:
    """The genes of a list, in its order.

    Args:
        genes: the list itself.
        path: or a file: JSON `{"genes": [...]}` or `[...]`, or text with one gene a line.
        markers: genes whose maps are drawn; they must be in the list.
        measured_in: the training sections that must have measured each, see `candidates`.
    """

    genes: list[str] | None = None
    path: str | None = None
    markers: list[str] = field(default_factory=list)
    measured_in: str | float = ALL
    sees_all_sections = False

    def fit(self, sections: Sequence[Section]) -> GenePanel:
        """The list, checked against what the training sections measured."""
        genes = list(dict.fromkeys(self.listed()))
        measured = candidates(sections, self.measured_in)
        check_markers(genes, measured, f"data.panel.{'path' if self.path else 'genes'}")
        check_markers(self.markers, genes)
        return GenePanel(genes, [])

    def listed(self) -> list[str]:
        """The names as they are given, not checked against any section."""
        if bool(self.genes) == bool(self.path):
            raise InputError(
                "expected either data.panel.genes=[A,B] or data.panel.path=FILE, found both or"
                " neither"
            )
        listed = _names(
            self.genes or _read(typed_path(str(self.path))), self.path or "data.panel.genes"
        )
        if len(set(listed)) < 2:
            raise InputError(
                f"the gene panel needs two genes or more, found {listed}"
                f" ({self.path or 'data.panel.genes'})"
            )
        return listed


def _read(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"gene list not found: {path}; set data.panel.path=FILE")
    text = read_user_text(path, "data.panel.path")
    if path.suffix.lower() != ".json":
        return [name for line in text.splitlines() if (name := line.strip().strip(QUOTES).strip())]
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    genes = content.get("genes") if isinstance(content, dict) else content
    if not isinstance(genes, list) or not all(isinstance(gene, str) for gene in genes):
        raise InputError(
            f'{path}: expected {{"genes": [...]}} or a list of names, found {str(content)[:80]}'
        )
    return [gene.strip() for gene in genes]


def _names(listed: Sequence[Any], where: str) -> list[str]:
    """The genes as text.

    Raises:
        InputError: something in the list is no name.
    """
    if wrong := [gene for gene in listed if not _is_name(gene)]:
        raise InputError(f"{where}: expected names of genes, found {wrong[0]!r}")
    return [str(gene) for gene in listed]


def _is_name(gene: Any) -> bool:
    return bool(str(gene).strip()) and isinstance(gene, str | int) and not isinstance(gene, bool)
