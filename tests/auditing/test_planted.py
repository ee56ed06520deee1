"""With a leak planted by hand in each place, the audit fails on that very rule."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import Run

from hespotex.batches import prepare as prepare_module
from hespotex.batches.assemble import standardize
from hespotex.batches.datamodule import SectionDataModule
from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.loader import BlockLoader
from hespotex.batches.spot_graph import SpotGraph
from hespotex.embeddings.levels import TrainingScale
from hespotex.genes.expression import PearsonResiduals
from hespotex.genes.panel import GenePanel, PanelRule
from hespotex.genes.scaling import scaling
from hespotex.results.findings import FAIL, PASS
from hespotex.sections.sections import SectionList, Sections
from hespotex.splits.split import Split
from hespotex.training import run as run_module
from hespotex.training import teacher as teacher_module
from hespotex.training.fit import predict_test, prepared_module

from .findings import RIDGE, SHORT, STRICT, audit, edit, failed

Patch = pytest.MonkeyPatch


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

    def test_a_gene_that_no_training_section_measured(self, clean: Path) -> None:
        for number, words in ((0, "no training section measured"), (1, "other training sections")):
            content = torch.load(clean / "checkpoints" / "best.ckpt", weights_only=True)
            content["hespotex"]["genes_trained_in"]["sections"][3] = number
            torch.save(content, clean / "checkpoints" / "best.ckpt")
            edit(clean / "metrics.json", lambda metrics: metrics)
            finding = audit(clean)["genes measured"]
            assert finding.verdict == FAIL and words in finding.reason

    def test_scores_that_the_predictions_do_not_give(self, clean: Path) -> None:
        edit(clean / "metrics.json", lambda metrics: metrics["sections"][0].update(pcc_gene=0.9))
        assert failed(clean) == ["test"]

    def test_test_scores_in_the_log_of_every_epoch(self, clean: Path) -> None:
        log = clean / "csv" / "metrics.csv"
        log.parent.mkdir(exist_ok=True)
        pd.DataFrame({"epoch": [0, 1], "test/pcc_gene": [0.1, 0.2]}).to_csv(log, index=False)
        assert failed(clean) == ["test"]

    def test_a_calibration_that_training_sections_do_not_give(self, train: Run) -> None:
        folder = train(*STRICT, "model.calibrate=true")
        content = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
        content["state_dict"]["calibration.slope"][3] *= 1.1
        torch.save(content, folder / "checkpoints" / "best.ckpt")
        edit(folder / "metrics.json", lambda metrics: metrics)
        finding = audit(folder)["closed form"]
        assert finding.verdict == FAIL and "calibration.slope" in finding.reason

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
        def leaky(sections: Sections, split: Split, rule: PanelRule) -> GenePanel:
            chosen = rule.fit(sections.of([*split.train, *split.test]))
            return GenePanel(chosen.genes, sorted(split.train))

        monkeypatch.setattr(prepare_module, "fit_panel", leaky)
        folder = train(*RIDGE)
        assert failed(folder) == ["panel"]
        assert "training and test sections together" in audit(folder)["panel"].reason

    def test_a_target_that_saw_the_test_sections(self, train: Run, monkeypatch: Patch) -> None:
        fit = PearsonResiduals.fit

        def leaky(self: PearsonResiduals, training: SectionList, panel: GenePanel) -> None:
            every = training.sections.of(list(training.sections.keys))
            fit(self, every, panel)
            self.fitted_on = training.section_ids

        with monkeypatch.context() as patch:
            patch.setattr(PearsonResiduals, "fit", leaky)
            folder = train(*RIDGE, "data/expression=pearson_residuals")
        assert failed(folder) == ["target"]

    @pytest.mark.parametrize(
        "words", [RIDGE, SHORT, STRICT], ids=["ridge", "dual_stream", "strict"]
    )
    def test_scaling_that_saw_the_test_sections(
        self, train: Run, monkeypatch: Patch, words: list[str]
    ) -> None:
        def leaky(self: Fold) -> Fold:
            ids = [*self.split.train, *self.split.test]
            return replace(self, scaling=scaling(self.sections[i].target for i in ids))

        monkeypatch.setattr(Fold, "of_training", leaky)
        folder = train(*words)
        assert failed(folder) == ["scaling"]
        assert "training and test sections together" in audit(folder)["scaling"].reason

    @pytest.mark.parametrize("words", [RIDGE, STRICT], ids=["ridge", "strict"])
    def test_closed_form_weights_that_saw_a_test_section(
        self, train: Run, monkeypatch: Patch, words: list[str]
    ) -> None:
        def leaky(config: Any, fold: Fold) -> Any:
            more = [*fold.split.train, fold.split.test[0]]
            return prepared_module(config, replace(fold, split=replace(fold.split, train=more)))

        monkeypatch.setattr(run_module, "prepared_module", leaky)
        assert failed(train(*words)) == ["closed form"]

    def test_a_teacher_that_saw_a_test_section_under_another_name(
        self, train: Run, monkeypatch: Patch
    ) -> None:
        graph = teacher_module._expression_graph

        def leaky(fold: Fold, section_id: str, *settings: Any) -> SpotGraph:
            first = section_id == fold.split.train[0]
            taken = graph(fold, fold.split.test[0] if first else section_id, *settings)
            return replace(taken, section_id=section_id)

        monkeypatch.setattr(teacher_module, "_expression_graph", leaky)
        # as many spots or not, the latents do not matter here
        folder = train(*SHORT, "model.module.latent_weight=0")
        assert failed(folder) == ["teacher"]
        assert "is not the expression of these sections" in audit(folder)["teacher"].reason

    def test_an_epoch_that_the_test_sections_chose(self, train: Run, monkeypatch: Patch) -> None:
        def leaky(self: SectionDataModule) -> BlockLoader:
            return self.fold.loader(self.fold.split.test, self.n_hops)

        monkeypatch.setattr(SectionDataModule, "val_dataloader", leaky)
        folder = train(*SHORT)
        assert failed(folder) == ["epoch"]
        assert "that is what the test sections give" in audit(folder)["epoch"].reason

    def test_a_test_section_among_the_training_batches(
        self, train: Run, monkeypatch: Patch
    ) -> None:
        def leaky(self: SectionDataModule) -> BlockLoader:
            test = self.fold.split.test[0]
            taught = self.fold.with_latents({test: torch.zeros(len(self.fold.graph(test)), 64)})
            return taught.loader([*taught.split.train, test], self.n_hops)

        monkeypatch.setattr(SectionDataModule, "train_dataloader", leaky)
        assert failed(train(*SHORT)) == ["training"]

    def test_the_image_scale_of_all_sections(self, train: Run, monkeypatch: Patch) -> None:
        own = prepare_module.training_scale

        def leaky(sections: Sections, split: Split, recipe: Recipe) -> TrainingScale:
            return own(sections, replace(split, train=[*split.train, *split.test]), recipe)

        monkeypatch.setattr(prepare_module, "training_scale", leaky)
        assert failed(train(*RIDGE)) == ["image scale"]

    def test_embeddings_standardised_over_several_sections(
        self, train: Run, monkeypatch: Patch
    ) -> None:
        predict = predict_test

        def leaky(trainer: Any, module: Any, fold: Fold) -> dict[str, torch.Tensor]:
            parts = [fold.graph(i) for i in fold.split.test]
            pooled = standardize(
                torch.cat(
                    [part.whole().image_embedding + n for n, part in enumerate(parts)]
                ).numpy()
            )
            for part, rows in zip(
                parts, torch.split(torch.from_numpy(pooled), [len(p) for p in parts]), strict=True
            ):
                part.inputs["image_embedding"] = rows
            return predict(trainer, module, fold)

        monkeypatch.setattr(run_module, "predict_test", leaky)
        assert failed(train(*RIDGE)) == ["embeddings"]
