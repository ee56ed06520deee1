"""A model is added to a finished sweep: which folder a job gets, and what the summary says then."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import CHECKOUT, command, compose_config
from omegaconf import DictConfig

from hespotex.records.layout import SEARCH
from hespotex.training.job_folder import job_folder
from hespotex.training.run import on_this_machine


class Sweep:
    """A folder of runs that have computed something."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def config(self, *words: str, with_hydra: bool = False) -> DictConfig:
        given = ["name=mine", "trainer=cpu", *words]
        return compose_config("train", given, self.path, with_hydra)

    def done(self, folder: str, *words: str, work: bool = True) -> None:
        home = self.path / folder
        home.mkdir(parents=True)
        cfg = self.config(*words)
        cfg.paths.run = str(home)
        (home / "config.json").write_text(json.dumps(on_this_machine(cfg)))
        if work:
            (home / "metrics.json").write_text("{}")

    def folder(self, number: int, *words: str) -> str:
        return job_folder(self.path, str(number), self.config(*words, with_hydra=True))


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Strict on two folds."""
    made = Sweep(tmp_path / "mine")
    for i in range(2):
        made.done(str(i), "model=strict", f"fold.index={i}")
    return made


def test_the_same_command_gets_the_same_folders(sweep: Sweep) -> None:
    for i in range(3):
        assert sweep.folder(i, "model=strict", f"fold.index={i}") == str(i)
        assert sweep.folder(i, "model=strict", f"fold.index={i}", "restart=true") == str(i)


def test_another_model_gets_a_folder_of_its_own_and_keeps_it(sweep: Sweep) -> None:
    words = ["model=ridge", "fold.index=1"]
    assert sweep.folder(1, *words) == "ridge_fold1_seed0"
    sweep.done("ridge_fold1_seed0", *words)
    for more in ([], ["restart=true"]):
        assert sweep.folder(1, *words, *more) == "ridge_fold1_seed0"
    # wherever the run lies
    assert sweep.folder(0, *words) == "ridge_fold1_seed0"
    assert sweep.folder(0, "model=strict", "fold.index=1") == "1"


def test_other_seeds_and_folds_are_added_too(sweep: Sweep) -> None:
    assert sweep.folder(0, "model=strict", "fold.index=2") == "strict_fold2_seed0"
    assert sweep.folder(0, "model=strict", "fold.index=0", "seed=4") == "strict_fold0_seed4"


def test_a_model_may_have_settings_elsewhere(sweep: Sweep) -> None:
    """`data.inputs` takes what it is to shuffle, and how many neighbours there are, from it."""
    assert sweep.folder(0, "model=shuffled", "fold.index=1") == "shuffled_fold1_seed0"
    own = ["model=shuffled", "fold.index=0", "model.n_neighbours=5"]
    assert sweep.folder(0, *own) == "shuffled_fold0_seed0"
    typed = ["model=shuffled", "fold.index=0", "data.inputs.n_neighbours=5"]
    assert sweep.folder(0, *typed) == "0"


@pytest.mark.parametrize("model", ["strict_random", "strict_residuals", "nuclei", "published"])
def test_a_model_may_bring_an_encoder_nuclei_or_a_target(sweep: Sweep, model: str) -> None:
    assert sweep.folder(0, f"model={model}", "fold.index=1") == f"{model}_fold1_seed0"
    typed = [f"model={model}", "fold.index=1", "data.min_counts=7"]
    assert sweep.folder(0, *typed) == "0"


def test_what_was_typed_for_the_runs_that_are_there_is_not_the_models(tmp_path: Path) -> None:
    made = Sweep(tmp_path / "mine")
    made.done("0", "model=ridge", "fold.index=0", "data.inputs.n_neighbours=12")
    assert made.folder(0, "model=ridge", "fold.index=1") == "0"
    assert made.folder(0, "model=strict", "fold.index=0") == "0"
    same = ["data.inputs.n_neighbours=12", "model=strict"]
    assert made.folder(0, *same, "fold.index=0") == "strict_fold0_seed0"


@pytest.mark.parametrize("model", ["strict_random", "strict_residuals", "nuclei", "published"])
def test_the_run_that_has_the_number_may_have_brought_them(tmp_path: Path, model: str) -> None:
    made = Sweep(tmp_path / "mine")
    made.done("0", f"model={model}", "fold.index=0")
    assert made.folder(0, "model=strict", "fold.index=0") == "strict_fold0_seed0"
    typed = ["model=strict", "fold.index=0", "data.min_counts=7"]
    assert made.folder(0, *typed) == "0"
    of_it = {
        "strict_residuals": ["data.expression.theta=7"],
        "strict_random": ["encoder=histology"],
    }
    for words in of_it.get(model, []):
        assert made.folder(0, f"model={model}", "fold.index=1", words) == "0"


@pytest.mark.parametrize(
    "change", ["data.panel.n_top=7", "encoder=random_vit", "fold=leave_one_section_out"]
)
def test_what_differs_in_more_is_refused_there(sweep: Sweep, change: str) -> None:
    """It gets the number, and the run itself refuses the folder."""
    assert sweep.folder(0, "model=ridge", "fold.index=0", change) == "0"


def test_restart_replaces_as_ever(sweep: Sweep) -> None:
    assert sweep.folder(0, "model=ridge", "fold.index=0", "restart=true") == "0"


def test_a_start_that_failed_takes_no_folder(tmp_path: Path) -> None:
    made = Sweep(tmp_path / "mine")
    made.done("0", "model=strict", "fold.index=0", work=False)
    assert made.folder(0, "model=ridge", "fold.index=0") == "0"


def test_jobs_of_all_folds(tmp_path: Path) -> None:
    made = Sweep(tmp_path / "mine")
    for i in range(2):
        made.done(f"0/fold{i}", "model=strict", f"fold.index={i}")
    assert made.folder(0, "model=strict", "fold.index=all") == "0"
    assert made.folder(0, "model=ridge", "fold.index=all") == "ridge_foldall_seed0"


@pytest.mark.parametrize("held", ["sections,sections", "sections,groups"])
def test_models_of_a_benchmark_of_two_strategies(tmp_path: Path, held: str) -> None:
    """Whatever the run is that has the number: as with more seeds or models than are added."""
    strategies = {"sections": "leave_one_section_out", "groups": "leave_one_group_out"}
    made = Sweep(tmp_path / "mine")
    for i, kind in enumerate([*held.split(","), "groups"]):
        words = [f"fold={strategies[kind]}", f"seed={i}"]
        made.done(f"{i}/fold0", "model=strict", "fold.index=0", *words)
    found = []
    for i, strategy in enumerate(strategies.values()):
        words = ["model=ridge", "fold.index=all", f"fold={strategy}"]
        found.append(made.folder(i, *words))
        made.done(f"{found[-1]}/fold0", "model=ridge", "fold.index=0", f"fold={strategy}")
        assert made.folder(i, *words) == found[-1]
    assert found == [f"ridge_{strategy}_foldall_seed0" for strategy in strategies.values()]


def test_a_strategy_that_the_sweep_has_not_is_refused(tmp_path: Path) -> None:
    made = Sweep(tmp_path / "mine")
    for i, fold in enumerate(["leave_one_section_out", "leave_one_group_out"]):
        made.done(f"{i}", "model=strict", "fold.index=0", f"fold={fold}")
    words = ["model=ridge", "fold.index=0", "fold=leave_one_group_out", "fold.validation=3"]
    assert made.folder(0, *words) == "0"


def test_trials_of_a_search_have_their_numbers(sweep: Sweep) -> None:
    (sweep.path / SEARCH).write_text("{}")
    assert sweep.folder(0, "model=ridge", "fold.index=0") == "0"


def test_models_added_by_the_command(small: list[str], tmp_path: Path) -> None:
    """The old runs stay as they were, the summary has both, and the same command finds it done."""
    words: list[str] = [*small, "data.panel.n_top=20", "fold.index=0,1", "name=mine"]
    outputs = f"paths.outputs={tmp_path}"

    def run(model: str) -> Any:
        done = command(str(CHECKOUT / "train.py"), "-m", f"model={model}", *words, outputs)
        assert done.returncode == 0, done.stderr + done.stdout
        return done

    run("ridge")
    sweep = tmp_path / "mine"
    before = {i: (sweep / i / "metrics.json").read_bytes() for i in "01"}
    run("gene_mean")
    assert before == {i: (sweep / i / "metrics.json").read_bytes() for i in "01"}
    table = pd.read_csv(sweep / "models.csv").set_index("model")
    assert set(table.index) == {"ridge", "gene_mean"} and table["missing_folds"].nunique() == 1
    folders = {path.parent.name for path in sweep.glob("*/metrics.json")}
    assert folders == {"0", "1", "gene_mean_fold0_seed0", "gene_mean_fold1_seed0"}
    assert (run("gene_mean").stdout).count("is finished: nothing to do") == 2
