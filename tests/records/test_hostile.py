"""A run folder, bundle, store or data set of somebody else's writes nothing, under every verb."""

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import compose_config
from payload import Touch

from hespotex.auditing.audit import audit_run, audit_runs
from hespotex.auditing.dataset import DataSets
from hespotex.checkup.walk import check_up
from hespotex.cohort import tables
from hespotex.common.errors import InputError
from hespotex.common.store_check import why_damaged
from hespotex.compare import compare
from hespotex.embeddings.store_files import DAMAGED, stored_files
from hespotex.encoders.weights import read_state
from hespotex.nuclei.masks import open_npy
from hespotex.packing.pack import pack
from hespotex.prediction.external import evaluate
from hespotex.prediction.inference import predict
from hespotex.records.record import RunRecord
from hespotex.results.findings import PASS
from hespotex.summary import summarise
from hespotex.training.fill import fill_store
from hespotex.training.run import train


def code(path: Path) -> str:
    return f"__import__('pathlib').Path({str(path)!r}).touch()"


PAYLOADS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "os.system": lambda mark, _: {"_target_": "os.system", "_args_": [f"touch {mark}"]},
    "subprocess": lambda mark, _: {
        "_target_": "subprocess.check_call",
        "_args_": [["touch", str(mark)]],
    },
    "exec": lambda mark, _: {"_target_": "builtins.exec", "_args_": [code(mark)]},
    "sympify": lambda mark, _: {"_target_": "sympy.sympify", "_args_": [code(mark)]},
    "pickle": lambda _, bad: {"_target_": "pandas.read_pickle", "_args_": [str(bad)]},
    "torch": lambda _, bad: {"_target_": "torch.load", "_args_": [str(bad)], "weights_only": False},
    "walk": lambda mark, _: {
        "_target_": "hespotex.common.files.shutil.os.system",
        "_args_": [f"touch {mark}"],
    },
    "partial": lambda mark, _: {
        "_target_": "functools.partial",
        "_args_": [{"_target_": "os.mkdir", "path": str(mark)}],
    },
    "generator": lambda mark, _: {"_target_": "hespotex.demo.make_demo", "root": str(mark)},
    "reader": lambda mark, _: {
        "_target_": "hespotex.sections.readers.demo.DemoReader",
        "root": str(mark / "x"),
    },
    "own": lambda mark, _: {
        "_target_": "hespotex.common.files.write_json",
        "path": str(mark),
        "value": 1,
    },
    "blocks": lambda mark, _: {
        "_target_": "hespotex.embeddings.blocks.Blocks",
        "folder": str(mark),
    },
}
FEW = ("sympify", "pickle", "reader", "blocks")


def instead(_: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def beside(settings: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Deep in containers among the settings: JSON makes lists of the tuples."""
    return settings | {"extra": ({"a": [(payload,)]},)}


def changed(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(value, dict):
        value = {key: changed(child, change) for key, child in value.items()}
        return change(value) if "_target_" in value else value
    return [changed(child, change) for child in value] if isinstance(value, list) else value


class Hostile:
    """A finished run whose every `_target_` is another one."""

    def __init__(self, run: Path, tmp_path: Path) -> None:
        self.run = run
        self.mark = tmp_path / "marks" / "mark"
        self.bad = tmp_path / "bad.pickle"
        self.mark.parent.mkdir()
        self.bad.write_bytes(pickle.dumps(Touch(self.mark)))

    def rewrite(self, name: str, place: Callable[..., dict[str, Any]]) -> None:
        payload = PAYLOADS[name](self.mark, self.bad)

        def change(settings: dict[str, Any]) -> dict[str, Any]:
            return place(settings, payload)

        for file in self.run.rglob("files.json"):
            file.unlink()
        config = json.loads((self.run / "config.json").read_text())
        (self.run / "config.json").write_text(json.dumps(changed(config, change)))
        path = self.run / "checkpoints" / "best.ckpt"
        content = torch.load(path, weights_only=True)
        content["hespotex"] = content["hespotex"] | {
            "config": changed(content["hespotex"]["config"], change)
        }
        torch.save(content, path)

    def unhurt(self) -> None:
        assert list(self.mark.parent.iterdir()) == []


@pytest.fixture
def hostile(ridge_run: Path, tmp_path: Path) -> Iterator[Hostile]:
    found = Hostile(ridge_run, tmp_path)
    yield found
    found.unhurt()


def in_words(verb: Callable[[], object]) -> None:
    """It may refuse in words, and in no other way."""
    try:
        verb()
    except InputError as error:
        assert str(error)


@pytest.mark.parametrize("place", [instead, beside])
@pytest.mark.parametrize("name", PAYLOADS)
def test_what_a_run_folder_names(
    hostile: Hostile, small: list[str], name: str, place: Any, tmp_path: Path
) -> None:
    hostile.rewrite(name, place)
    run = hostile.run
    out = tmp_path / "out"
    checkpoint = [
        f"checkpoint={run}/checkpoints/best.ckpt",
        f"output={out}",
        f"paths.store={tmp_path}/store",
    ]
    data = [word for word in small if word.startswith("data")]
    slides = next(Path(data[1].partition("=")[2]).glob("wsis/*.tif"))
    one = compose_config("predict", [*checkpoint, f"slides={slides}", "mpp=0.7"], tmp_path)
    with pytest.raises(InputError):
        predict(one)
    with pytest.raises(InputError):
        pack(run, tmp_path / "bundle")
    findings = audit_run(run, None)
    assert {finding.rule for finding in findings if finding.verdict != PASS}
    in_words(lambda: audit_run(run, DataSets()))
    in_words(lambda: compare(run, run))
    if name in FEW:
        scored = compose_config("predict", [*checkpoint, *data, "evaluate=true"], tmp_path)
        with pytest.raises(InputError):
            evaluate(scored)
        in_words(lambda: summarise(run))
    assert not out.exists() or not list(out.glob("*.h5ad"))


def test_one_run_of_many_does_not_end_the_summary(hostile: Hostile) -> None:
    """What cannot be trusted is named, and the tables are made."""
    hostile.rewrite("sympify", beside)
    metrics = json.loads((hostile.run / "metrics.json").read_text())
    assert audit_runs([RunRecord(hostile.run, metrics)])
    summarise(hostile.run)
    assert (hostile.run / "summary.md").is_file()


def test_a_checkpoint_that_is_a_pickle(hostile: Hostile, small: list[str], tmp_path: Path) -> None:
    run = hostile.run
    best = hostile.run / "checkpoints" / "best.ckpt"
    whole = torch.load(best, weights_only=True)
    for content in (Touch(hostile.mark), whole | {"extra": (Touch(hostile.mark),)}):
        torch.save(content, best)
        torch.save(content, best.with_name("last.ckpt"))
        words = [f"checkpoint={best}", f"output={tmp_path}/out", "slides=x.svs"]
        with pytest.raises(InputError):
            predict(compose_config("predict", words, tmp_path))
        for verb in (
            lambda: pack(run, tmp_path / "b"),
            lambda: audit_run(run, None),
            lambda: summarise(run),
        ):
            in_words(verb)
    words = ["model=ridge", "model.select_on=validation", "data.panel.n_top=40"]
    (run / "metrics.json").unlink()
    shutil.copytree(run, tmp_path / "again")
    train(compose_config("train", [*small, *words], tmp_path / "again"))
    assert (tmp_path / "again" / "metrics.json").is_file()


def test_tables_of_a_run_that_are_pickles(hostile: Hostile) -> None:
    bad = hostile.bad.read_bytes()
    for file in [*hostile.run.glob("predictions/*.h5ad"), hostile.run / "csv" / "metrics.csv"]:
        if file.is_file():
            file.write_bytes(bad)
    in_words(lambda: audit_run(hostile.run, DataSets()))
    in_words(lambda: summarise(hostile.run))


@pytest.mark.parametrize("content", ["pickle", "objects"])
def test_a_data_set_of_pickles(
    hostile: Hostile, small: list[str], broken: Path, tmp_path: Path, content: str
) -> None:
    np.save(tmp_path / "objects.npy", np.array([Touch(hostile.mark)]), allow_pickle=True)
    bad = hostile.bad if content == "pickle" else tmp_path / "objects.npy"
    for file in [path for path in broken.rglob("*") if path.is_file()]:
        shutil.copy(bad, file)
        shutil.copy(bad, file.with_suffix(".npy"))
    words = [*small, f"data.reader.root={broken}", f"paths.store={tmp_path}/store"]
    nuclei = ["nuclei=label_mask", f"nuclei.counter.source.folder={broken}/st"]
    assert check_up(compose_config("doctor", [*words, *nuclei], tmp_path)).problems
    with pytest.raises(InputError):
        fill_store(compose_config("embed", [*words, *nuclei], tmp_path))
    with pytest.raises(InputError):
        train(compose_config("train", [*words, "model=ridge"], tmp_path / "none"))
    with pytest.raises(InputError):
        open_npy(next((broken / "st").glob("*.npy")))
    in_words(lambda: tables(broken / "st"))
    with pytest.raises(InputError):
        read_state(bad)


def test_a_store_of_pickles(hostile: Hostile, small: list[str], tmp_path: Path) -> None:
    """Finished tables and blocks of interrupted ones: never loaded, but made anew."""
    store = tmp_path / "own"
    words = [word for word in small if not word.startswith("paths.store")] + [
        f"paths.store={store}"
    ]
    fill_store(
        compose_config("embed", [word for word in words if "callbacks" not in word], tmp_path)
    )
    for file in store.rglob("*.h5"):
        part = file.with_suffix(".part")
        part.mkdir()
        shutil.copy(hostile.bad, part / f"{0:09d}.npy")
        shutil.copy(hostile.bad, file)
    planted = sorted(store.rglob("*.h5"))
    assert {entry.patch for entry in stored_files(store) if entry.finished} == {DAMAGED}
    train(compose_config("train", [*words, "model=ridge"], tmp_path))
    assert planted and [why_damaged(file) for file in planted] == [None] * len(planted)
    assert not list(store.rglob("*.part"))


def test_a_teacher_that_is_a_pickle(
    hostile: Hostile, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"latents": Touch(hostile.mark)}, tmp_path / "teacher.pt")
    planted = tmp_path / "teacher.pt"
    monkeypatch.setattr("hespotex.training.teacher.teacher_path", lambda *_: planted)
    words = ["model=dual_stream", "nuclei=none", "model.module.nuclei=none", "data.panel.n_top=40"]
    with pytest.raises(InputError, match="would run code"):
        train(compose_config("train", [*small, *words], tmp_path))
