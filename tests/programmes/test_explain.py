"""`python -m hespotex.explain` on a small sweep: its files and chapter, and what is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CHECKOUT, Run

from hespotex.common.errors import InputError
from hespotex.explain import explain
from hespotex.records.manifest import check_files
from hespotex.results.programmes import COLUMNS

WORDS = ["data.panel.n_top=40", "data.reader.sections=[DEMO1,DEMO3,DEMO5]"]


@pytest.fixture
def sweep(train: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of ridge on embeddings without names, made once; each test gets a copy."""
    kept = tmp_path_factory.getbasetemp() / "kept_explained"
    if not kept.is_dir():
        kept.mkdir()
        for i in range(2):
            train("model=ridge", *WORDS, f"fold.index={i}", folder=kept / str(i))
    return Path(shutil.copytree(kept, tmp_path / "sweep"))


def test_files_and_chapter(sweep: Path) -> None:
    """By the command, in a process of its own: here others have told Hydra's words already."""
    command = [sys.executable, "-m", "hespotex.explain", str(sweep)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    home = sweep / "programmes"
    table = pd.read_csv(home / "programmes.csv", keep_default_na=False)
    assert list(table) == list(COLUMNS)
    assert table["share"].between(0.01, 1).all() and table["share"].sum() <= 1
    assert set(table["n_folds"]) == {2} and set(table["model"]) == {"ridge"}
    genes = pd.read_csv(home / "genes.csv").set_index("gene")
    assert set(table["genes_up"].iloc[0].split()) <= set(genes.index)
    scores = pd.read_csv(home / "scores.csv")
    assert scores["section_id"].nunique() == 2
    assert scores["programme_1"].std(ddof=0) == pytest.approx(1, rel=1e-4)
    statistics = pd.read_csv(home / "statistics.csv")
    assert statistics["r"].abs().max() <= 1 and statistics["meaning"].notna().all()
    page = (sweep / "report" / "index.html").read_text(encoding="utf-8")
    assert "What the model saw (ridge, leave one group out)" in page
    assert page.count("<figcaption>Left-out sections: patches of the highest") == len(table)
    assert page.count("score predicted by a model that never saw it") >= 2
    assert "programmes/programmes.csv" in (sweep / "run.txt").read_text()
    for run in ("0", "1"):
        check_files(sweep / run)


def test_the_score_is_that_of_the_predictions(sweep: Path) -> None:
    """By hand: r of predicted and measured scores over the spots of each section."""
    explain(sweep)
    scores = pd.read_csv(sweep / "programmes" / "scores.csv")
    r = [
        np.corrcoef(own["programme_1"], own["programme_1_measured"])[0, 1]
        for _, own in scores.groupby("section_id")
    ]
    table = pd.read_csv(sweep / "programmes" / "programmes.csv")
    assert table["pcc"].iloc[0] == pytest.approx(np.mean(r), abs=1e-4)


def test_why_a_gene_is_predicted(sweep: Path) -> None:
    """Each gene names the programme of its largest loading, and what its own prediction goes
    with.
    """
    explain(sweep)
    genes = pd.read_csv(sweep / "programmes" / "genes.csv", keep_default_na=False)
    loadings = genes.filter(regex=r"^programme_\d$").to_numpy()
    np.testing.assert_array_equal(genes["programme"], np.abs(loadings).argmax(axis=1) + 1)
    assert genes["share"].between(0, 1).all()
    best = genes.sort_values("share").iloc[-1]
    table = pd.read_csv(sweep / "programmes" / "programmes.csv", keep_default_na=False)
    programme = table.set_index("programme")["seen"][best["programme"]]
    same = best["seen"].split(" (r")[0] in programme
    assert same or best[f"programme_{best['programme']}"] < 0


def test_a_model_that_is_not_there(sweep: Path) -> None:
    with pytest.raises(InputError, match=r"--model strict: no such model .* one of ridge"):
        explain(sweep, model="strict")
    assert not (sweep / "programmes").exists()


def test_a_model_that_predicts_nothing(train: Run, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    train("model=gene_mean", *WORDS, folder=tmp_path / "flat" / "0")
    with pytest.raises(InputError, match="predicts every gene constant: there are no programmes"):
        explain(tmp_path / "flat")


def test_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        explain(tmp_path)
