"""`run.txt`: what stands in a run's, a sweep's and a prediction's folder."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import compose_config
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import open_dict, read_write

from hespotex.cli.recorded import given_command, sweep_command
from hespotex.prediction.inference import predict
from hespotex.results.guide import FILES, guide_run, guide_sweep
from hespotex.results.tables.sweep import Tables


@pytest.fixture
def named(ridge_run: Path) -> Path:
    """A run, told which command has made it."""
    metrics = json.loads((ridge_run / "metrics.json").read_text())
    guide_run(ridge_run, metrics | {"command": "python train.py model=ridge"})
    return ridge_run


def files_named(text: str) -> set[str]:
    """First words below "What is here"."""
    here = text.partition("What is here\n")[2].partition("\n\n")[0]
    return {line.split()[0] for line in here.splitlines()}


def test_of_a_run(named: Path) -> None:
    text = (named / "run.txt").read_text()
    metrics = json.loads((named / "metrics.json").read_text())
    first, score, trained, leaks, command, *_ = text.splitlines()
    assert first == "ridge on hest, encoder random_vit, fold 0 of 3 (leave_one_group_out), seed 0"
    assert score.startswith(
        f"PCC {metrics['test/pcc_gene']:.3f} over genes and test sections (DEMO1 "
    )
    assert trained.endswith("tested on DEMO1, DEMO2.")
    assert leaks == "Leaks: none that the run knows of"
    assert command == "Made by: python train.py model=ridge"
    assert f"predict.py checkpoint={named}/checkpoints/best.ckpt" in text


def test_it_names_each_file_once_and_no_other(named: Path) -> None:
    listed = files_named((named / "run.txt").read_text())
    assert {"metrics.json", "per_gene.csv", "checkpoints/best.ckpt", "split.json"} <= listed
    for name in listed:
        assert any(named.glob(name)), name
    # .lock: of a run at work
    files = [path for path in named.rglob("*") if path.is_file() and not path.name.startswith(".")]
    left = {path.relative_to(named).as_posix() for path in files} - {"run.txt"}
    assert {
        name for name in left if not any(Path(name).match(pattern) for pattern in FILES)
    } == set()


def test_of_a_sweep_and_a_single_run_keeps_its_own(named: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    shutil.copytree(named, sweep / "0")
    (sweep / "multirun.yaml").write_text(
        "hydra: {job: {name: train}, overrides: {task: ['fold.index=range(3)', name=my]}}\n"
    )
    (sweep / "summary.md").write_text("")
    guide_sweep(sweep, Tables.read(sweep))
    text = (sweep / "run.txt").read_text()
    assert text.startswith("1 finished runs on hest\nridge, leave_one_group_out: PCC 0.")
    assert "folds missing: [1, 2]" in text
    assert "  0  ridge, fold 0, seed 0\n" in text
    assert "Made by: python train.py -m 'fold.index=range(3)' name=my\n" in text
    assert files_named(text) == {"summary.md", "multirun.yaml"}
    own = (named / "run.txt").read_text()
    guide_sweep(named, Tables.read(named))
    assert (named / "run.txt").read_text() == own


def test_of_predicted_slides(
    ridge_run: Path, small_demo: Path, store: Path, tmp_path: Path
) -> None:
    words = [
        f"checkpoint={ridge_run}/checkpoints/best.ckpt",
        f"slides={small_demo}/slides/bare.tif",
        f"paths.store={store}",
    ]
    predict(compose_config("predict", [*words, f"output={tmp_path}/out", "qupath=false"], tmp_path))
    text = (tmp_path / "out" / "run.txt").read_text()
    assert (
        text.startswith("1 slide; the last command used ")
        and "\n  bare  ridge on hest, encoder random_vit; checkpoint " in text
    )
    assert files_named(text) == {
        "index.html",
        "*.html",
        "*.h5ad",
        "*_spots.parquet",
        "*_tissue.geojson",
        "*_tissue.png",
    }


class TestCommand:
    """As it can be given again."""

    @pytest.fixture(autouse=True)
    def _no_words_are_left(self) -> Iterator[None]:
        yield
        HydraConfig.instance().cfg = None

    def compose(self, tmp_path: Path, mode: RunMode) -> None:
        compose_config("train", ["fold.index=1", "name=with space"], tmp_path)
        config = HydraConfig.instance().cfg
        assert config is not None
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.name = "train"
            config.hydra.job.num = 3
            config.hydra.mode = mode

    def test_of_a_single_run(self, tmp_path: Path) -> None:
        self.compose(tmp_path, RunMode.RUN)
        assert given_command() == "python train.py fold.index=1 'name=with space'"

    def test_of_a_job_of_a_sweep(self, tmp_path: Path) -> None:
        self.compose(tmp_path, RunMode.MULTIRUN)
        assert "(job 3 of a sweep: to repeat it, give the command of the sweep)" in given_command()

    @pytest.mark.parametrize("folder", ["conf", "own conf", "it's", "[own]"])
    @pytest.mark.parametrize(
        "words", [[], ["hydra/launcher=joblib"], ["hydra.run.dir=out put", "hydra.verbose=true"]]
    )
    def test_with_what_hydra_was_given(self, tmp_path: Path, folder: str, words: list[str]) -> None:
        """A search path that is left out would find other configs."""
        sources = [
            {"path": str(tmp_path / "main"), "schema": "file", "provider": "main"},
            {"path": str(tmp_path / folder), "schema": "file", "provider": "command-line"},
        ]
        overrides = {"task": ["name=a b"], "hydra": [*words, "hydra.mode=MULTIRUN"]}
        hydra = {
            "job": {"name": "train"},
            "overrides": overrides,
            "runtime": {"config_sources": sources},
        }
        (tmp_path / "multirun.yaml").write_text(json.dumps({"hydra": hydra}))
        expected = [
            "python",
            "train.py",
            "-m",
            "--config-dir",
            str(tmp_path / folder),
            *words,
            "name=a b",
        ]
        assert shlex.split(sweep_command(tmp_path)) == expected

    @pytest.mark.parametrize(
        "content", ["", "[", "hydra: 3", "hydra: {job: 1}", "\x00", "{hydra: {job: {name: x}}}"]
    )
    def test_of_a_record_that_is_none(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "multirun.yaml").write_text(content)
        assert sweep_command(tmp_path) == ""

    def test_without_one(self, tmp_path: Path) -> None:
        HydraConfig.instance().cfg = None
        assert given_command() == ""
        assert sweep_command(tmp_path) == ""
