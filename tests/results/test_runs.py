"""Which runs count: torn ones are named, copies are left out, other data is told apart, and no fold
is lost in silence.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_tables import write_run

from hespotex.common.errors import InputError
from hespotex.common.failures import Failure, note_outcome
from hespotex.common.files import visible
from hespotex.compare import compare
from hespotex.packing.pack import pack
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.records.manifest import MANIFEST, check_files, write_manifest
from hespotex.records.runs import read_runs
from hespotex.results.tables.sweep import Tables
from hespotex.summary import summarise


def write_sweep(root: Path, *models: str, **changes: Any) -> Path:
    """Runs of both folds as `train.py` leaves them, with what vouches for their files."""
    for model in models or ("ridge", "strict"):
        write_run(root, model, 0, ["A1"], **changes)
        write_run(root, model, 1, ["B1", "B2"], **changes)
    for home in root.iterdir():
        (home / "checkpoints").mkdir(exist_ok=True)
        (home / "config.json").write_text("{}")
        (home / "checkpoints" / "best.ckpt").write_bytes(home.name.encode() * 50)
        write_manifest(
            home, ["metrics.json", "per_gene.csv", "config.json", "checkpoints/best.ckpt"]
        )
    return root


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "sweep")


def halve(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zero(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def drop_a_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def other_json(path: Path) -> None:
    path.write_text("[1, 2]")


def not_utf8(path: Path) -> None:
    path.write_bytes(b"\xff" + path.read_bytes())


Harm = Callable[[Path], None]
HARMS = [halve, zero, empty, drop_a_line, other_json, not_utf8]
RUN = "leave_one_group_out_strict_1_0"


@pytest.mark.parametrize("vouched", [True, False], ids=["vouched for", "of before"])
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_torn_record_is_named_and_the_others_are_summarised(
    sweep: Path, harm: Harm, vouched: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if not vouched:
        (sweep / RUN / MANIFEST).unlink()
    harm(sweep / RUN / "metrics.json")
    summarise(sweep)
    assert f"{RUN}/metrics.json" in caplog.text
    text = (sweep / "summary.md").read_text()
    assert (
        "## Runs left out" in text
        and f"{RUN}/metrics.json" in text
        and "folds missing:** [1]" in text
    )
    page = (sweep / "report" / "index.html").read_text()
    assert "<h2>Runs left out" in page and f"{RUN}/metrics.json" in page
    assert compare(sweep, sweep, "ridge", "strict")
    with pytest.raises(InputError, match=r"1 of 4 runs failed: .*strict_1_0"):
        pack(sweep, sweep.parent / "bundle", "ridge")


@pytest.mark.parametrize("harm", [*HARMS, Path.unlink], ids=lambda harm: harm.__name__)
def test_torn_scores_of_genes(sweep: Path, harm: Harm, caplog: pytest.LogCaptureFixture) -> None:
    harm(sweep / RUN / "per_gene.csv")
    assert len(read_runs(sweep)) == 3 and f"{RUN}/per_gene.csv" in caplog.text
    with pytest.raises(InputError, match=r"1 of 4 runs failed"):
        pack(sweep, sweep.parent / "bundle", "strict")


@pytest.mark.parametrize(
    "harm", [*HARMS[:3], not_utf8, Path.unlink], ids=lambda harm: harm.__name__
)
def test_a_torn_or_missing_checkpoint_is_no_smaller_ensemble(sweep: Path, harm: Harm) -> None:
    assert len(find_checkpoints(str(sweep))) == 4
    harm(sweep / RUN / "checkpoints" / "best.ckpt")
    with pytest.raises(InputError, match=rf"(?s){RUN}.*(torn or changed|name the checkpoints)"):
        find_checkpoints(str(sweep))
    with pytest.raises(InputError, match=RUN):
        pack(sweep, sweep.parent / "bundle", "strict")
    rest = [
        str(home / "checkpoints" / "best.ckpt")
        for home in sorted(sweep.iterdir())
        if home.name != RUN
    ]
    assert len(find_checkpoints(rest)) == 3


def test_a_run_that_still_trains_is_no_member(sweep: Path) -> None:
    (sweep / RUN / "metrics.json").unlink()
    with pytest.raises(InputError, match=rf"holds runs not finished: .*{RUN}"):
        find_checkpoints(str(sweep))


@pytest.mark.parametrize(
    "change",
    [
        {"split": {"index": "1", "n_folds": 2}},
        {"sections": {}},
        {"sections": [{"section_id": 1}]},
        {"seed": "zero"},
        {"cost": None},
        {"role": "winner"},
        {"leaks": "none"},
        {"model": ["strict"]},
    ],
    ids=str,
)
def test_facts_of_another_type(
    sweep: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = sweep / RUN / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (sweep / RUN / MANIFEST).unlink()
    assert len(read_runs(sweep)) == 3
    assert f"{path}: {next(iter(change))}" in caplog.text and "expected" in caplog.text


class TestOtherData:
    """Equal model, fold and seed, but not the same data: nothing is dropped, nothing averaged
    together.
    """

    @pytest.mark.parametrize(
        ("change", "labels"),
        [
            ({"data": "lung"}, {"toy", "lung"}),
            ({"unit": "counts"}, {"a", "b"}),
            ({"data_fingerprint": "beef"}, {"a", "b"}),
            ({"section_facts": {"A1": {"counts": "2"}}}, {"a", "b"}),
            ({"split": {"index": 5, "n_folds": 9}}, {"a", "b"}),
        ],
        ids=["name", "unit", "fingerprint", "counts", "folds"],
    )
    def test_is_told_apart(self, tmp_path: Path, change: dict[str, Any], labels: set[str]) -> None:
        same: dict[str, Any] = {
            "data_fingerprint": "cafe",
            "section_facts": {"A1": {"counts": "1"}},
            "unit": "log1p",
        }
        write_run(tmp_path / "a", "ridge", 0, ["A1"], **same)
        write_run(tmp_path / "a", "strict", 0, ["A1"], **same)
        write_run(tmp_path / "b", "strict", 0, ["A1"], **same | change)
        write_run(tmp_path / "b", "ridge", 0, ["A1"], **same | change)
        models = Tables.read(tmp_path).models.set_index("model")
        assert set(models.index) == {
            f"{model}, {label}" for model in ("ridge", "strict") for label in labels
        }
        assert all(models.loc[f"strict, {label}", "gain"] == pytest.approx(0.1) for label in labels)

    def test_controls_with_an_encoder_or_a_target_of_their_own(self, tmp_path: Path) -> None:
        """They stand in one table with the others, and residuals are compared with residuals."""
        own: dict[str, dict[str, Any]] = {
            "ridge": {"unit": "log1p", "encoder": "histology"},
            "strict": {"unit": "log1p", "encoder": "histology"},
            "strict_random": {"unit": "log1p", "encoder": "random_vit"},
            "ridge_residuals": {"unit": "residuals", "encoder": "histology"},
            "strict_residuals": {"unit": "residuals", "encoder": "histology"},
        }
        for model, facts in own.items():
            write_run(tmp_path / model, model, 0, ["A1"], **facts)
        models = Tables.read(tmp_path).models.set_index("model")
        assert set(models.index) == set(own)
        gains = {"strict": 0.1, "strict_random": -0.1, "strict_residuals": 0.03}
        assert models["gain"][list(gains)].to_dict() == pytest.approx(gains)

    def test_folds_of_one_sweep_stay_together(self, tmp_path: Path) -> None:
        for fold, section in enumerate(("A1", "B1")):
            write_run(tmp_path / str(fold), "ridge", fold, [section], data_fingerprint=f"of {fold}")
        assert {run.model for run in read_runs(tmp_path)} == {"ridge"}


class TestCopies:
    def test_a_bundle_beside_the_runs(self, sweep: Path) -> None:
        bundle = sweep / "mine_bundle"
        shutil.copytree(sweep / RUN, bundle / "folds" / "1")
        (bundle / "facts.json").write_text("{}")
        assert {run.folder.parent for run in read_runs(sweep)} == {sweep}
        assert len(find_checkpoints(str(sweep))) == 4
        assert [run.folder for run in read_runs(bundle)] == [bundle / "folds" / "1"]
        assert len(find_checkpoints(str(bundle))) == 1

    def test_a_copy_is_named(self, sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
        shutil.copytree(sweep / RUN, sweep / "copy")
        assert len(read_runs(sweep)) == 4 and "is left out: " in caplog.text

    @pytest.mark.parametrize("name", [".run.99.part", ".trash", ".hydra"])
    def test_a_hidden_folder_is_no_run(self, sweep: Path, name: str) -> None:
        shutil.copytree(sweep / RUN, sweep / name)
        assert len(read_runs(sweep)) == 4 and len(find_checkpoints(str(sweep))) == 4


@pytest.mark.parametrize("name", [".a.99.part.h5ad", ".a.h5ad", ".hidden/a.h5ad"])
def test_what_is_visible(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / name, tmp_path / "b.h5ad"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert visible(tmp_path, "**/*.h5ad") == visible(tmp_path, "*.h5ad") == [tmp_path / "b.h5ad"]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"a": 1}', '{"a": {"bytes": "1", "sha256": 2}}', "\x00"]
)
def test_a_list_of_files_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=MANIFEST):
        check_files(tmp_path, "a")


def test_what_failed_is_told_in_summary_and_page(sweep: Path) -> None:
    """Its reason is text there, whatever it holds."""
    failure = Failure("InputError", "no section <b>S</b>")
    note_outcome(sweep, "7", failure, "fold")
    summarise(sweep)
    page = (sweep / "report" / "index.html").read_text()
    assert "## Failed" in (sweep / "summary.md").read_text()
    assert "<h2>Failed</h2>" in page and "7: no section &lt;b&gt;S&lt;/b&gt;" in page
    note_outcome(sweep, "7", None, "fold")
    summarise(sweep)
    assert "<h2>Failed</h2>" not in (sweep / "report" / "index.html").read_text()
