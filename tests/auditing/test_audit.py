"""What the audit says of clean runs, of runs that leak on purpose, and where the data is gone."""

import json
import shutil
from pathlib import Path

import anndata as ad
import pytest
import torch
from conftest import Run, changed_on_purpose

from hespotex.audit import main
from hespotex.auditing.audit import audit_run, audit_runs
from hespotex.auditing.case import KnownEncoder
from hespotex.common.errors import InputError
from hespotex.modules.ridge import RidgeModule
from hespotex.records.record import RunRecord
from hespotex.results.findings import FAIL, PASS, UNCHECKED
from hespotex.summary import summarise

from .findings import RIDGE, SHORT, STRICT, audit, edit, failed

Patch = pytest.MonkeyPatch


@pytest.mark.parametrize(
    "words",
    [
        SHORT,
        STRICT,
        [*STRICT, "model=strict_taught"],
        [*RIDGE, "model=ridge_taught"],
        [*STRICT, "model.calibrate=true"],
        [*RIDGE, "data/expression=pearson_residuals"],
        [*SHORT, "fold.validation=0"],
    ],
    ids=[
        "dual_stream",
        "strict",
        "strict_taught",
        "ridge_taught",
        "calibrated",
        "residuals",
        "no validation",
    ],
)
def test_a_clean_run_passes_every_rule(train: Run, words: list[str]) -> None:
    folder = train(*words)
    assert failed(folder) == []
    written = json.loads((folder / "audit.json").read_text())
    assert not written["quick"] and {rule["verdict"] for rule in written["rules"]} == {PASS}


def test_published_fails_and_says_that_it_was_asked_for(train: Run) -> None:
    short = ["model.max_epochs=2", "model.teacher.max_epochs=2"]
    folder = train(
        "model=published",
        "data/panel=published",
        "data.panel.min_cells=20",
        "data.panel.n_top=100",
        *short,
    )
    findings = audit(folder)
    asked = {rule: finding.asked for rule, finding in findings.items() if finding.verdict == FAIL}
    assert asked == {
        "panel": "data/panel=published",
        "teacher": "model.teacher.fit=sequential",
        "epoch": "model.select_on=test",
    }
    assert findings["epoch"].line().endswith("DEMO1 DEMO2 (as asked for by model.select_on=test)")


def test_sections_of_one_patient_fail_on_groups(train: Run) -> None:
    folder = train(*RIDGE, "fold=leave_one_section_out")
    assert failed(folder) == ["groups"]
    # nobody has set fold.allow_leak
    assert audit(folder)["groups"].asked == "fold=leave_one_section_out"


def test_one_tissue_under_two_patients(train: Run, small_demo: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small_demo, tmp_path / "doubled")
    table = ad.read_h5ad(root / "st" / "DEMO1.h5ad")
    table.write_h5ad(root / "st" / "DEMO3.h5ad")
    shutil.copy(root / "wsis" / "DEMO1.tif", root / "wsis" / "DEMO3.tif")
    folder = train(*RIDGE, f"data.reader.root={root}", "data.detect_duplicates=false")
    assert failed(folder) == ["duplicates"]
    shutil.rmtree(root)
    quick = audit(folder)["duplicates"]
    assert (
        quick.verdict == FAIL
        and "DEMO1 (test) and DEMO3: the image files have the same hash" in quick.reason
    )


def test_without_the_data_only_the_record_speaks(
    train: Run, small_demo: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(small_demo, tmp_path / "copy")
    folder = train(*RIDGE, f"data.reader.root={root}")
    table = ad.read_h5ad(root / "st" / "DEMO5.h5ad")
    table.X = table.X[::-1].tocsr()
    table.write_h5ad(root / "st" / "DEMO5.h5ad")
    changed = audit(folder)["scaling"]
    assert (
        changed.verdict == UNCHECKED
        and "the counts of DEMO5 have changed since the run" in changed.reason
    )
    shutil.rmtree(root)
    gone = audit(folder)
    assert {rule for rule, f in gone.items() if f.verdict == PASS} == {
        "target",
        "teacher",
        "training",
    }
    assert all(
        "not re-derived: the data set is not found at" in f.reason
        for f in gone.values()
        if f.verdict == UNCHECKED
    )
    assert (
        "a quick audit reads no data"
        in {f.rule: f for f in audit_run(folder, None)}["panel"].reason
    )


def test_embeddings_that_left_the_store(train: Run, tmp_path: Path) -> None:
    folder = train(*RIDGE, f"paths.store={tmp_path / 'own'}")
    shutil.rmtree(tmp_path / "own" / "DEMO1")
    findings = audit(folder)
    assert (
        findings["embeddings"].verdict == UNCHECKED
        and "is no longer in the store" in findings["embeddings"].reason
    )
    assert findings["closed form"].verdict == findings["panel"].verdict == PASS
    assert not (tmp_path / "own" / "DEMO1").exists()


def test_folders_that_hold_no_run(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no finished run .metrics.json. in"):
        audit_run(tmp_path, None)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(InputError, match="holds scores but no training run"):
        audit_run(tmp_path, None)
    (clean / "split.json").write_text("{")
    with pytest.raises(InputError, match=r"split.json: cannot be read"):
        audit_run(clean, None)


def test_the_summary_audits_every_run(
    train: Run, clean: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(*RIDGE, "fold=leave_one_section_out", "fold.index=1", folder=clean.parent / "leaky")
    caplog.set_level("INFO")
    summarise(clean.parent)
    assert (
        "- ridge, fold 0, seed 0: audit: 14 pass, 0 fail\n"
        in (clean.parent / "summary.md").read_text()
    )
    assert (
        "- ridge, fold 1, seed 0: audit: 13 pass, 1 fail (groups); groups: on both sides: P1"
        in caplog.text
    )


def test_runs_that_came_out_alike_are_one_line(clean: Path) -> None:
    metrics = json.loads((clean / "metrics.json").read_text())

    def run(model: str, fold: int, seed: int) -> RunRecord:
        split = {**metrics["split"], "index": fold}
        return RunRecord(clean, {**metrics, "model": model, "split": split, "seed": seed})

    runs = [run("ridge", *place) for place in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]]
    lines = audit_runs([run("strict", 3, 0), *runs])
    assert lines == [
        f"- {which}: audit: 14 pass, 0 fail"
        for which in ("ridge, folds 0, 1, seeds 0, 1; fold 2, seed 0", "strict, fold 3, seed 0")
    ]


def test_the_command(
    clean: Path,
    monkeypatch: Patch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*words: str) -> int | str | None:
        monkeypatch.setattr("sys.argv", ["audit", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code

    caplog.set_level("INFO")
    assert run(str(clean)) == 0
    assert (
        "PASS         scaling         the training" in caplog.text
        and "audit: 14 pass, 0 fail" in caplog.text
    )
    edit(clean / "split.json", lambda split: split["train"].append(split["test"][0]))
    assert run("--quick", str(clean)) == 1
    assert "FAIL         split           split.json has other sections in train" in caplog.text
    assert run(str(clean.parent)) == 2
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert "RUN_DIR" in shown and "--quick" in shown


def test_a_summary_of_much_data_takes_the_record(clean: Path) -> None:
    metrics = json.loads((clean / "metrics.json").read_text())
    metrics["section_facts"]["DEMO1"]["n_spots"] = 10**6
    lines = audit_runs([RunRecord(clean, metrics)])
    assert "not checked" in lines[0] and "python -m hespotex.audit RUN_DIR" in lines[1]


def test_a_run_of_an_older_version(clean: Path) -> None:
    edit(clean / "config.json", lambda config: config["data"].pop("genes"))
    path = clean / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    for name in ("section_facts", "teacher", "expression_state"):
        del content["hespotex"][name]
    torch.save(content, path)
    changed_on_purpose(path)
    findings = audit(clean)
    assert FAIL not in {finding.verdict for finding in findings.values()}
    assert findings["panel"].reason == "the run, of an older version, has no record of 'genes'"


def test_what_the_store_asks_of_an_encoder() -> None:
    one = {"name": "a", "patch_um": [100], "patch_px": 16, "patch_cut": "padded"}
    pair = KnownEncoder(
        {"name": "both", "parts": {"x": one, "y": None}},
        {"name": "both", "parts": {"x": {"name": "a"}}},
    )
    assert [part.patch_um for part in pair.parts] == [[100.0]] and pair.parts[0].identity() == {
        "name": "a"
    }
    with pytest.raises(InputError, match="encodes nothing"):
        pair(torch.zeros(1), 0.5)


def test_what_was_fitted_outside_the_closed_form(clean: Path, monkeypatch: Patch) -> None:
    """A model that takes something from the data at another place than `fit_closed_form`."""
    monkeypatch.setattr(RidgeModule, "fit_closed_form", lambda *_: None)
    finding = audit(clean)["closed form"]
    assert (
        finding.verdict == FAIL
        and "linear.weight" in finding.reason
        and "fitted outside" in finding.reason
    )


def test_a_model_without_correlation(clean: Path, monkeypatch: Patch) -> None:
    """A constant prediction has no score, and no score is the same as none."""
    monkeypatch.setattr("hespotex.auditing.case.Case.epoch_score", lambda *_: float("nan"))
    assert audit(clean)["epoch"].verdict == FAIL
    edit(clean / "metrics.json", lambda metrics: metrics.update(val_score=float("nan")))
    assert audit(clean)["epoch"].verdict == PASS
