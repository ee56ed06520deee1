"""What one fold's model predicts: on its training sections, which shaped it, and on those left
out.
"""

from dataclasses import dataclass

import numpy as np

from hespotex.auditing.case import Case
from hespotex.auditing.dataset import DataSets
from hespotex.common.hdf5 import read_anndata
from hespotex.programmes.factors import Array, Covariance
from hespotex.records.record import RunRecord
from hespotex.results.predictions import MEASURED, prediction_file
from hespotex.sections.section import Section


@dataclass(frozen=True)
class LeftOut:
    """A test section of a fold: predicted and measured, (n_spots, n_genes), in the units of the
    genes' spread over the training spots, less the section's mean; 0 where nothing was measured.
    """

    section: Section
    predicted: Array
    measured: Array

    def of_genes(self, genes: list[int]) -> "LeftOut":
        """With some of the genes, given by their numbers."""
        return LeftOut(self.section, self.predicted[:, genes], self.measured[:, genes])


@dataclass(frozen=True)
class FoldFit:
    """A fold's fitted map.

    Attributes:
        genes: of its panel.
        covariance: of the predictions within training sections, in the units of the genes' spread;
          its trace is 1.
        left_out: its test sections.
    """

    genes: list[str]
    covariance: Covariance
    left_out: list[LeftOut]

    def of_genes(self, genes: list[str]) -> "FoldFit":
        """With these genes, all of which it must know."""
        place = {gene: i for i, gene in enumerate(self.genes)}
        kept = [place[gene] for gene in genes]
        left_out = [section.of_genes(kept) for section in self.left_out]
        return FoldFit(genes, self.covariance.of_genes(kept), left_out)


def read_fold(record: RunRecord, data_sets: DataSets) -> FoldFit:
    """The fold of a finished run; embeddings are taken from the store, nothing is fitted.

    Raises:
        InputError: the data set, or the store's embeddings of it, are no longer there.
    """
    case = Case(record, data_sets)
    spread = case.module.gene_std.double().numpy()
    predicted = (case.bare([i])[i].double().numpy() for i in record.ids("train"))
    covariance = Covariance.of(_scaled(own, spread) for own in predicted)
    left_out = [_left_out(case, section_id, spread) for section_id in record.ids("test")]
    return FoldFit(list(record.about["genes"]), covariance, left_out)


def _left_out(case: Case, section_id: str, spread: Array) -> LeftOut:
    table = read_anndata(prediction_file(case.record.folder, section_id))
    section = case.data_set.section(section_id).without_counts()
    predicted = _scaled(np.asarray(table.X, dtype=np.float64), spread)
    measured = _scaled(np.asarray(table.layers[MEASURED], dtype=np.float64), spread)
    return LeftOut(section, predicted, np.nan_to_num(measured))


def _scaled(values: Array, spread: Array) -> Array:
    centred = values - values.mean(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, np.inf))
