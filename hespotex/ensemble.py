"""Checkpoints as one predictor: one, or the folds of a run, averaged."""

import logging
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.checkpoint import KEY, load_module, read_checkpoint
from hespotex.errors import InputError
from hespotex.files import file_fingerprint

log = logging.getLogger(__name__)
BEST = "checkpoints/best.ckpt"


def find_checkpoints(wanted: str | Sequence[str]) -> list[Path]:
    """Files that a path, a glob, the folder of a run or a sweep, or a list of these name.

    Raises:
        InputError: there is none.
    """
    patterns = [wanted] if isinstance(wanted, str) else list(wanted)
    places = [Path(match) for pattern in patterns for match in sorted(glob(pattern)) or [pattern]]  # noqa: PTH207, absolute patterns
    found = [path for place in places for path in (sorted(place.rglob(BEST)) if place.is_dir() else [place])]
    if not found:
        raise InputError(f"no {BEST} below {', '.join(patterns)}; set checkpoint=RUN_DIR/{BEST}, or the folder of a sweep")
    return list(dict.fromkeys(found))


class Ensemble:
    """The mean of the members' predictions, for the genes that every member knows.

    `about`: the facts of the first member; what members must share (encoder, graph, target) is checked.

    Args:
        paths: checkpoints.

    Raises:
        InputError: files that are no checkpoints, or members that do not belong together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        contents = [read_checkpoint(path) for path in paths]
        self.members: list[dict[str, Any]] = [content[KEY] for content in contents]
        _check_alike(paths, self.members)
        self.about = self.members[0]
        self.modules = [load_module(content) for content in contents]
        shared = set.intersection(*(set(member["genes"]) for member in self.members))
        self.genes = [gene for gene in self.about["genes"] if gene in shared]
        self.columns = [_columns(member["genes"], self.genes) for member in self.members]
        self.fingerprints = {str(path): file_fingerprint(path) for path in paths}
        if len(paths) > 1:
            most = max(len(member["genes"]) for member in self.members)
            log.info("%d checkpoints are averaged; %d genes are known to all (of up to %d)", len(paths), len(self.genes), most)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Predicted expression (n_spots, n_genes) of each section of the batch."""
        parts = [module.predict_step(batch, 0) for module in self.modules]
        return {
            name: torch.stack([part[name][:, own] for part, own in zip(parts, self.columns, strict=True)]).mean(0)
            for name in parts[0]
        }


def _columns(genes: list[str], wanted: list[str]) -> list[int]:
    place = {gene: i for i, gene in enumerate(genes)}
    return [place[gene] for gene in wanted]


def _check_alike(paths: Sequence[Path], members: list[dict[str, Any]]) -> None:
    """Refuse to average what differs in more than the training sections and the seed."""
    first = members[0]
    for path, member in zip(paths, members, strict=True):
        for name in ("model", "encoder_identity", "image_inputs", "unit", "pitch_um"):
            if member[name] != first[name]:
                raise InputError(
                    f"{name} differs: {first[name]} in {paths[0]}, {member[name]} in {path}; give the folds of one model, "
                    "such as checkpoint='outputs/NAME/[345]'"
                )
        if len(members) > 1 and member["expression_fitted_on"]:
            raise InputError(
                f"the target ({member['unit']}) is fitted on each fold's own training sections, so folds predict different "
                f"things; give one checkpoint, such as checkpoint={path}"
            )
