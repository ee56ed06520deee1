"""The programmes of a model over all its folds, and what goes with each."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pandas as pd

from hespotex.common.errors import InputError
from hespotex.explaining.fold import FoldFit, LeftOut
from hespotex.programmes.factors import Array, Factors, factors, main_programme, returned
from hespotex.programmes.words import (
    correlations,
    in_words,
    mean_over_groups,
    standardised,
    strongest,
)

FEWEST_GENES = 10


@dataclass(frozen=True)
class Seen:
    """Programmes of the folds together.

    Attributes:
        genes: that every fold predicts.
        folds: with these genes.
        factors: of the mean of the folds' covariances.
        names: of the image statistics, see `statistic_names`.
        statistics: of each left-out section, (n_spots, n_statistics), in the order of `sections`.
    """

    genes: list[str]
    folds: list[FoldFit]
    factors: Factors
    names: pd.DataFrame
    statistics: list[Array]

    @property
    def sections(self) -> list[LeftOut]:
        """The left-out sections of all folds."""
        return [section for fold in self.folds for section in fold.left_out]

    @property
    def variance(self) -> Array:
        """Of each gene's prediction, mean over the folds, (n_genes,)."""
        return np.asarray(np.mean([fold.covariance.variance for fold in self.folds], axis=0))

    @property
    def _groups(self) -> list[str]:
        return [left_out.section.key.group for left_out in self.sections]

    @cached_property
    def _weights(self) -> Array:
        """Of genes, (n_genes, k), by which predicted scores have a standard deviation of 1."""
        scores = [section.predicted @ self.factors.weights for section in self.sections]
        spread = np.concatenate(scores).std(axis=0)
        return np.asarray(self.factors.weights / np.where(spread > 0, spread, 1.0))

    @cached_property
    def predicted(self) -> list[Array]:
        """Score of each programme at the spots of each left-out section, (n_spots, k) each."""
        return [section.predicted @ self._weights for section in self.sections]

    @cached_property
    def measured(self) -> list[Array]:
        """The same of measured expression."""
        return [section.measured @ self._weights for section in self.sections]

    @cached_property
    def links(self) -> Array:
        """Correlation of the predicted scores with each statistic, (k, n_statistics)."""
        return self._with_statistics(self.predicted)

    @cached_property
    def _alike(self) -> Array:
        """Correlation of the statistics with each other within sections."""
        whole = np.concatenate([np.nan_to_num(standardised(own)) for own in self.statistics])
        return correlations(whole, whole)

    def _with_statistics(self, scores: Sequence[Array]) -> Array:
        pairs = zip(scores, self.statistics, strict=True)
        return mean_over_groups([correlations(*pair) for pair in pairs], self._groups)

    def table(self) -> pd.DataFrame:
        """A row for each programme; columns as `hespotex.results.programmes` has them, those of the
        sweep left out.
        """
        pairs = zip(self.predicted, self.measured, strict=True)
        pcc = mean_over_groups([np.diag(correlations(*pair)) for pair in pairs], self._groups)
        own = [factors(fold.covariance).loadings for fold in self.folds]
        loadings = self.factors.loadings.T
        return pd.DataFrame(
            {
                "programme": np.arange(1, len(loadings) + 1),
                "share": self.factors.share,
                "pcc": pcc,
                "returned": returned(self.factors.loadings, own),
                "n_folds": len(self.folds),
                "genes_up": [strongest(column, self.genes) for column in loadings],
                "genes_down": [strongest(-column, self.genes) for column in loadings],
                "seen": [in_words(r, self.names, self._alike) for r in self.links],
            }
        )

    def gene_table(self) -> pd.DataFrame:
        """A row for each gene: the programme that says most of its prediction, the share of its
        variance that it says, what the image is like where the gene is predicted high, and its
        loading on every programme.
        """
        loadings = self.factors.loadings
        main, share = main_programme(loadings, self.variance)
        r = self._with_statistics([section.predicted for section in self.sections])
        own = {
            "gene": self.genes,
            "programme": main + 1,
            "share": share,
            "seen": [in_words(of_gene, self.names, self._alike) for of_gene in r],
        }
        columns = {f"programme_{i}": column for i, column in enumerate(loadings.T, 1)}
        return pd.DataFrame(own | columns)

    def statistic_table(self) -> pd.DataFrame:
        """A row for each programme and statistic: `r` of the predicted score with it, and of the
        measured one, the clearest first.
        """
        measured = self._with_statistics(self.measured)
        parts = [
            self.names.reset_index().assign(programme=number, r=r, r_measured=other)
            for number, (r, other) in enumerate(zip(self.links, measured, strict=True), 1)
        ]
        table = pd.concat(parts, ignore_index=True).dropna(subset="r")
        table["size"] = table["r"].abs()
        return table.sort_values(["programme", "size"], ascending=[True, False]).drop(
            columns="size"
        )

    def score_table(self) -> pd.DataFrame:
        """A row for each spot of the left-out sections: each programme, predicted and measured."""
        columns = [f"programme_{i}" for i in range(1, len(self.factors.share) + 1)]
        parts = []
        for left_out, predicted, measured in zip(
            self.sections, self.predicted, self.measured, strict=True
        ):
            section = left_out.section
            place = {"section_id": section.section_id, "spot": section.barcodes}
            x, y = section.pos.T
            part = pd.DataFrame(place | {"x_um": x, "y_um": y})
            part[columns] = predicted
            part[[f"{name}_measured" for name in columns]] = measured
            parts.append(part)
        return pd.concat(parts, ignore_index=True)


def common_programmes(folds: Sequence[FoldFit]) -> tuple[list[str], list[FoldFit], Factors]:
    """Genes that all folds predict, the folds with these, and the programmes of them together.

    Raises:
        InputError: hardly any gene, or predictions that do not vary.
    """
    known = [set(fold.genes) for fold in folds]
    genes = [gene for gene in folds[0].genes if all(gene in own for own in known)]
    if len(genes) < FEWEST_GENES:
        raise InputError(
            f"{len(genes)} genes are predicted in every fold, expected at least {FEWEST_GENES}:"
            " train with a panel that the folds share (data/panel=list)"
        )
    same = [fold.of_genes(genes) for fold in folds]
    found = factors(reduce(operator.add, [fold.covariance for fold in same]).normed())
    if not len(found.share):
        raise InputError("the model predicts every gene constant: there are no programmes")
    return genes, same, found
