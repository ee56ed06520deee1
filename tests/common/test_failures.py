"""One that fails does not end the others: any exception is written down with its kind, and the exit
code says so.
"""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import compose_config

from hespotex.checkup.findings import Findings
from hespotex.common.errors import InputError
from hespotex.common.failures import Failures, read_failed
from hespotex.prediction import inference
from hespotex.prediction.external import evaluate
from hespotex.training import run

ERRORS = [
    InputError("no tissue"),
    ValueError("not enough values to unpack"),
    UnicodeDecodeError("utf-8", b"\xe4", 0, 1, "invalid start byte"),
    OSError(5, "Input/output error"),
    ZeroDivisionError(),
    MemoryError(),
    KeyError("pxl_row_in_fullres"),
    RecursionError("maximum recursion depth exceeded"),
]


def raiser(error: Exception) -> Any:
    def step(*_: Any, **__: Any) -> None:
        raise error

    return step


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
class TestAnyKind:
    def test_is_kept_with_its_kind(self, tmp_path: Path, error: Exception) -> None:
        failures = Failures("slide", tmp_path)
        done = []
        for name in "abc":
            with failures.of(name):
                if name == "b":
                    raise error
                done.append(name)
        assert done == ["a", "c"]
        table = pd.read_csv(tmp_path / "failed.csv", dtype=str)
        assert list(table) == ["slide", "kind", "reason"] and list(table["slide"]) == ["b"]
        assert list(table["kind"]) == [type(error).__name__] and len(table["reason"][0]) > 5
        with pytest.raises(
            InputError, match=r"1 of 3 slides failed: b; the reasons are in .*failed\.csv"
        ):
            failures.check()
        with failures.of("b"):
            pass
        assert not (tmp_path / "failed.csv").exists()

    def test_of_a_slide(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        done = []

        def write(slide: Any) -> None:
            if slide.name == "b":
                raise error
            done.append(slide.name)

        for name in "abc":
            (tmp_path / f"{name}.tif").touch()
        monkeypatch.setattr(inference, "Predictor", lambda _: None)
        write.check = lambda _: None  # type: ignore[attr-defined]
        monkeypatch.setattr(inference, "SlideWriter", lambda *_: write)
        words = ["checkpoint=x", f"slides={tmp_path}/*.tif", f"output={tmp_path}/out"]
        with pytest.raises(InputError, match=r"1 of 3 slides failed: b\.tif"):
            inference.predict(compose_config("predict", words, tmp_path))
        assert done == ["a", "c"] and list(read_failed(tmp_path / "out")) == ["b"]

    def test_of_a_fold(
        self, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        done = []

        def train(config: Any, *_: Any) -> float:
            if config["fold"]["index"] == 1:
                raise error
            done.append(config["fold"]["index"])
            return 0.5

        monkeypatch.setattr(run, "train_fold", train)
        words = [*small, "model=ridge", "fold.index=all", f"paths.run={tmp_path}/run"]
        with pytest.raises(InputError, match=r"1 of 3 folds failed: 1; the reasons are in"):
            run.train(compose_config("train", words, tmp_path))
        assert done == [0, 2] and list(read_failed(tmp_path / "run")) == ["1"]

    def test_of_the_doctor(self, error: Exception) -> None:
        findings = Findings()
        assert findings.attempt(raiser(error), "DEMO1") is None and findings.attempt(lambda: 3) == 3
        assert len(findings.problems) == 1 and findings.problems[0].startswith("DEMO1: ")
        assert isinstance(error, InputError) or type(error).__name__ in findings.problems[0]


def test_one_reason_for_all_is_told() -> None:
    failures = Failures("fold")
    for name in "01":
        with failures.of(name):
            raise InputError("the disk is not there")
    with pytest.raises(InputError, match=r"2 of 2 folds failed: 0, 1; the disk is not there"):
        failures.check()


def test_an_interruption_is_no_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Failures("slide", tmp_path).of("a"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"slide\nx\n", b'"torn', b"slide,reason\nx,no tissue\n"]
)
def test_a_table_that_is_none_or_of_before(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "failed.csv").write_bytes(content)
    failures = Failures("slide", tmp_path)
    with failures.of("b"):
        raise OSError("gone")
    expected = {"b": "OSError: gone"} | ({"x": "no tissue"} if b"tissue" in content else {})
    assert read_failed(tmp_path) == expected


@pytest.mark.parametrize("where", ["image", "table", "model"])
def test_of_a_section_of_another_data_set(
    ridge_run: Path,
    small_demo: Path,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    root = Path(shutil.copytree(small_demo, tmp_path / "other"))
    if where == "model":
        monkeypatch.setattr("hespotex.prediction.external.Predictor.batches", fails_for("DEMO1"))
    else:
        next((root / {"image": "wsis", "table": "st"}[where]).glob("DEMO1.*")).write_bytes(b"torn")
    words = [
        f"checkpoint={ridge_run}",
        "data=hest",
        f"data.reader.root={root}",
        "evaluate=true",
        f"paths.store={store}",
    ]
    words += ["data.reader.sections=[DEMO1,DEMO2]", f"output={tmp_path}/out"]
    config = compose_config("predict", words, tmp_path)
    with pytest.raises(InputError, match=r"1 of 2 sections failed: DEMO1"):
        evaluate(config)
    assert list(read_failed(tmp_path / "out")) == ["DEMO1"]
    assert set(pd.read_csv(tmp_path / "out" / "per_gene.csv")["section_id"]) == {"DEMO2"}
    monkeypatch.undo()
    shutil.copytree(small_demo, root, dirs_exist_ok=True)
    evaluate(config)
    assert not read_failed(tmp_path / "out")
    assert set(pd.read_csv(tmp_path / "out" / "per_gene.csv")["section_id"]) == {"DEMO1", "DEMO2"}


def fails_for(section_id: str) -> Any:
    from hespotex.prediction.predictor import Predictor

    whole = Predictor.batches

    def batches(self: Predictor, graph: Any) -> Any:
        if graph.section_id == section_id:
            raise ValueError("NaN in a block")
        return whole(self, graph)

    return batches
