"""What goes into a bundle, checked before anything is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.files import safe_name
from hespotex.prediction.checkpoints import check_written
from hespotex.prediction.choice import Chosen, finished_final
from hespotex.prediction.ensemble import Ensemble
from hespotex.records.about import About
from hespotex.records.layout import BEST, FINAL
from hespotex.records.record import RunRecord, Runs
from hespotex.results.tables.final import cross_validated_genes, final_facts, read_final


@dataclass(frozen=True)
class Contents:
    """What goes into a bundle.

    Attributes:
        chosen: the model, with its scored runs.
        final: folder of the model on all sections; None where there is none.
        folds: runs whose checkpoints are packed, by the name of their folder.
        predictor: what `predict.py` takes of the bundle by default.
        members: facts of the folds' checkpoints.
        genes: what each gene of the predictor has earned.
        about: facts of the model on all sections, as `final.json` has them; empty without one.
    """

    chosen: Chosen
    final: Path | None
    folds: dict[str, RunRecord]
    predictor: Ensemble
    members: list[About]
    genes: pd.DataFrame
    about: dict[str, Any]

    @classmethod
    def of(cls, sweep: Path, chosen: Chosen, folds: bool) -> "Contents":
        """Gather them.

        Args:
            sweep: folder of the runs.
            chosen: the model.
            folds: take the folds beside the model on all sections.

        Raises:
            InputError: neither folds nor such a model, a checkpoint that is missing or changed,
              folds that do not belong together.
        """
        final = finished_final(sweep, chosen)
        runs = chosen.runs if folds or final is None else []
        _check_something(sweep, chosen, final, folds)
        folders = [run.folder for run in runs]
        predictor = _ensemble([final] if final else folders)
        members = _ensemble(folders).members if folders else []
        genes = cross_validated_genes(chosen.runs, predictor.genes)
        packed = [f"folds/{name}" for name in named(runs)]
        about = _about(sweep, chosen, final, predictor, packed) if final else {}
        return cls(chosen, final, named(runs), predictor, members, genes, about)

    @property
    def final_name(self) -> str:
        """Folder of the model on all sections in the bundle."""
        return f"{FINAL}/{safe_name(self.chosen.name)}"

    def summary(self) -> str:
        """Such as "strict on all sections, 3 folds"."""
        folds = [f"{counted(len(self.folds), 'fold')} of {self.chosen.name}"] if self.folds else []
        whole = [f"{self.chosen.name} on all sections"] if self.final else []
        return ", ".join([*whole, *folds])


def _check_something(sweep: Path, chosen: Chosen, final: Path | None, folds: bool) -> None:
    """Refuse a bundle without the checkpoints that are asked for."""
    if not chosen.runs and (folds or final is None):
        raise InputError(
            f"{sweep} holds no scored fold of {chosen.name} to pack; python -m hespotex.finalize"
            f" {sweep} fits the model on all sections, and bundle without --folds packs that"
        )
    for run in chosen.runs if folds or final is None else []:
        if not (run.folder / BEST).is_file():
            raise InputError(
                f"{run.folder} is finished, but has no {BEST}: a bundle without it would lack a"
                " fold; run it again with restart=true, or move the folder away"
            )


def _ensemble(folders: list[Path]) -> Ensemble:
    """The checkpoints of runs, as they were written."""
    checkpoints = [folder / BEST for folder in folders]
    check_written(checkpoints)
    return Ensemble(checkpoints)


def _about(
    sweep: Path, chosen: Chosen, final: Path, predictor: Ensemble, packed: list[str]
) -> dict[str, Any]:
    """What `final.json` says, with the scores that the runs have by now, and the folds where the
    bundle has them.
    """
    now = final_facts(sweep, chosen.name, chosen.runs, chosen.every_run, predictor.about)
    return read_final(final) | now | {"folds": packed}


def named(runs: Runs) -> dict[str, RunRecord]:
    """Folder of each run: its fold, and its seed where there are several."""
    several = len({run.seed for run in runs}) > 1
    ordered = sorted(runs, key=lambda run: (run.fold, run.seed))
    return {
        safe_name(f"{run.fold}" + (f"_seed{run.seed}" if several else "")): run for run in ordered
    }
