"""A packed model: the same predictions, nothing but tensors and plain values, and a card that tells
its scores.
"""

import json
import pickletools
import shutil
import zipfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Run, changed_on_purpose, command, compose_config

from hespotex.auditing.audit import audit_run
from hespotex.common.errors import InputError
from hespotex.finalize import finalize
from hespotex.packing.pack import pack
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.inference import predict
from hespotex.records.remarks import remarks_of
from hespotex.records.runs import read_runs
from hespotex.results.tables.final import COLUMNS, FACTS, read_final_genes
from hespotex.results.tables.statistics import bootstrap_interval

SAFE = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch FloatStorage",
    "torch LongStorage",
    "torch DoubleStorage",
    "torch BoolStorage",
    "torch IntStorage",
}


def predicted(checkpoint: Path, slide: Path, store: Path, folder: Path, *more: str) -> ad.AnnData:
    words = [
        *more,
        f"checkpoint={checkpoint}",
        f"slides={slide}",
        f"output={folder}",
        f"paths.store={store}",
        "viewer_mb=null",
    ]
    predict(compose_config("predict", words, folder))
    return ad.read_h5ad(folder / "bare.h5ad")


def test_a_bundle_predicts_as_the_sweep(
    sweep: Path, small_demo: Path, store: Path, tmp_path: Path
) -> None:
    pack(sweep, tmp_path / "bundle")
    one, two = (
        predicted(tmp_path / n, small_demo / "slides" / "bare.tif", store, tmp_path / f"of_{n}")
        for n in ("sweep", "bundle")
    )
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.layers["fold_std"], two.layers["fold_std"])
    pd.testing.assert_frame_equal(one.var, two.var)
    genes = pd.read_csv(tmp_path / "bundle" / "genes.csv", index_col="gene")
    assert list(genes) == COLUMNS and list(genes.index) == list(two.var_names)
    np.testing.assert_allclose(genes["pcc"], two.var["test_pcc"], rtol=1e-5)


def test_what_is_told_stands_on_the_card(sweep: Path, tmp_path: Path) -> None:
    told = {"tissue": "pancreas, frozen", "source": "a study", "licence": "CC0"}
    pack(sweep, tmp_path / "bundle", told=told)
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "| pancreas, frozen" in card
    assert "These weights: CC0. The data: a study." in card and "State here" not in card
    checkpoints = find_checkpoints(str(tmp_path / "bundle"))
    assert remarks_of(checkpoints) == told
    assert remarks_of(find_checkpoints(str(sweep))) == {}
    facts = json.loads((tmp_path / "bundle" / "facts.json").read_text())
    (tmp_path / "bundle" / "facts.json").write_text(json.dumps(facts | {"tissue": [1]}))
    with pytest.raises(InputError, match=r"facts.json.*tissue"):
        remarks_of(checkpoints)


def test_nothing_but_tensors_and_plain_values(
    sweep: Path, tmp_path: Path, small_demo: Path, store: Path
) -> None:
    pack(sweep, tmp_path / "bundle")
    files = sorted((tmp_path / "bundle").glob("folds/*/checkpoints/best.ckpt"))
    assert [path.parts[-3] for path in files] == ["0", "1", "2"]
    for path in files:
        content = torch.load(path, weights_only=True)
        assert set(content) == {"state_dict", "hespotex"}
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
            named = {
                str(value)
                for code, value, _ in pickletools.genops(archive.read(name))
                if code.name == "GLOBAL"
            }
        assert named and named <= SAFE
        assert (
            path.stat().st_size
            < (sweep / path.parts[-3] / "checkpoints" / "best.ckpt").stat().st_size
        )
    texts = [path.read_bytes() for path in (tmp_path / "bundle").rglob("*") if path.is_file()]
    for place in (tmp_path, small_demo, store):  # places on this machine are nobody's business
        assert not any(str(place).encode() in text for text in texts)


def test_the_card_tells_the_scores(sweep: Path, tmp_path: Path) -> None:
    audit_run(sweep / "0", None)
    rows = [
        row
        for i in range(3)
        for row in json.loads((sweep / str(i) / "metrics.json").read_text())["sections"]
    ]
    groups = pd.DataFrame(rows).groupby("group")["pcc_gene"].mean()
    mean = groups.mean()
    low, high = bootstrap_interval(groups.to_numpy())
    pack(sweep, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert f" {mean:.3f} " in card and f"{low:.3f} to {high:.3f}" in card
    assert "3 groups: an interval over so few means little" in card and "LEAK" not in card
    for words in (
        "100 um apart",
        "55 um wide",
        "P1, P2, P3",
        "random_vit",
        "Not for diagnosis",
        "audit of fold 0: ",
    ):
        assert words in card
    facts = json.loads((tmp_path / "bundle" / "facts.json").read_text())
    assert facts["scores"]["pcc_gene"] == pytest.approx(mean) and facts["problems"] == []
    assert facts["encoder_identity"]["name"] == "random_vit" and facts["grid"] == "hexagonal"
    for fold in facts["folds"]:
        assert fold["panel_fitted_on"] and not set(fold["trained_on"]) & set(fold["test"])


def test_one_of_several_models(sweep: Path, tmp_path: Path) -> None:
    for i in range(3):
        other = tmp_path / "sweep" / f"other{i}"
        renamed_copy(sweep / str(i), other, "strict")
    with pytest.raises(InputError, match=r"holds ridge, strict; choose one with --model"):
        pack(sweep, tmp_path / "bundle")
    with pytest.raises(InputError, match=r"linear is not there; choose one of ridge, strict"):
        pack(sweep, tmp_path / "bundle", "linear")
    pack(sweep, tmp_path / "bundle", "strict")
    assert json.loads((tmp_path / "bundle" / "facts.json").read_text())["model"] == "strict"


def renamed_copy(run: Path, other: Path, model: str) -> None:
    """The same run under the name of another model."""
    shutil.copytree(run, other)
    metrics = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(metrics | {"model": model}))
    changed_on_purpose(other / "metrics.json")


def test_leaks_are_refused_or_labelled(
    sweep: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = sweep / "1" / "metrics.json"
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"leaks": ["the teacher saw the test section"]})
    )
    changed_on_purpose(file)
    rules = [{"rule": "panel", "verdict": "FAIL", "reason": "chosen on DEMO1", "asked": None}]
    (sweep / "0" / "audit.json").write_text(json.dumps({"quick": True, "rules": rules}))
    words = (
        r"the teacher saw the test section; audit, panel: chosen on DEMO1.; --allow-leak packs them"
    )
    with pytest.raises(InputError, match=words):
        pack(sweep, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    pack(sweep, tmp_path / "bundle", allow_leak=True)
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert (
        "**LEAK: do not quote" in card.split("\n## ")[0]
        and "audit of fold 0: 0 pass, 1 fail (panel)" in card
    )
    assert "packed with a leak" in caplog.text


def test_what_is_in_the_way(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"mine is there and is no bundle; give another --output"):
        pack(sweep, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    pack(sweep, tmp_path / "bundle")
    pack(sweep, tmp_path / "bundle")  # a bundle is replaced
    content = torch.load(sweep / "2" / "checkpoints" / "best.ckpt", weights_only=True)
    content["hespotex"]["pitch_um"] = 7.0
    torch.save(content, sweep / "2" / "checkpoints" / "best.ckpt")
    changed_on_purpose(sweep / "2" / "checkpoints" / "best.ckpt")
    before = (tmp_path / "bundle" / "facts.json").read_text()
    with pytest.raises(InputError, match=r"pitch_um differs"):
        pack(sweep, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "facts.json").read_text() == before


def test_the_final_model_is_packed_by_default(
    finalized: Path, small_demo: Path, store: Path, tmp_path: Path
) -> None:
    pack(finalized, tmp_path / "bundle")
    bundle = tmp_path / "bundle"
    assert [path.parent.parent.name for path in bundle.rglob("best.ckpt")] == ["ridge"]
    slide = small_demo / "slides" / "bare.tif"
    one, two = (
        predicted(where, slide, store, tmp_path / f"of_{where.name}")
        for where in (finalized, bundle)
    )
    np.testing.assert_array_equal(one.X, two.X)
    pd.testing.assert_frame_equal(one.var.drop(columns="fold_std_folds"), two.var)
    kept = read_final_genes(finalized / "final" / "ridge")
    for folder in (bundle, bundle / "final" / "ridge"):
        pd.testing.assert_frame_equal(read_final_genes(folder), kept)
    assert len(kept) == two.n_vars == 40
    with pytest.raises(InputError, match=r"holds no folds.*--folds"):
        find_checkpoints(str(bundle), folds=True)


def test_the_folds_are_packed_beside_it_on_request(
    finalized: Path, small_demo: Path, store: Path, tmp_path: Path
) -> None:
    pack(finalized, tmp_path / "bundle", folds=True)
    assert find_checkpoints(str(tmp_path / "bundle")) == [
        tmp_path / "bundle" / "final" / "ridge" / "checkpoints" / "best.ckpt"
    ]
    names = [path.parts[-3] for path in find_checkpoints(str(tmp_path / "bundle"), folds=True)]
    assert names == ["0", "1", "2"]
    slide = small_demo / "slides" / "bare.tif"
    one, two = (
        predicted(where, slide, store, tmp_path / f"folds_{where.name}", "folds=true")
        for where in (finalized, tmp_path / "bundle")
    )
    np.testing.assert_array_equal(one.X, two.X)
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "The 3 models of the cross-validation lie beside it: `folds=true`" in card


def test_the_card_of_a_final_model_quotes_what_was_scored(finalized: Path, tmp_path: Path) -> None:
    """A gene that no fold scored is counted as such, and nothing is said of the final model's own
    score.
    """
    genes = read_final_genes(finalized / "final" / "ridge")
    lost = next(gene for gene in genes.index if genes.loc[gene, "scored"])
    for i in range(3):
        file = finalized / str(i) / "per_gene.csv"
        table = pd.read_csv(file)
        table.loc[table["gene"] == lost, "pcc"] = np.nan
        table.to_csv(file, index=False)
        changed_on_purpose(file)
    pack(finalized, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "README.md").read_text()
    facts = json.loads((tmp_path / "bundle" / "facts.json").read_text())
    n_scored = int(genes["scored"].sum()) - 1
    assert facts["n_genes"] == 40 and facts["n_genes_scored"] == n_scored
    for words in (
        "one model, fitted on all 4 sections of 3 groups",
        "4 sections (DEMO1, DEMO2, DEMO3, DEMO5)",
        "3 (P1, P2, P3)",
        "40, chosen on all sections",
        f"{n_scored} have a score",
        f"{40 - n_scored} were never scored: nothing is known of these",
        "has no score of its own",
        "- the final model itself was scored on nothing",
    ):
        assert words in card, words
    assert "mean of" not in card and "folds=true" not in card
    table = read_final_genes(tmp_path / "bundle")
    assert not table.loc[lost, "scored"] and np.isnan(table.loc[lost, "pcc"])


def test_a_final_model_without_any_score(train: Run, tmp_path: Path) -> None:
    """One patient: nothing can be left out."""
    sweep = tmp_path / "one"
    sweep.mkdir()
    words = ["model=ridge", "data.panel.n_top=20", "data.reader.sections=[DEMO1,DEMO2]"]
    with pytest.raises(InputError, match="more groups"):
        train(*words, folder=sweep / "0")
    with pytest.raises(InputError, match=r"no scored fold of ridge to pack; python -m"):
        pack(sweep, tmp_path / "bundle")
    finalize(sweep)
    pack(sweep, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "## How well it does: not known" in card and "PCC" not in card.split("## Intended")[0]
    assert json.loads((tmp_path / "bundle" / "facts.json").read_text())["scores"] == "none"
    assert not read_final_genes(tmp_path / "bundle")["scored"].any()


def test_a_final_model_of_other_settings_is_refused(finalized: Path, tmp_path: Path) -> None:
    for i in range(3):
        file = finalized / str(i) / "config.json"
        content = json.loads(file.read_text())
        content["data"]["panel"]["n_top"] = 30
        file.write_text(json.dumps(content))
        changed_on_purpose(file)
    with pytest.raises(InputError, match=r"other settings.*data.panel.n_top.*--restart"):
        pack(finalized, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_inside_a_sweep_is_no_run(finalized: Path) -> None:
    before = [run.folder for run in read_runs(finalized)]
    pack(finalized, finalized / "bundle")
    assert (finalized / "bundle" / "final" / "ridge" / FACTS).is_file()
    assert [run.folder for run in read_runs(finalized)] == before
    assert find_checkpoints(str(finalized)) == [
        finalized / "final" / "ridge" / "checkpoints" / "best.ckpt"
    ]


def test_the_command(sweep: Path, tmp_path: Path) -> None:
    done = command("-m", "hespotex.bundle", str(sweep))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sweep_bundle" / "README.md").is_file()
    (tmp_path / "nothing").mkdir()
    done = command("-m", "hespotex.bundle", str(tmp_path / "nothing"))
    assert (
        done.returncode == 2
        and "no finished run" in done.stdout + done.stderr
        and "Traceback" not in done.stderr
    )
