"""Named subsets of the panel that scores are also given for; chosen on training sections, like the
panel itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.genes.candidates import ALL, candidates
from hespotex.genes.panel import GenePanel, HighlyVariableGenes
from hespotex.genes.ranks import HighestMeanGenes, SpatialGenes
from hespotex.sections.section import Section

RULES = {
    "mean50": HighestMeanGenes(50),
    "hvg50": HighlyVariableGenes(50),
    "moran20": SpatialGenes(20),
}


@dataclass(frozen=True)
class GeneSets:
    """`sets`: the best 50 genes of the panel by mean, the best 50 by variance beyond the mean's,
    the best 20 by Moran's I, best first, and the user's `markers`; fewer where the panel is
    smaller. `fitted_on`: the sections that were seen.
    """

    sets: dict[str, list[str]]
    fitted_on: list[str]

    @classmethod
    def fit(
        cls,
        sections: Sequence[Section],
        panel: GenePanel,
        markers: Sequence[str],
        measured_in: str | float = ALL,
    ) -> "GeneSets":
        """The sets of these sections; `measured_in` as the panel's rule has it."""
        pool = candidates(sections, measured_in)
        panel_genes = set(panel.genes)
        of_panel = [gene for gene in pool if gene in panel_genes] or pool
        # who scores a gene by itself need not look at genes that no set can have
        genes = {name: of_panel if rule.alone else pool for name, rule in RULES.items()}
        scores: dict[str, list[NDArray[np.float64]]] = {name: [] for name in RULES}
        fitted_on: list[str] = []
        for section in sections:
            fitted_on.append(section.section_id)
            for name, rule in RULES.items():
                scores[name].append(rule.scores(section, genes[name]))
        sets = {"markers": list(markers)} if markers else {}
        for name, rule in RULES.items():
            ranked = [genes[name][i] for i in rule.rank(scores[name], genes[name])]
            sets[name] = [gene for gene in ranked if gene in panel_genes][: rule.n_top]
        return cls(sets, fitted_on)

    @classmethod
    def from_dict(cls, stored: Mapping[str, list[str]]) -> "GeneSets":
        """As `to_dict` gave it."""
        return cls(
            {name: genes for name, genes in stored.items() if name != "fitted_on"},
            stored.get("fitted_on", []),
        )

    def to_dict(self) -> dict[str, Any]:
        """The sets by name, and `fitted_on` beside them."""
        return {**self.sets, "fitted_on": self.fitted_on}
