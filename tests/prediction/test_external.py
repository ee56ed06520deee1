"""External validation: scored as training scores, nothing refitted, and nothing seen is scored
unnoticed.
"""

import json
import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Run, changed_on_purpose, command, compose_config

from hespotex.common.errors import InputError
from hespotex.demo import make_demo
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.ensemble import Ensemble
from hespotex.prediction.external import evaluate
from hespotex.prediction.inference import predict
from hespotex.results.tables.gene_table import COUNTS
from hespotex.summary import summarise

RIDGE = ["model=ridge", "data.panel.n_top=60"]


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another data set: two sections of two patients, which lack the last ten genes; do not change
    it.
    """
    root = make_demo(
        tmp_path_factory.mktemp("other") / "demo",
        seed=7,
        n_patients=2,
        sections_per_patient=1,
        spots_per_side=6,
    )
    for path in (root / "st").glob("*.h5ad"):
        table = ad.read_h5ad(path)
        table[:, :-10].copy().write_h5ad(path)
    return root


class Commands:
    """predict.py in this process."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def __call__(
        self, checkpoint: object, root: Path | None, *words: str, name: str = "out"
    ) -> Path:
        output = self.folder / name
        data = [f"data.reader.root={root}", "data=hest"] if root else []
        common = [f"checkpoint={checkpoint}", f"output={output}", f"paths.store={self.store}"]
        evaluate(compose_config("predict", [*common, *data, "evaluate=true", *words], self.folder))
        return output


@pytest.fixture
def score(store: Path, tmp_path: Path) -> Commands:
    return Commands(store, tmp_path)


def metrics(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    return content


@pytest.mark.parametrize("target", ["log_normalised", "pearson_residuals"])
def test_held_out_sections_get_the_scores_of_the_run(
    train: Run, small_demo: Path, score: Commands, target: str
) -> None:
    """The same model on the same sections by the other door: the same numbers, so nothing was
    fitted anew.
    """
    folder = train(*RIDGE, f"data/expression={target}")
    found = score(
        folder / "checkpoints" / "best.ckpt", small_demo, "data.reader.sections=[DEMO1,DEMO2]"
    )
    one = pd.read_csv(folder / "per_gene.csv")
    two = pd.read_csv(found / "per_gene.csv")
    known = [name for name in one if name not in COUNTS]  # of other sections, and none trains
    pd.testing.assert_frame_equal(one[known], two[known], atol=1e-5)
    assert set(two["measured_sections"]) <= {1, 2} and "trained_sections" not in two
    for section in ("DEMO1", "DEMO2"):
        a, b = (
            ad.read_h5ad(f / "predictions" / f"{section}_predicted.h5ad") for f in (folder, found)
        )
        np.testing.assert_allclose(a.X, b.X, atol=1e-5)
        np.testing.assert_allclose(a.layers["measured"], b.layers["measured"], atol=1e-5)


def test_genes_by_intersection(
    train: Run, elsewhere: Path, score: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    folder = train(*RIDGE, "data.panel.n_top=400")
    caplog.set_level("INFO")
    found = score(folder, elsewhere)
    genes = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["hespotex"]["genes"]
    there = set(ad.read_h5ad(elsewhere / "st" / "DEMO1.h5ad").var_names)
    missing = [gene for gene in genes if gene not in there]
    facts = metrics(found)
    assert missing and facts["missing_genes"]["DEMO1"] == missing  # type: ignore[index]
    assert (
        f"DEMO1: {len(missing)} of the model's {len(genes)} genes are missing: {missing[0]}"
        in caplog.text
    )
    table = ad.read_h5ad(found / "predictions" / "DEMO1_predicted.h5ad")
    lost = {gene for gene in genes if all(gene in own for own in facts["missing_genes"].values())}  # type: ignore[attr-defined]
    assert lost and list(table.var_names) == [gene for gene in genes if gene not in lost]
    measured = table.to_df(layer="measured")
    assert set(measured.columns[measured.isna().all()]) == set(missing) - lost
    assert facts["sections"][0]["n_genes_scored"] == len(genes) - len(missing)  # type: ignore[index]
    assert facts["fold_strategy"] == "external" and facts["leaks"] == []
    assert facts["data"] == "hest (trained on hest)"
    remarks = " ".join(str(remark) for remark in facts["remarks"])  # type: ignore[attr-defined]
    assert "training had groups of the same name (P2): the same patients?" in remarks


def test_folds_are_averaged(train: Run, elsewhere: Path, score: Commands, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    folders = [
        train(*RIDGE, f"fold.index={i}", folder=tmp_path / "sweep" / str(i)) for i in range(2)
    ]
    single = [score(folder, elsewhere, name=f"one{i}") for i, folder in enumerate(folders)]
    both = score(tmp_path / "sweep", elsewhere, name="both")
    assert len(metrics(both)["checkpoints"]) == 2  # type: ignore[arg-type]
    tables = [ad.read_h5ad(f / "predictions" / "DEMO1_predicted.h5ad") for f in (*single, both)]
    genes = list(tables[2].var_names)
    assert set(genes) == set(tables[0].var_names) & set(tables[1].var_names)
    np.testing.assert_allclose(
        tables[2].X, (tables[0][:, genes].X + tables[1][:, genes].X) / 2, atol=1e-5
    )
    summarise(both)
    text = (both / "summary.md").read_text()
    assert text.startswith("# hest (trained on hest)") and "external" in text.lower()
    assert "not audited: " in text and "holds scores but no training run" in text


def test_sections_that_were_seen(
    ridge_run: Path, small_demo: Path, elsewhere: Path, score: Commands, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"DEMO5 was seen in training.*set allow_leak=true"):
        score(ridge_run, small_demo, "data.reader.sections=[DEMO1,DEMO5]")
    found = score(ridge_run, small_demo, "data.reader.sections=[DEMO1,DEMO5]", "allow_leak=true")
    assert metrics(found)["leaks"] == ["DEMO5 was seen in training"]
    # elsewhere, under another name
    root = Path(shutil.copytree(elsewhere, tmp_path / "renamed"))
    shutil.copy(small_demo / "wsis" / "DEMO5.tif", root / "wsis" / "DEMO2.tif")
    shutil.copy(small_demo / "st" / "DEMO5.h5ad", root / "st" / "DEMO2.h5ad")
    with pytest.raises(
        InputError, match=r"DEMO2 is the tissue of DEMO5, which was seen in training .image file."
    ):
        score(ridge_run, root, name="renamed")
    assert not (tmp_path / "renamed_out").exists()


def test_another_section_of_a_training_patient(
    train: Run, small_demo: Path, score: Commands
) -> None:
    folder = train(*RIDGE, "fold=leave_one_section_out")
    with pytest.raises(InputError, match=r"DEMO1 is of P1, of whom DEMO2 was seen in training"):
        score(folder, small_demo, "data.reader.sections=[DEMO1]")


def test_another_pitch_is_told(
    ridge_run: Path, elsewhere: Path, score: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    path = ridge_run / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    content["hespotex"]["pitch_um"] = 200.0
    torch.save(content, path)
    changed_on_purpose(path)
    score(path, elsewhere)
    assert (
        "DEMO1: spots are 100 um apart, 200 um in training" in caplog.text
        and "0.5 times as far away" in caplog.text
    )


def test_the_command_and_a_finished_folder(
    ridge_run: Path, elsewhere: Path, score: Commands, store: Path
) -> None:
    found = score(ridge_run, elsewhere) / "metrics.json"
    before = found.stat().st_mtime_ns
    words = [
        "evaluate=true",
        "data=hest",
        f"data.reader.root={elsewhere}",
        f"output={found.parent}",
        f"paths.store={store}",
    ]
    done = command("predict.py", f"checkpoint={ridge_run}", *words)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout and found.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"holds other scores; choose output=NEW"):
        score(ridge_run, elsewhere, "data.reader.sections=[DEMO2]")


def test_words_that_do_not_fit(
    ridge_run: Path, elsewhere: Path, score: Commands, store: Path, tmp_path: Path
) -> None:
    for words, message in (
        (["data.panel.n_top=5"], r"data.panel.n_top: comes with the checkpoint"),
        (["data/expression=log_raw"], r"data/expression: comes with the checkpoint"),
        (["slides=x.tif"], r"leave slides out"),
        (["map_genes=[NOPE]"], r"map_genes: not among"),
    ):
        with pytest.raises(InputError, match=message):
            score(ridge_run, elsewhere, *words)
    with pytest.raises(InputError, match=r"needs sections with counts: set data="):
        score(ridge_run, None)
    for extra, message in (
        ([], r"nothing to predict: set slides=PATH"),
        (["data=hest"], r"add evaluate=true"),
    ):
        with pytest.raises(InputError, match=message):
            predict(
                compose_config(
                    "predict", [f"checkpoint={ridge_run}", f"paths.store={store}", *extra], tmp_path
                )
            )


def test_names_of_another_kind(
    ridge_run: Path, elsewhere: Path, score: Commands, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(elsewhere, tmp_path / "ids"))
    for path in (root / "st").glob("*.h5ad"):
        table = ad.read_h5ad(path)
        table.var_names = [f"ENSG{i:011d}" for i in range(table.n_vars)]
        table.write_h5ad(path)
    with pytest.raises(
        InputError, match=r"genes .such as .* the sections measured 0 .*data.genes.aliases"
    ):
        score(ridge_run, root)


def test_checkpoints_that_do_not_belong_together(ridge_run: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(ridge_run, tmp_path / "pair" / name)
    path = tmp_path / "pair" / "b" / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    facts = content["hespotex"]
    for change, message in (
        ({"model": "other"}, r"model differs: ridge in .*other in .*; give the folds of one model"),
        (
            {"model": "ridge", "expression_fitted_on": ["DEMO3"]},
            r"fitted on each fold's own training sections",
        ),
    ):
        torch.save(content | {"hespotex": facts | change}, path)
        changed_on_purpose(path)
        with pytest.raises(InputError, match=message):
            Ensemble(find_checkpoints(str(tmp_path / "pair")))
    assert len(find_checkpoints([str(tmp_path / "pair" / "*" / "checkpoints" / "*.ckpt")])) >= 2
    with pytest.raises(InputError, match=r"no checkpoints/best.ckpt below"):
        find_checkpoints(str(tmp_path / "pair" / "a" / "predictions"))
