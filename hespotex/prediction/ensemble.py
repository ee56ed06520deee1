"""Checkpoints as one predictor: one, or the folds of a run, averaged."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.common.errors import InputError
from hespotex.common.files import file_fingerprint
from hespotex.common.provenance import KEY
from hespotex.embeddings.familiarity import Familiarity
from hespotex.embeddings.rows import Embeddings
from hespotex.modules.base import ExpressionModule
from hespotex.records.about import About
from hespotex.records.checkpoint import load_module, read_checkpoint
from hespotex.records.facts import check_facts, facts_in_use
from hespotex.results.finite import check_finite

log = logging.getLogger(__name__)
Batches = Callable[[About], Iterable[Batch]]  # sections as the model of these facts wants them
NOT_FINITE = (
    "are the weights of the checkpoint, and the image, whole? Train it again, or leave it out"
)


def load_members(paths: Sequence[Path]) -> tuple[list[About], list[ExpressionModule]]:
    """Facts and modules of checkpoints that predict the same thing.

    Raises:
        InputError: files that are no checkpoints, or that do not belong together.
    """
    contents = [read_checkpoint(path) for path in paths]
    for path, content in zip(paths, contents, strict=True):
        check_facts(path, content[KEY], content.get("state_dict"))
    members: list[About] = [content[KEY] for content in contents]
    _check_alike(paths, members)
    modules = []
    for path, content in zip(paths, contents, strict=True):
        with facts_in_use(str(path)):
            modules.append(load_module(content))
    return members, modules


class Ensemble:
    """The mean of the members' predictions, for the genes that every member knows.

    `about`: the facts of the first member, with the leaks and the panel's sections of all; what
    members must share (encoder, graph, target) is checked.

    Args:
        paths: checkpoints.

    Raises:
        InputError: files that are no checkpoints, or members that do not belong together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.members, self.modules = load_members(paths)
        self.about = self.members[0] | _joint_facts(self.members)
        shared = set.intersection(*(set(member["genes"]) for member in self.members))
        self.genes = [gene for gene in self.about["genes"] if gene in shared]
        self.columns = [_columns(member["genes"], self.genes) for member in self.members]
        self.fingerprints = {str(path): file_fingerprint(path) for path in paths}
        if len(paths) > 1:
            most = max(len(member["genes"]) for member in self.members)
            log.info(
                "%d checkpoints are averaged; %d genes are known to all (of up to %d)",
                len(paths),
                len(self.genes),
                most,
            )

    def __call__(self, batches: Batches) -> dict[str, Tensor]:
        """Predicted expression (n_spots, n_genes) of each section."""
        return {name: mean for name, (mean, _) in self.with_spread(batches).items()}

    @torch.inference_mode()
    def with_spread(self, batches: Batches) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Mean and standard deviation over the members, (n_spots, n_genes) each, of each section;
        one has no spread.

        One member at a time, by running sums: memory does not grow with their number.

        Args:
            batches: of the facts of a member, what it is given.
        """
        sums: dict[str, RunningSpread] = {}
        for about, module, columns in zip(self.members, self.modules, self.columns, strict=True):
            predicted = module.predict(batches(about))
            check_finite(predicted, NOT_FINITE)
            for name, values in predicted.items():
                sums.setdefault(name, RunningSpread()).add(
                    values if columns is None else values[:, columns]
                )
        return {name: (spread.mean, spread.std()) for name, spread in sums.items()}

    def sections_seen(self) -> dict[str, dict[str, Any]]:
        """`section_facts` of every section that trained a member or chose its epoch, by id; empty
        where the checkpoint does not know them.
        """
        return {
            section_id: member.get("section_facts", {}).get(section_id, {})
            for member in self.members
            for section_id in (*member["split"]["train"], *member["split"]["val"])
        }

    def strangeness(self, embedding: Embeddings) -> NDArray[np.float32] | None:
        """How unlike the training patches each spot is, (n_spots,), the mean over members; None for
        older checkpoints.
        """
        measures = [
            Familiarity.from_dict(recorded)
            for member in self.members
            if (recorded := member.get("familiarity"))
        ]
        return (
            np.mean([each.strangeness(embedding) for each in measures], axis=0)
            if measures
            else None
        )


class RunningSpread:
    """Mean and standard deviation of tables that come one after the other (Welford 1962)."""

    def __init__(self) -> None:
        self.n = 0
        self.mean = torch.empty(0)
        self.squares = torch.empty(0)

    def add(self, values: Tensor) -> None:
        """One table more."""
        self.n += 1
        if self.n == 1:
            self.mean = values
            self.squares = torch.zeros(1)
            return
        away = values - self.mean
        self.mean = self.mean + away / self.n
        self.squares = self.squares + away * (values - self.mean)

    def std(self) -> Tensor | None:
        """None of a single table."""
        return (self.squares / self.n).sqrt() if self.n > 1 else None


def _joint_facts(members: list[About]) -> About:
    """Facts that must tell of every member: what chose the genes of any, and the leaks of any."""
    chose = (name for member in members for name in member.get("panel_fitted_on", []))
    leaks = (leak for member in members for leak in member.get("leaks", []))
    return About(panel_fitted_on=list(dict.fromkeys(chose)), leaks=list(dict.fromkeys(leaks)))


def _columns(genes: list[str], order: list[str]) -> list[int] | None:
    """Places of the genes that are wanted; None where they are all, in this order."""
    if genes == order:
        return None
    place = {gene: i for i, gene in enumerate(genes)}
    return [place[gene] for gene in order]


def _check_alike(paths: Sequence[Path], members: list[About]) -> None:
    """Refuse to average what differs in more than the training sections and the seed."""
    first = members[0]
    for path, member in zip(paths, members, strict=True):
        for name in ("model", "encoder_identity", "image_inputs", "unit", "pitch_um"):
            if member[name] != first[name]:
                raise InputError(
                    f"{name} differs: {first[name]} in {paths[0]}, {member[name]} in {path}; give"
                    " the folds of one model, such as checkpoint='outputs/NAME/[345]'"
                )
        if len(members) > 1 and member["expression_fitted_on"]:
            raise InputError(
                f"the target ({member['unit']}) is fitted on each fold's own training sections, so"
                f" folds predict different things; give one checkpoint, such as checkpoint={path}"
            )
