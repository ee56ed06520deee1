"""A finished run, as its folder tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.files import read_json
from hespotex.common.provenance import KEY
from hespotex.records.about import About
from hespotex.records.layout import BEST, CONFIG, METRICS, SPLIT
from hespotex.records.moved import OLD_UNITS, current_unit
from hespotex.records.plain import read_config
from hespotex.splits.split import Split
from hespotex.splits.split_file import SIDES

Facts = dict[str, Any]
NOT_WHOLE = "the run's folder is not whole"


@dataclass(frozen=True)
class RunRecord:
    """One model on one fold: what it was made with, and its scores. What is large is read when it
    is asked for.

    Attributes:
        folder: of the run.
        metrics: `metrics.json`.
        name: of the model in tables, where its own does not tell the runs of a sweep apart.
        search: in words, the search that the run was the best trial of.
    """

    folder: Path
    metrics: Mapping[str, Any]
    name: str = ""
    search: str = ""

    @property
    def model(self) -> str:
        """Name of the model in tables."""
        return self.name or str(self.metrics["model"])

    @property
    def role(self) -> str:
        """`model`, `baseline`, `control` or `ceiling`."""
        return str(self.metrics["role"])

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.metrics["data"])

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return str(self.metrics["encoder"])

    @property
    def fold_strategy(self) -> str:
        """How the sections were split."""
        return str(self.metrics["fold_strategy"])

    @property
    def seed(self) -> int:
        """Of weights, order and dropout."""
        return int(self.metrics["seed"])

    @property
    def split(self) -> Split:
        """Which sections train, validate and test; runs of before do not tell all."""
        recorded = self.metrics["split"]
        lists = {name: list(recorded.get(name, [])) for name in (*SIDES, "leaks")}
        return Split(recorded["index"], recorded["n_folds"], **lists)

    @property
    def fold(self) -> int:
        """Number of the fold."""
        return int(self.metrics["split"]["index"])

    @property
    def leaks(self) -> list[str]:
        """What was seen of the test sections, in words."""
        leaks: list[str] = self.metrics["leaks"]
        return leaks

    @property
    def sections(self) -> list[Facts]:
        """Scores of each test section; none of a model on all sections."""
        sections: list[Facts] = self.metrics["sections"]
        return sections

    @property
    def cost(self) -> Facts:
        """`seconds` by stage, and what else it took."""
        cost: Facts = self.metrics["cost"]
        return cost

    @property
    def seconds(self) -> float:
        """All stages together."""
        return float(sum(self.cost["seconds"].values()))

    @property
    def unit(self) -> str | None:
        """Of the expression; None where the run does not tell."""
        unit: str | None = self.metrics.get("unit")
        return current_unit(unit, self.stored_config) if unit in OLD_UNITS else unit

    @property
    def data_fingerprint(self) -> str | None:
        """Hash of what the fold was given; None where the run does not tell."""
        return self.metrics.get("data_fingerprint")

    @property
    def section_facts(self) -> dict[str, Facts]:
        """Group, size and hashes of each section; empty for runs of older versions."""
        facts: dict[str, Facts] = self.metrics.get("section_facts", {})
        return facts

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages."""
        versions: dict[str, str] = self.metrics.get("versions", {})
        return versions

    @property
    def place(self) -> tuple[str, str, str, int, int]:
        """What no two runs of a sweep share: model, encoder, fold strategy, fold, seed."""
        return self.model, self.encoder, self.fold_strategy, self.fold, self.seed

    @property
    def title(self) -> str:
        """What tells it apart in its sweep, in words."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"

    @property
    def checkpoint_file(self) -> Path:
        """Where the model lies."""
        return self.folder / BEST

    @cached_property
    def config(self) -> Facts:
        """Its config.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        return read_config(self.folder, NOT_WHOLE)

    @cached_property
    def stored_config(self) -> Facts:
        """Its config; empty for scores of an external set, which have none."""
        return self.config if (self.folder / CONFIG).is_file() else {}

    @cached_property
    def split_file(self) -> Facts:
        """`split.json`, written before anything was fitted."""
        return dict(read_json(self.folder / SPLIT, NOT_WHOLE))

    @cached_property
    def checkpoint(self) -> Facts:
        """The content of `checkpoints/best.ckpt`."""
        from hespotex.records.checkpoint import read_checkpoint  # torch, for those who need it

        return read_checkpoint(self.checkpoint_file)

    @property
    def about(self) -> About:
        """The facts inside the checkpoint; its split is the one that audits go by."""
        facts: About = self.checkpoint[KEY]
        return facts

    def ids(self, *sides: str) -> list[str]:
        """Section ids of these sides of the checkpoint's split, each once."""
        return list(dict.fromkeys(i for side in sides for i in self.about["split"][side]))

    @property
    def known(self) -> dict[str, Facts]:
        """`section_facts` of the checkpoint; empty for runs of older versions."""
        facts: dict[str, Facts] = self.about.get("section_facts", {})
        return facts


Runs = list[RunRecord]


def read_record(folder: Path) -> RunRecord:
    """The record of a finished training run, all of whose files can be read.

    Raises:
        InputError: no such folder, no finished run in it, or a file that cannot be read.
    """
    if not (folder / METRICS).is_file():
        raise InputError(
            f"no finished run ({METRICS}) in {folder}; give the folder of one run, such as"
            " outputs/demo/0"
        )
    if not (folder / CONFIG).is_file():
        raise InputError(
            f"{folder} holds scores but no training run: audit the runs whose checkpoints made them"
        )
    record = RunRecord(folder, read_json(folder / METRICS, NOT_WHOLE))
    for content in ("config", "split_file", "checkpoint"):
        getattr(record, content)
    return record
