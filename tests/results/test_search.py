"""Of a search the best trial by its validation score is used, whoever asks."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import changed_on_purpose

from hespotex.common.errors import InputError
from hespotex.finalize import finalize
from hespotex.packing.pack import pack
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.choice import choose
from hespotex.records.layout import BEST, best_trial, trials
from hespotex.records.runs import read_runs
from hespotex.records.search import begin_search, describe_choice, trial_table
from hespotex.results.tables.final import FACTS
from hespotex.summary import summarise

SCORES = [0.2, 0.31, 0.3, 0.1]


@pytest.fixture
def search(ridge_run: Path, tmp_path: Path) -> Path:
    """Four trials of which the second is the best."""
    folder = tmp_path / "search"
    begin_search(folder, len(SCORES), restart=False)
    for i, score in enumerate(SCORES):
        shutil.copytree(ridge_run, folder / str(i))
        edit(folder / str(i) / "metrics.json", val_score=score)
        config = json.loads((folder / str(i) / "config.json").read_text())
        edit(folder / str(i) / "config.json", data=config["data"] | {"min_counts": 10 + i})
    return folder


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    changed_on_purpose(file)


def test_the_table_has_scores_and_what_was_searched(search: Path) -> None:
    table = trial_table(search)
    assert list(table) == ["trial", "score", "runs", "best", "data.min_counts"]
    assert table["score"].tolist() == SCORES and table["data.min_counts"].tolist() == [
        10,
        11,
        12,
        13,
    ]
    assert table["best"].tolist() == [False, True, False, False]
    choice = describe_choice(search)
    assert "trial 1 of 4 is used" in choice and "data.min_counts=11" in choice


def test_the_best_is_read_and_predicts(search: Path, caplog: pytest.LogCaptureFixture) -> None:
    (run,) = read_runs(search)
    assert run.folder == search / "1" and "trial 1 of 4" in run.search
    assert find_checkpoints(str(search)) == [search / "1" / BEST]
    assert choose(search, None).runs == [run]
    assert "is left out" not in caplog.text
    assert [run.folder for run in read_runs(search.parent)] != []
    assert find_checkpoints(str(search / "3")) == [search / "3" / BEST]  # named by the user


def test_summary_bundle_and_final_model_say_which(search: Path, tmp_path: Path) -> None:
    summarise(search)
    assert pd.read_csv(search / "trials.csv")["best"].tolist() == [False, True, False, False]
    assert "trial 1 of 4 is used" in (search / "summary.md").read_text()
    assert (
        "trial 1 of 4 is used"
        in json.loads((search / "results.json").read_text())["about"]["Search"]
    )
    final = finalize(search)
    facts = json.loads((final / FACTS).read_text())
    assert facts["folds"] == ["1"] and "trial 1 of 4" in facts["search"]
    config = json.loads((final / "config.json").read_text())
    assert config["data"]["min_counts"] == 11
    pack(search, tmp_path / "bundle", allow_leak=True)  # its score was edited, as the audit says
    assert "trial 1 of 4 is used" in (tmp_path / "bundle" / "README.md").read_text()
    assert find_checkpoints(str(search)) == [final / BEST]
    assert best_trial(search) is not None


def test_a_trial_of_fewer_folds_is_not_the_best(search: Path) -> None:
    """Its mean is over other sections."""
    for i in (0, 2, 3):
        shutil.copytree(search / str(i), search / "kept" / str(i))
        shutil.rmtree(search / str(i))
        for fold in range(2):
            shutil.copytree(search / "kept" / str(i), search / str(i) / f"fold{fold}")
    shutil.rmtree(search / "kept")
    edit(search / "2" / "fold1" / "metrics.json", val_score=0.1)
    assert [trial.score for trial in trials(search)] == [0.2, None, pytest.approx(0.2), 0.1]
    best = best_trial(search)
    assert best is not None and best.folder.name == "0"


def test_what_has_no_score_is_never_the_best(
    search: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edit(search / "1" / "metrics.json", val_score=float("nan"))
    (search / "2" / "metrics.json").write_text("{")
    (search / "0" / "metrics.json").unlink()
    best = best_trial(search)
    assert best is not None and best.folder.name == "3"
    assert "a trial without a score" in caplog.text
    (search / "3" / "metrics.json").unlink()
    with pytest.raises(InputError, match="no finished run"):
        read_runs(search)
    with pytest.raises(InputError, match=r"no checkpoints/best.ckpt below"):
        find_checkpoints(str(search))


def test_after_a_restart_trials_beyond_it_do_not_count(search: Path) -> None:
    begin_search(search, 1, restart=False)
    assert len(trials(search)) == 4
    begin_search(search, 1, restart=True)
    assert [trial.folder.name for trial in trials(search)] == ["0"]
    assert find_checkpoints(str(search)) == [search / "0" / BEST]


def test_a_mark_that_is_none_is_refused(search: Path) -> None:
    (search / "search.json").write_text(json.dumps({"n_trials": "many"}))
    with pytest.raises(InputError, match=r"search.json: n_trials: expected a whole number"):
        read_runs(search)
