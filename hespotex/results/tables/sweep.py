"""All tables of a sweep, together."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hespotex.common.failures import Failures
from hespotex.records.record import Runs
from hespotex.records.runs import read_runs
from hespotex.results.tables.aggregate import gene_scores, model_table, section_table
from hespotex.results.tables.gene_table import gene_table


@dataclass(frozen=True)
class Tables:
    """Runs, their `gene_scores`, and what `section_table`, `gene_table` and `model_table` make of
    both.
    """

    runs: Runs
    scores: pd.DataFrame
    sections: pd.DataFrame
    genes: pd.DataFrame
    models: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, failures: Failures | None = None) -> "Tables":
        """Tables of all finished runs below a folder.

        Args:
            failures: takes the runs that cannot be read.

        Raises:
            InputError: no folder, no finished run in it, or runs of an older version.
        """
        return cls.make(read_runs(folder, failures))

    @classmethod
    def make(cls, runs: Runs) -> "Tables":
        """Tables of these runs."""
        scores = gene_scores(runs)
        sections = section_table(runs, scores)
        genes = gene_table(scores)
        return cls(runs, scores, sections, genes, model_table(sections, runs, genes))

    @property
    def strategies(self) -> list[str]:
        """Fold strategies, in the order of the tables."""
        return [str(name) for name in dict.fromkeys(self.models["fold_strategy"])]

    def of(self, strategy: str) -> "Tables":
        """The part of one fold strategy."""
        tables = (self.scores, self.sections, self.genes, self.models)
        subsets = [table[table["fold_strategy"] == strategy] for table in tables]
        return Tables([run for run in self.runs if run.fold_strategy == strategy], *subsets)

    def runs_of(self, model: str) -> Runs:
        """Runs of one model, by fold and seed."""
        runs = [run for run in self.runs if run.model == model]
        return sorted(runs, key=lambda run: (run.fold, run.seed))

    @property
    def main(self) -> str:
        """The model that figures and maps are of: the best of role "model", else the first that has
        a value.
        """
        scored = self.models[self.models["pcc_gene"].notna()]
        return str((scored if len(scored) else self.models)["model"].iloc[0])

    def gene_means(self, model: str) -> pd.DataFrame:
        """Metrics of each gene for one model, averaged over its runs' test sections; indexed by
        gene.
        """
        return self._scores(model).groupby("gene").mean(numeric_only=True)

    def section_means(self, model: str) -> pd.DataFrame:
        """Metrics of each test section for one model, averaged over genes and seeds; indexed by
        section.
        """
        return self._scores(model).groupby("section_id").mean(numeric_only=True)

    def _scores(self, model: str) -> pd.DataFrame:
        return self.scores[self.scores["model"] == model].drop(columns="seed")
