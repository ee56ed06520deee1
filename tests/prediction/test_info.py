"""What a trained model tells of itself: facts that stand in files, and nothing is built."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import changed_on_purpose, command

from hespotex.common.errors import InputError
from hespotex.packing.pack import pack
from hespotex.prediction.checkpoints import is_final
from hespotex.prediction.model_facts import model_facts
from hespotex.records.layout import home_of
from hespotex.results.tables.final import FACTS, read_final_genes
from hespotex.results.tables.sweep import Tables


def test_of_a_sweep_with_a_final_model(finalized: Path) -> None:
    facts = model_facts(str(finalized))
    genes = read_final_genes(finalized / "final" / "ridge")
    row = Tables.read(finalized).models.iloc[0]
    lines = facts.lines
    assert lines["what"] == "the model on all sections of a cross-validation"
    assert lines["trained on"] == (
        "4 sections of 3 groups: DEMO1 (P1), DEMO2 (P1), DEMO3 (P2), DEMO5 (P3)"
    )
    assert "55 um wide, 100 um apart (hexagonal grid)" in lines["spots"]
    assert lines["encoder"].startswith("random_vit; patches of")
    n_scored = int(genes["scored"].sum())
    assert lines["genes"].startswith(f"40: {n_scored} scored on sections that were left out")
    assert lines["genes"].endswith(f"{40 - n_scored} never scored")
    assert f"PCC {row['pcc_gene']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in lines["score"]
    assert "leave one group out" in lines["score"] and "scored on nothing" in lines["not covered"]
    best = genes["pcc"].idxmax()
    assert lines["best genes"].startswith(f"{best} {genes['pcc'].max():.3f}")
    assert list(facts.genes.index) == list(genes.index)


@pytest.mark.parametrize("name", ["best.ckpt", "../checkpoints/best.ckpt", "./best.ckpt"])
def test_of_a_checkpoint_named_from_its_own_folder(
    finalized: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = model_facts(str(finalized)).lines
    monkeypatch.chdir(finalized / "final" / "ridge" / "checkpoints")
    lines = model_facts(name).lines
    assert {**lines, "checkpoints": ""} == {**whole, "checkpoints": ""}


def test_a_checkpoint_near_the_root_of_the_disk_has_a_home() -> None:
    for path in ("/best.ckpt", "/model/best.ckpt"):
        assert home_of(Path(path)) == Path("/") and not is_final(Path(path))


def test_a_changed_checkpoint_is_refused_from_its_own_folder(
    finalized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finalized / "final" / "ridge" / "checkpoints"
    (folder / "best.ckpt").write_bytes((folder / "best.ckpt").read_bytes() + b" ")
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=r"not as it was written|changed|bytes"):
        model_facts("best.ckpt")


def test_of_a_bundle_it_is_the_same(finalized: Path, tmp_path: Path) -> None:
    pack(finalized, tmp_path / "bundle")
    one, two = (model_facts(str(where)).lines for where in (finalized, tmp_path / "bundle"))
    assert {k: v for k, v in one.items() if k != "checkpoints"} == {
        k: v for k, v in two.items() if k != "checkpoints"
    }


def test_of_folds_and_of_one(finalized: Path) -> None:
    folds = model_facts(str(finalized), folds=True)
    assert folds.lines["what"].startswith("the mean of 3 models (leave_one_group_out): fold 0 of 3")
    assert len(folds.genes) < 40 and "some fold has seen" in folds.lines["not covered"]
    one = model_facts(str(finalized / "1"))
    run = json.loads((finalized / "1" / "metrics.json").read_text())
    assert one.lines["what"] == "one model: fold 1 of 3 (leave_one_group_out), seed 0"
    assert f"PCC {run['test/pcc_gene']:.3f} (no interval) over 1 group," in one.lines["score"]
    assert len(one.genes) == 40


def test_nothing_is_built(finalized: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was built")

    monkeypatch.setattr("hespotex.records.trusted.rebuild", never)
    monkeypatch.setattr("hespotex.records.checkpoint.rebuild", never)
    assert model_facts(str(finalized)).lines["model"].startswith("ridge")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"does_not_cover": "all"}, r"does_not_cover: expected a list"),
        ({"scores": {"pcc_gene": "high"}}, r'scores: expected "none", or scores'),
    ],
)
def test_facts_of_another_shape_are_refused(
    finalized: Path, changes: dict[str, object], words: str
) -> None:
    file = finalized / "final" / "ridge" / FACTS
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    changed_on_purpose(file)
    with pytest.raises(InputError, match=words):
        model_facts(str(finalized))


def test_the_command(finalized: Path, tmp_path: Path) -> None:
    done = command("-m", "hespotex.info", str(finalized), "--genes")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    genes = read_final_genes(finalized / "final" / "ridge")
    rows = [line.split()[0] for line in text.splitlines() if re.match(r"DEMO-\S+ ", line)]
    assert sorted(rows) == sorted(genes.index)
    values = genes.loc[rows, "pcc"].dropna().to_numpy()
    assert (np.diff(values) <= 0).all()
    done = command("-m", "hespotex.info", str(tmp_path / "nothing"))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "checkpoint not found" in done.stdout + done.stderr
