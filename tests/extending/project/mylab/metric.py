"""A metric: of the spots where a gene is highest, the share that the prediction finds."""

from torch import Tensor

from hespotex.metrics import Layout


class TopSpots:
    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, predicted: Tensor, measured: Tensor, layout: Layout) -> Tensor:
        k = max(1, round(self.share * len(measured)))
        # each with a row for every one of the k spots
        found = predicted.topk(k, dim=0).indices
        wanted = measured.topk(k, dim=0).indices
        # (n_genes,): one number a gene; a single one would do too
        return (found[:, None] == wanted).any(0).double().mean(0)
