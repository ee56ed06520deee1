"""How far the folds of a cross-validation disagree, beside the prediction of the model on all
sections.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.common.files import file_fingerprint
from hespotex.prediction.checkpoints import check_written, is_final
from hespotex.prediction.ensemble import NOT_FINITE, Batches, load_members
from hespotex.records.layout import BEST, home_of
from hespotex.results.finite import check_finite
from hespotex.results.tables.final import folds_of

log = logging.getLogger(__name__)


class FoldSpread:
    """Standard deviation over the folds that know a gene.

    Args:
        final: checkpoint of the model on all sections.
        folds: checkpoints of the folds.
        genes: of the model on all sections.

    Raises:
        InputError: folds that are not of this model.
    """

    def __init__(self, final: Path, folds: Sequence[Path], genes: list[str]) -> None:
        members, modules = load_members([final, *folds])
        self.members = members[1:]
        self.modules = modules[1:]
        self.n_genes = len(genes)
        place = {gene: i for i, gene in enumerate(genes)}
        panels = [member["genes"] for member in self.members]
        self.places = [torch.tensor([place[g] for g in panel if g in place]) for panel in panels]
        self.columns = [
            torch.tensor([i for i, g in enumerate(panel) if g in place]) for panel in panels
        ]
        self.fingerprints = [file_fingerprint(path) for path in folds]

    @property
    def n_folds(self) -> Tensor:
        """How many folds know each gene, (n_genes,)."""
        count = torch.zeros(self.n_genes, dtype=torch.long)
        for places in self.places:
            count[places] += 1
        return count

    @torch.inference_mode()
    def __call__(self, batches: Batches) -> dict[str, Tensor]:
        """Of each section, (n_spots, n_genes); NaN where fewer than two folds know the gene.

        Args:
            batches: of the facts of a fold, what it is given.
        """
        sums: dict[str, PartialSpread] = {}
        each = zip(self.members, self.modules, self.columns, self.places, strict=True)
        for about, module, columns, places in each:
            predicted = module.predict(batches(about))
            check_finite(predicted, NOT_FINITE)
            for name, values in predicted.items():
                spread = sums.setdefault(name, PartialSpread(len(values), self.n_genes))
                spread.add(values[:, columns], places)
        return {name: spread.std() for name, spread in sums.items()}


class PartialSpread:
    """Standard deviation of tables that come one after the other and hold some of the columns
    (Welford 1962).
    """

    def __init__(self, n_rows: int, n_columns: int) -> None:
        self.n = torch.zeros(n_columns)
        self.mean = torch.zeros(n_rows, n_columns)
        self.squares = torch.zeros(n_rows, n_columns)

    def add(self, values: Tensor, places: Tensor) -> None:
        """One table more, (n_rows, len(places)), which holds these columns."""
        self.n[places] += 1
        away = values - self.mean[:, places]
        self.mean[:, places] += away / self.n[places]
        self.squares[:, places] += away * (values - self.mean[:, places])

    def std(self) -> Tensor:
        """NaN in columns that came less than twice."""
        spread = (self.squares / self.n.clamp(min=1)).sqrt_()
        spread[:, self.n < 2] = torch.nan
        return spread


def folds_beside(checkpoints: Sequence[Path], genes: list[str]) -> FoldSpread | None:
    """The folds that lie with a model on all sections, in its sweep or bundle; None, and said why,
    where there are none to ask.

    Args:
        checkpoints: those that predict.
        genes: that they predict.
    """
    if len(checkpoints) != 1 or not is_final(checkpoints[0]):
        return None
    final = checkpoints[0]
    try:
        folds = [folder / BEST for folder in folds_of(home_of(final))]
        check_written(folds)
        return FoldSpread(final, folds, genes)
    except InputError as error:
        log.info("no fold_std, the spread of the folds: %s", error)
        return None
