"""The model on all sections: one panel, the folds' scores gene by gene, and no score of its own."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import Run

from hespotex.auditing.audit import audit_run
from hespotex.common.errors import InputError
from hespotex.common.files import read_json
from hespotex.finalize import finalize
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.choice import _settings
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.layout import BEST
from hespotex.records.runs import read_runs
from hespotex.records.trusted import check_groups
from hespotex.results.slide.evidence import COLUMNS as EARNED
from hespotex.results.slide.evidence import gene_evidence
from hespotex.results.tables.final import FACTS, read_final_genes
from hespotex.results.tables.gene_table import gene_table
from hespotex.results.tables.statistics import bootstrap_interval
from hespotex.results.tables.sweep import Tables


@pytest.fixture
def sweep(finalized: Path) -> Path:
    return finalized


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    (file.parent / "files.json").unlink(missing_ok=True)


def test_all_sections_and_one_panel(sweep: Path) -> None:
    about = read_checkpoint(sweep / "final" / "ridge" / "checkpoints" / "best.ckpt")["hespotex"]
    assert sorted(about["split"]["train"]) == ["DEMO1", "DEMO2", "DEMO3", "DEMO5"]
    assert about["split"]["val"] == about["split"]["test"] == [] and len(about["genes"]) == 40
    folds = [
        read_checkpoint(sweep / str(i) / "checkpoints" / "best.ckpt")["hespotex"]["genes"]
        for i in range(3)
    ]
    assert len(set.intersection(*map(set, folds))) < 40  # what an average of the folds predicts
    facts = read_json(sweep / "final" / "ridge" / FACTS)
    assert facts["fitted_on"] == {"DEMO1": "P1", "DEMO2": "P1", "DEMO3": "P2", "DEMO5": "P3"}
    assert facts["scores"]["n_groups"] == 3 and facts["n_genes"] == 40
    assert any(
        "no fold's panel" in words or "own panel" in words for words in facts["does_not_cover"]
    )


def test_the_scores_of_genes_are_those_of_the_folds(sweep: Path) -> None:
    genes = read_final_genes(sweep / "final" / "ridge")
    rows = pd.concat(
        [pd.read_csv(sweep / str(i) / "per_gene.csv").assign(fold=i) for i in range(3)]
    )
    rows = rows.dropna(subset="pcc").assign(
        group=lambda t: t["section_id"].map(
            {"DEMO1": "P1", "DEMO2": "P1", "DEMO3": "P2", "DEMO5": "P3"}
        )
    )
    every = rows.rename(columns={"fold": "seed"}).assign(fold_strategy="x", model="ridge")
    table = gene_table(every).set_index("gene")
    assert len(genes) == 40 and genes["scored"].any()
    for gene, row in genes.iterrows():
        own = rows[rows["gene"] == gene]
        assert row["scored"] == (len(own) > 0) and row["n_sections"] == len(own)
        assert row["n_folds"] == own["fold"].nunique()
        if len(own):
            groups = own.groupby("group")["pcc"].mean().to_numpy()
            low, high = bootstrap_interval(groups)
            expected = {
                "pcc": own["pcc"].mean(),
                "low": low,
                "high": high,
                "q": table["q"].get(gene),
            }
            for name, value in expected.items():
                assert row[name] == pytest.approx(value, rel=1e-4, nan_ok=True), (gene, name)
    never = genes[~genes["scored"]]
    assert never[["pcc", "low", "high", "q", "found"]].isna().all(axis=None)


def test_it_is_no_row_of_any_table(sweep: Path) -> None:
    before = Tables.read(sweep)
    shutil.rmtree(sweep / "final")
    after = Tables.read(sweep)
    pd.testing.assert_frame_equal(before.models, after.models)
    pd.testing.assert_frame_equal(before.genes, after.genes)
    assert {run.fold_strategy for run in read_runs(sweep)} == {"leave_one_group_out"}


def test_alone_it_has_no_score(sweep: Path) -> None:
    run = sweep / "final" / "ridge"
    with pytest.raises(InputError, match="left no section out, so there is no score"):
        read_runs(run)
    assert {finding.verdict for finding in audit_run(run, None)} == {"NOT CHECKED"}
    assert "No score of its own" in (run / "run.txt").read_text()
    assert not [
        key for key in json.loads((run / "metrics.json").read_text()) if key.startswith("test/")
    ]


def test_leaks_of_the_folds_stay_as_labels(sweep: Path) -> None:
    edit(sweep / "1" / "metrics.json", leaks=["the teacher saw the test section"])
    finalize(sweep, restart=True)
    assert read_json(sweep / "final" / "ridge" / FACTS)["leaks"] == [
        "cross-validation: the teacher saw the test section"
    ]


def test_a_second_call_finds_it_finished(sweep: Path) -> None:
    file = sweep / "final" / "ridge" / "checkpoints" / "best.ckpt"
    before = file.stat().st_mtime_ns
    (sweep / "final" / "ridge" / "genes.csv").unlink()
    finalize(sweep)
    assert file.stat().st_mtime_ns == before and (sweep / "final" / "ridge" / "genes.csv").is_file()


@pytest.mark.parametrize("scored", [True, False])
def test_one_patient_only(train: Run, tmp_path: Path, scored: bool) -> None:
    words = ["model=ridge", "data.panel.n_top=20", "data.reader.sections=[DEMO1,DEMO2]"]
    sweep = tmp_path / "one"
    sweep.mkdir()
    if scored:
        train(*words, "fold=leave_one_section_out", folder=sweep / "0")
    else:
        with pytest.raises(InputError, match="more groups"):
            train(*words, folder=sweep / "0")
    facts = read_json(finalize(sweep) / FACTS)
    genes = read_final_genes(sweep / "final" / "ridge")
    if scored:
        assert facts["scores"]["interval"] == "none: one group" and genes["low"].isna().all()
    else:
        assert facts["scores"] == "none" and not genes["scored"].any()


@pytest.mark.parametrize(
    "models, asked, words",
    [
        (
            {"1": ("strict", "model"), "2": ("dual_stream", "model")},
            None,
            "dual_stream.*--model NAME",
        ),
        ({"1": ("mlp", "baseline")}, None, "ridge.*--model NAME"),
        ({"1": ("shuffled", "control")}, "shuffled", "shuffled is a control, no model to use"),
        ({}, "stricter", "stricter is not there; choose one of ridge"),
    ],
)
def test_which_model_is_meant(
    sweep: Path, models: dict[str, tuple[str, str]], asked: str | None, words: str
) -> None:
    shutil.rmtree(sweep / "final")
    for folder, (name, role) in models.items():
        edit(sweep / folder / "metrics.json", model=name, role=role)
    with pytest.raises(InputError, match=words):
        finalize(sweep, asked)
    assert not (sweep / "final").exists()


HOSTILE = [
    ("data", "reader", {"_target_": "os.system", "command": "touch HERE"}),
    ("data", "inputs", {"_target_": "os.system", "command": "touch HERE"}),
    ("data", "name", {"_target_": "os.system", "command": "touch HERE"}),
    ("data", "name", "${oc.env:HOME}"),
    ("model", "module", {"_target_": "subprocess.Popen", "args": ["touch", "HERE"]}),
    ("model", "reference", {"_target_": "os.system", "command": "touch HERE"}),
    ("encoder", "_target_", "builtins.exec"),
    ("nuclei", "counter", {"_target_": "os.system", "command": "touch HERE"}),
]


@pytest.mark.parametrize("group, key, value", HOSTILE, ids=lambda value: str(value)[:12])
def test_nothing_is_built_that_a_file_names(
    sweep: Path,
    group: str,
    key: str,
    value: object,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(sweep / "final")
    for i in range(3):
        file = sweep / str(i) / "config.json"
        content = json.loads(file.read_text())
        edit(file, **{group: content[group] | {key: value}})
    with pytest.raises(InputError, match="not loaded"):
        finalize(sweep)
    assert not (sweep / "final").exists() and not (tmp_path / "HERE").exists()


def test_a_reader_that_a_file_names_makes_nothing(sweep: Path, tmp_path: Path) -> None:
    """Not even where the file leaves out the setting that would make it."""
    made = tmp_path / "made"
    shutil.rmtree(sweep / "final")
    for i in range(3):
        file = sweep / str(i) / "config.json"
        data = json.loads(file.read_text())["data"]
        reader = {"_target_": "hespotex.sections.readers.demo.DemoReader", "root": str(made)}
        edit(file, data=data | {"reader": reader})
    with pytest.raises(InputError, match="folder not found"):
        finalize(sweep)
    assert not made.exists()


def test_what_our_own_runs_hold_is_let_through(sweep: Path) -> None:
    content = json.loads((sweep / "0" / "config.json").read_text())
    check_groups({name: content[name] for name in ("data", "encoder", "nuclei", "model")}, "here")


def test_runs_that_differ_are_no_folds(sweep: Path) -> None:
    file = sweep / "1" / "config.json"
    content = json.loads(file.read_text())
    content["model"]["module"]["neighbours"] = True
    edit(file, model=content["model"])
    with pytest.raises(InputError, match=r"model.module.neighbours: False in 0, True in 1"):
        finalize(sweep)


def test_it_is_the_model_to_predict_with(sweep: Path) -> None:
    final = sweep / "final" / "ridge" / BEST
    folds = [sweep / str(i) / BEST for i in range(3)]
    assert find_checkpoints(str(sweep)) == find_checkpoints(str(sweep / "*")) == [final]
    assert (
        find_checkpoints(str(sweep), folds=True) == find_checkpoints(str(sweep / "[0-9]")) == folds
    )
    assert (
        find_checkpoints(str(final)) == find_checkpoints(str(sweep / "final" / "ridge")) == [final]
    )
    genes = read_final_genes(sweep / "final" / "ridge")
    earned = gene_evidence([final], list(genes.index))
    assert list(earned.index) == list(genes.index)
    assert list(earned) == list(EARNED.values())
    (sweep / "final" / "ridge" / "metrics.json").unlink()  # not finished
    assert find_checkpoints(str(sweep)) == folds


def test_two_final_models_are_named(sweep: Path) -> None:
    shutil.copytree(sweep / "final" / "ridge", sweep / "final" / "mlp")
    with pytest.raises(InputError, match=r"several models on all sections: .*mlp, .*ridge"):
        find_checkpoints(str(sweep))


def test_what_a_reader_may_make_is_no_setting_of_a_model() -> None:
    """The demo is made by its folds and read by the final model."""
    final = {"data": {"reader": {"root": "a", "generate": False, "download": False}}}
    assert _settings(final) == _settings({"data": {"reader": {"root": "a"}}})
    assert _settings(final) != _settings({"data": {"reader": {"root": "b"}}})
