"""The audit passes a clean run, and with a leak planted by hand in each place it fails on that very rule."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
import pytest
import torch
from conftest import Run
from torch_geometric.data import Data

from hespotex import run as run_module
from hespotex import teacher as teacher_module
from hespotex.audit import main
from hespotex.auditing.audit import RULES, audit_run, audit_runs
from hespotex.auditing.case import KnownEncoder
from hespotex.auditing.dataset import DataSets
from hespotex.auditing.findings import FAIL, PASS, UNCHECKED, Finding
from hespotex.data.assemble import standardize
from hespotex.data.datamodule import SectionDataModule
from hespotex.data.expression import PearsonResiduals
from hespotex.data.genes import GenePanel
from hespotex.data.loader import SectionLoader
from hespotex.data.section import Section
from hespotex.errors import InputError
from hespotex.modules.ridge import RidgeModule
from hespotex.nn.ridge import NeighbourRidge
from hespotex.summary import summarise

SHORT = ["model.max_epochs=2", "model.teacher.max_epochs=2", "data.panel.n_top=40"]
RIDGE = ["model=ridge", "data.panel.n_top=40"]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: Patch) -> None:
    monkeypatch.setattr("hespotex.results.scores.draw_pair", lambda *_: None)


@pytest.fixture
def clean(ridge_run: Path) -> Path:
    return ridge_run


def audit(folder: Path) -> dict[str, Finding]:
    return {finding.rule: finding for finding in audit_run(folder, DataSets())}


def failed(folder: Path) -> list[str]:
    findings = audit(folder)
    assert len(findings) == len(RULES)
    assert UNCHECKED not in {finding.verdict for finding in findings.values()}, findings
    return [rule for rule, finding in findings.items() if finding.verdict == FAIL]


@pytest.mark.parametrize(
    "words",
    [SHORT, [*RIDGE, "data/expression=pearson_residuals"], [*SHORT, "data.smooth_training=0.5", "fold.validation=0"]],
    ids=["strict", "residuals", "smoothed, no validation"],
)
def test_a_clean_run_passes_every_rule(train: Run, words: list[str]) -> None:
    folder = train(*words)
    assert failed(folder) == []
    written = json.loads((folder / "audit.json").read_text())
    assert not written["quick"] and {rule["verdict"] for rule in written["rules"]} == {PASS}


def test_published_fails_and_says_that_it_was_asked_for(train: Run) -> None:
    folder = train("model=published", "data/panel=published", "data.panel.min_cells=20", "data.panel.n_top=100", *SHORT[:2])
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
    assert audit(folder)["groups"].asked == "fold.allow_leak=true"


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


class TestPlantedInTheFiles:
    """Leaks written into what a clean run has left."""

    def test_a_test_section_in_the_training_list(self, clean: Path) -> None:
        edit(clean / "split.json", lambda split: split["train"].append(split["test"][0]))
        assert failed(clean) == ["split"]

    def test_a_split_that_all_files_tell_but_the_strategy_does_not_give(self, clean: Path) -> None:
        def swap(split: dict[str, list[str]]) -> None:
            split["train"][0], split["val"][0] = split["val"][0], split["train"][0]

        edit(clean / "split.json", swap)
        edit(clean / "metrics.json", lambda metrics: swap(metrics["split"]))
        content = torch.load(clean / "checkpoints" / "best.ckpt", weights_only=True)
        swap(content["hespotex"]["split"])
        torch.save(content, clean / "checkpoints" / "best.ckpt")
        findings = audit(clean)
        assert findings["split"].verdict == findings["scaling"].verdict == FAIL
        assert "gives other sections in train, val" in findings["split"].reason

    def test_scores_that_the_predictions_do_not_give(self, clean: Path) -> None:
        edit(clean / "metrics.json", lambda metrics: metrics["sections"][0].update(pcc_gene=0.9))
        assert failed(clean) == ["test"]

    def test_test_scores_in_the_log_of_every_epoch(self, clean: Path) -> None:
        log = clean / "csv" / "metrics.csv"
        log.parent.mkdir(exist_ok=True)
        pd.DataFrame({"epoch": [0, 1], "test/pcc_gene": [0.1, 0.2]}).to_csv(log, index=False)
        assert failed(clean) == ["test"]

    def test_scaling_of_one_gene(self, clean: Path) -> None:
        content = torch.load(clean / "checkpoints" / "best.ckpt", weights_only=True)
        content["state_dict"]["gene_mean"][3] *= 1.02
        torch.save(content, clean / "checkpoints" / "best.ckpt")
        findings = audit(clean)
        assert findings["scaling"].verdict == FAIL
        assert findings["panel"].verdict == findings["closed form"].verdict == PASS


class TestPlantedInTheCode:
    """Code that leaks while every label says that it does not."""

    def test_a_panel_that_saw_the_test_sections(self, train: Run, monkeypatch: Patch) -> None:
        def leaky(self: SectionDataModule, sections: dict[str, Section]) -> None:
            chosen = self.panel_rule.fit([sections[i] for i in [*self.split.train, *self.split.test]])
            self.panel = GenePanel(chosen.genes, sorted(self.split.train))
            self.expression.fit([sections[i] for i in sorted(self.split.train)], self.panel)

        monkeypatch.setattr(SectionDataModule, "fit", leaky)
        folder = train(*RIDGE)
        assert failed(folder) == ["panel"]
        assert "training and test sections together" in audit(folder)["panel"].reason

    def test_a_target_that_saw_the_test_sections(self, train: Run, monkeypatch: Patch) -> None:
        fit = PearsonResiduals.fit

        def leaky(self: SectionDataModule, sections: dict[str, Section]) -> None:
            train_ids = sorted(self.split.train)
            self.panel = self.panel_rule.fit([sections[i] for i in train_ids])
            fit(self.expression, list(sections.values()), self.panel)  # type: ignore[arg-type]
            self.expression.fitted_on = train_ids

        monkeypatch.setattr(SectionDataModule, "fit", leaky)
        assert failed(train(*RIDGE, "data/expression=pearson_residuals")) == ["target"]

    @pytest.mark.parametrize("words", [RIDGE, SHORT], ids=["ridge", "strict"])
    def test_scaling_that_saw_the_test_sections(self, train: Run, monkeypatch: Patch, words: list[str]) -> None:
        def leaky(self: SectionDataModule) -> tuple[torch.Tensor, torch.Tensor]:
            values = torch.cat([self.data[i].expression for i in [*self.split.train, *self.split.test]])
            return values.mean(0), values.std(0, correction=0)

        monkeypatch.setattr(SectionDataModule, "scaling", leaky)
        folder = train(*words)
        assert failed(folder) == ["scaling"]
        assert "training and test sections together" in audit(folder)["scaling"].reason

    @pytest.mark.parametrize("words", [RIDGE, SHORT], ids=["ridge", "strict"])
    def test_closed_form_weights_that_saw_a_test_section(self, train: Run, monkeypatch: Patch, words: list[str]) -> None:
        fitted, fit = run_module.fitted_closed_form, NeighbourRidge.fit

        def leaky(config: Any, datamodule: SectionDataModule) -> Any:
            extra = datamodule.data[datamodule.split.test[0]]
            mean, std = datamodule.scaling()

            def fit_on_more(self: NeighbourRidge, train: Sequence[Any], targets: Sequence[torch.Tensor]) -> None:
                fit(self, [*train, extra], [*targets, (extra.expression - mean) / std])

            with monkeypatch.context() as patch:
                patch.setattr(NeighbourRidge, "fit", fit_on_more)
                return fitted(config, datamodule)

        monkeypatch.setattr(run_module, "fitted_closed_form", leaky)
        assert failed(train(*words)) == ["closed form"]

    def test_a_teacher_that_saw_a_test_section_under_another_name(self, train: Run, monkeypatch: Patch) -> None:
        graph = teacher_module._expression_graph

        def leaky(datamodule: SectionDataModule, section_id: str, settings: dict[str, Any]) -> Data:
            first = section_id == datamodule.split.train[0]
            data = graph(datamodule, datamodule.split.test[0] if first else section_id, settings)
            data.section_id = section_id
            return data

        monkeypatch.setattr(teacher_module, "_expression_graph", leaky)
        folder = train(*SHORT, "model.module.latent_weight=0")  # as many spots or not, the latents do not matter here
        assert failed(folder) == ["teacher"]
        assert "is not the expression of these sections" in audit(folder)["teacher"].reason

    def test_an_epoch_that_the_test_sections_chose(self, train: Run, monkeypatch: Patch) -> None:
        def leaky(self: SectionDataModule) -> SectionLoader:
            return SectionLoader([self.data[i] for i in self.split.test])

        monkeypatch.setattr(SectionDataModule, "val_dataloader", leaky)
        folder = train(*SHORT)
        assert failed(folder) == ["epoch"]
        assert "that is what the test sections give" in audit(folder)["epoch"].reason

    def test_a_test_section_among_the_training_batches(self, train: Run, monkeypatch: Patch) -> None:
        def leaky(self: SectionDataModule) -> SectionLoader:
            extra = self.data[self.split.test[0]].clone()
            extra.latent = torch.zeros(extra.num_nodes, 64)
            return SectionLoader([*(self.data[i] for i in self.split.train), extra])

        monkeypatch.setattr(SectionDataModule, "train_dataloader", leaky)
        assert failed(train(*SHORT)) == ["training"]

    def test_embeddings_standardised_over_several_sections(self, train: Run, monkeypatch: Patch) -> None:
        predict = run_module.predict_test

        def leaky(trainer: Any, module: Any, datamodule: SectionDataModule) -> dict[str, torch.Tensor]:
            parts = [datamodule.data[i] for i in datamodule.split.test]
            pooled = standardize(torch.cat([part.image_embedding + n for n, part in enumerate(parts)]).numpy())
            for part, rows in zip(parts, torch.split(torch.from_numpy(pooled), [p.num_nodes for p in parts]), strict=True):
                part.image_embedding = rows
            return predict(trainer, module, datamodule)

        monkeypatch.setattr(run_module, "predict_test", leaky)
        assert failed(train(*RIDGE)) == ["embeddings"]


def test_one_tissue_under_two_patients(train: Run, small_demo: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small_demo, tmp_path / "doubled")
    table = ad.read_h5ad(root / "st" / "DEMO1.h5ad")
    table.write_h5ad(root / "st" / "DEMO3.h5ad")
    shutil.copy(root / "wsis" / "DEMO1.tif", root / "wsis" / "DEMO3.tif")
    folder = train(*RIDGE, f"data.reader.root={root}", "data.detect_duplicates=false")
    assert failed(folder) == ["duplicates"]
    shutil.rmtree(root)
    quick = audit(folder)["duplicates"]
    assert quick.verdict == FAIL and "DEMO1 (test) and DEMO3: the image have the same hash" in quick.reason


def test_without_the_data_only_the_record_speaks(train: Run, small_demo: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small_demo, tmp_path / "copy")
    folder = train(*RIDGE, f"data.reader.root={root}")
    table = ad.read_h5ad(root / "st" / "DEMO5.h5ad")
    table.X = table.X[::-1].tocsr()
    table.write_h5ad(root / "st" / "DEMO5.h5ad")
    changed = audit(folder)["scaling"]
    assert changed.verdict == UNCHECKED and "the counts of DEMO5 have changed since the run" in changed.reason
    shutil.rmtree(root)
    gone = audit(folder)
    assert {rule for rule, f in gone.items() if f.verdict == PASS} == {"target", "teacher", "training"}
    assert all("not re-derived: the data set is not found at" in f.reason for f in gone.values() if f.verdict == UNCHECKED)
    assert "a quick audit reads no data" in {f.rule: f for f in audit_run(folder, None)}["panel"].reason


def test_embeddings_that_left_the_store(train: Run, tmp_path: Path) -> None:
    folder = train(*RIDGE, f"paths.store={tmp_path / 'own'}")
    shutil.rmtree(tmp_path / "own" / "DEMO1")
    findings = audit(folder)
    assert findings["embeddings"].verdict == UNCHECKED and "is no longer in the store" in findings["embeddings"].reason
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


def test_the_summary_audits_every_run(train: Run, clean: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(*RIDGE, "fold=leave_one_section_out", "fold.index=1", folder=clean.parent / "leaky")
    caplog.set_level("INFO")
    summarise(clean.parent)
    assert "- ridge, fold 0, seed 0: audit: 12 pass, 0 fail\n" in (clean.parent / "summary.md").read_text()
    assert "- ridge, fold 1, seed 0: audit: 11 pass, 1 fail (groups); groups: on both sides: P1" in caplog.text


def test_the_command(
    clean: Path, monkeypatch: Patch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> int | str | None:
        monkeypatch.setattr("sys.argv", ["audit", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code

    caplog.set_level("INFO")
    assert run(str(clean)) == 0
    assert "PASS         scaling      the training" in caplog.text and "audit: 12 pass, 0 fail" in caplog.text
    edit(clean / "split.json", lambda split: split["train"].append(split["test"][0]))
    assert run("--quick", str(clean)) == 1
    assert "FAIL         split        split.json has other sections in train" in caplog.text
    assert run(str(clean.parent)) == 2
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert "RUN_DIR" in shown and "--quick" in shown


def test_a_summary_of_much_data_takes_the_record(clean: Path) -> None:
    run = json.loads((clean / "metrics.json").read_text()) | {"folder": str(clean)}
    run["section_facts"]["DEMO1"]["n_spots"] = 10**6
    lines = audit_runs([run])
    assert "not checked" in lines[0] and "python -m hespotex.audit RUN_DIR" in lines[1]


def test_what_the_store_asks_of_an_encoder() -> None:
    one = {"name": "a", "patch_um": [100], "patch_px": 16, "patch_cut": "padded"}
    pair = KnownEncoder({"name": "both", "parts": {"x": one, "y": None}}, {"name": "both", "parts": {"x": {"name": "a"}}})
    assert [part.patch_um for part in pair.parts] == [[100.0]] and pair.parts[0].identity() == {"name": "a"}
    with pytest.raises(InputError, match="encodes nothing"):
        pair(torch.zeros(1), 0.5)


def test_what_was_fitted_outside_the_closed_form(clean: Path, monkeypatch: Patch) -> None:
    """A model that takes something from the data at another place than `fit_closed_form`."""
    monkeypatch.setattr(RidgeModule, "fit_closed_form", lambda *_: None)
    finding = audit(clean)["closed form"]
    assert finding.verdict == FAIL and "linear.weight: fitted outside" in finding.reason
