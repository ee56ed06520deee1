"""What every predictor shares: validation, test and prediction of whole sections."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.metrics import GeneMoments, SectionScores
from hespotex.modules.calibration import Calibration

Optimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


class ExpressionModule(pl.LightningModule):
    """Base of the predictors: a subclass gives `expression(batch)` in units of the target.

    The mean and standard deviation of each gene over the training spots travel in the checkpoint as
    buffers, and networks learn in units of them; so does `lowest`, which no target is below: 0 for
    log counts, else -infinity.
    """

    gene_mean: Tensor
    gene_std: Tensor
    lowest: Tensor

    def __init__(self, d_image: int, n_genes: int) -> None:
        super().__init__()
        self.n_genes = n_genes
        self.register_buffer("gene_mean", torch.zeros(n_genes))
        self.register_buffer("gene_std", torch.ones(n_genes))
        self.register_buffer("lowest", torch.tensor(0.0))
        self.calibration = Calibration(n_genes)
        self.scores = SectionScores()

    def set_scaling(self, mean: Tensor, std: Tensor, lowest: float = 0.0) -> None:
        """Take over the training sections' mean and standard deviation of each gene, and the
        target's lower bound.
        """
        self.lowest.fill_(lowest)
        self.gene_mean.copy_(mean)
        self.gene_std.copy_(std)

    def compile_networks(self) -> None:
        """Hand what is trained to torch.compile; names in checkpoints stay the same."""
        for child in self.children():
            if any(True for _ in child.parameters()):
                child.compile(dynamic=True)

    @property
    def n_hops(self) -> int:
        """Steps along the edges that the prediction of a spot looks away from it."""
        return 0

    def fit(self, fold: Fold) -> None:
        """Take from the training sections what needs no epochs: the scaling, and what
        `fit_closed_form` takes.
        """
        self.set_scaling(*fold.gene_scaling, fold.expression.lowest)
        train = fold.loader(fold.split.train, self.n_hops)
        val = fold.loader(fold.split.val, self.n_hops)
        with torch.no_grad():
            self.fit_closed_form(train, val)

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        """Fit what needs no epochs; `fit` calls it once, after `set_scaling`. Both can be gone
        through again.
        """

    def expression(self, batch: Batch) -> Tensor:
        """Predicted expression (n_inner, n_genes) of the own spots of all blocks of the batch."""
        raise NotImplementedError

    def moments(self, batch: Batch) -> list[tuple[str, GeneMoments]]:
        """Of each block: its section, and the moments of its predicted and measured expression."""
        predicted = self._checked(batch).float()
        parts = zip(batch.section_id, blocks(batch), batch.target, strict=True)
        return [
            (section_id, GeneMoments.of(predicted[spots], target.dense()))
            for section_id, spots, target in parts
        ]

    def weighted(self, losses: Sequence[Tensor], batch: Batch) -> Tensor:
        """Loss of a step, from that of each of its blocks; logged as `train/loss`."""
        loss: Tensor = (torch.stack(list(losses)) * batch.weight).sum()
        shown = {"prog_bar": True, "on_step": False, "on_epoch": True}
        self.log("train/loss", loss, sync_dist=True, batch_size=len(losses), **shown)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add up the moments of each section; blocks of one section make one score."""
        for section_id, moments in self.moments(batch):
            self.scores.update(section_id, moments)

    def on_validation_epoch_end(self) -> None:
        """Log `val/...` over all validation sections, and start anew for the next epoch."""
        for name, value in self.scores.compute().items():
            self.log(f"val/{name}", value, prog_bar=True)
        self.scores.reset()

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Predicted expression (n_inner, n_genes) of the blocks, before `postprocess`, which is of
        whole sections.
        """
        return self._checked(batch).float()

    @torch.inference_mode()
    def predict(
        self, batches: Iterable[Batch], device: str | torch.device = "cpu"
    ) -> dict[str, Tensor]:
        """Expression `{section_id: (n_spots, n_genes)}` of sections that come whole or in
        blocks.
        """
        whole = collect(batches, lambda batch: self.predict_step(batch.to(device), 0))
        return {
            section_id: self.calibration(self.postprocess(values))
            for section_id, values in whole.items()
        }

    def _checked(self, batch: Batch) -> Tensor:
        """`expression`, if it has the shape that it should have."""
        predicted = self.expression(batch)
        wanted = (len(batch.spot), self.n_genes)
        if tuple(predicted.shape) != wanted:
            found = tuple(predicted.shape)
            raise InputError(
                f"{type(self).__name__}.expression: expected (n_spots, n_genes) = {wanted}, got"
                f" {found}"
            )
        return predicted

    def postprocess(self, expression: Tensor) -> Tensor:
        """Of one whole section. Values below what the target can be are left: they still rank the
        spots.
        """
        return expression


def counted(batch: Batch, field: str) -> Tensor:
    """A field of the nuclei counts, (n_spots, 1); see `hespotex.batches.assemble`."""
    if field not in batch:
        raise InputError(
            "this model wants nuclei counts and nuclei=none gives none: add nuclei=haematoxylin, or"
            " another source"
        )
    counts: Tensor = batch[field]
    return counts


def blocks(batch: Batch) -> list[slice]:
    """The own spots of each block among those of the batch: rows of a prediction and of the
    outcomes.
    """
    ends = batch.n_inner.cumsum(0).tolist()
    return [slice(start, end) for start, end in pairwise([0, *ends])]


def weights(batch: Batch) -> list[float] | list[None]:
    """Of a spot of each block; None where all count alike."""
    if "spot_weight" not in batch:
        return [None] * len(batch.section_id)
    own: list[float] = batch.spot_weight.tolist()
    return own


def collect(batches: Iterable[Batch], compute: Callable[[Batch], Tensor]) -> dict[str, Tensor]:
    """Rows `{section_id: (n_spots, d)}` of whole sections, from what `compute` gives (n_inner, d)
    of each batch.
    """
    whole: dict[str, Tensor] = {}
    for batch in batches:
        values = compute(batch).cpu()
        for section_id, n_spots, part in zip(
            batch.section_id, batch.n_spots.tolist(), blocks(batch), strict=True
        ):
            if section_id not in whole:
                whole[section_id] = torch.empty(n_spots, values.shape[1])
            whole[section_id][batch.spot[part].cpu()] = values[part]
    return whole


def measured(batch: Batch) -> Tensor:
    """Expression (n_inner, n_genes) of all blocks of the batch; NaN where it was not measured."""
    return torch.cat([target.dense() for target in batch.target])
