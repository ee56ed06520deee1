"""Shared fixtures: where the real data is, a small demo, and runs of the command line inside this
process.
"""

import atexit
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import Forks
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from hespotex.cli.entry import GARBAGE
from hespotex.demo import make_demo
from hespotex.records.manifest import MANIFEST
from hespotex.sections.section import Section

CHECKOUT = Path(__file__).parents[1]
Run = Callable[..., Path]

gc.set_threshold(GARBAGE)
os.environ.update(HF_HUB_OFFLINE="1", WANDB_MODE="offline", WANDB_SILENT="true")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout with real data and golden values."""
    data = Path(os.environ.get("HESPOTEX_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not data.is_dir():
        pytest.skip(f"real data not found at {data}; set HESPOTEX_SHARED_DATA")
    return data.parent


@pytest.fixture(autouse=True)
def no_sections_of_another_test() -> Iterator[None]:
    """A process keeps the sections it built last, and tests put other code in place of readers."""
    yield
    if build := sys.modules.get("hespotex.records.build"):
        build.LAST.clear()


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo folder of three patients with two sections of some 30 spots each; do not change it."""
    return make_demo(
        tmp_path_factory.mktemp("data") / "demo",
        n_patients=3,
        sections_per_patient=2,
        spots_per_side=6,
    )


@pytest.fixture
def broken(small_demo: Path, tmp_path: Path) -> Path:
    """A copy of the small demo that a test may break."""
    return shutil.copytree(small_demo, tmp_path / "broken")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embedding store that the tests of a session share."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def small(small_demo: Path, store: Path) -> list[str]:
    """Overrides that make any run cheap: the small demo, a random encoder, one store, no progress
    bar.
    """
    return [
        "data=hest",
        f"data.reader.root={small_demo}",
        f"paths.store={store}",
        "encoder=random_vit",
        "~callbacks.progress",
    ]


def compose_config(
    name: str, overrides: list[str], folder: Path, with_hydra: bool = False
) -> DictConfig:
    """The config of a command line, as Hydra hands it to `main`, with `folder` as the run's folder;
    or with Hydra's own part.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CHECKOUT / "conf"), version_base="1.3"):
        config = compose(name, overrides, return_hydra_config=True)
    with open_dict(config):
        config.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(config)
    if not with_hydra:
        with open_dict(config):
            config.pop("hydra")
    return config


@contextmanager
def _small_runs(maps: bool = False) -> Iterator[None]:
    """Without maps, which take longer than all else, and on one thread: test workers share the
    cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as patch:
            if not maps:
                patch.setattr("hespotex.results.scores.draw_pair", lambda *_: None)
            yield
    finally:
        torch.set_num_threads(threads)


def _train(folder: Path, words: Sequence[str]) -> Path:
    """Train in this process into this folder."""
    from hespotex.training.run import train as run_train

    run_train(compose_config("train", list(words), folder))
    return folder


@pytest.fixture
def train(small: list[str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Train in this process; returns the run's folder. Maps with the mark `maps` only."""

    def run(*overrides: str, folder: Path = tmp_path / "run") -> Path:
        folder.mkdir(exist_ok=True)
        return _train(folder, [*small, *overrides])

    with _small_runs(request.node.get_closest_marker("maps") is not None):
        yield run


@pytest.fixture(scope="session")
def trained(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The folder of a run of these words, trained once in a session: it must not be changed, and
    nothing may stand in place of the code that trains.
    """

    @cache
    def run(*overrides: str) -> Path:
        with _small_runs():
            return _train(tmp_path_factory.mktemp("trained"), [*small, *overrides])

    return run


BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium, the installed one or that of the variable CHROMIUM."""
    from playwright.sync_api import sync_playwright

    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if chromium is None:
        pytest.skip("no Chromium on the PATH; install it or set CHROMIUM=/path/to/chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_FLAGS))
        yield running
        running.close()


@pytest.fixture
def ridge_run(train: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ridge run on the small demo, trained once; each test gets a copy to itself."""
    kept = tmp_path_factory.getbasetemp() / "kept_ridge_run"
    if not (kept / "metrics.json").is_file():
        train("model=ridge", "model.select_on=validation", "data.panel.n_top=40", folder=kept)
    return Path(shutil.copytree(kept, tmp_path / "ridge_run"))


@pytest.fixture
def finalized(train: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ridge on three folds of four sections and its final model, made once; each test gets a
    copy.
    """
    from hespotex.finalize import finalize

    kept = tmp_path_factory.getbasetemp() / "kept_final_sweep"
    if not kept.is_dir():
        kept.mkdir()
        words = [
            "model=ridge",
            "data.panel.n_top=40",
            "data.reader.sections=[DEMO1,DEMO2,DEMO3,DEMO5]",
        ]
        for i in range(3):
            train(*words, f"fold.index={i}", folder=kept / str(i))
        finalize(kept)
    return Path(shutil.copytree(kept, tmp_path / "sweep"))


def changed_on_purpose(path: Path) -> None:
    """Let a run whose file a test has changed be read as one that nobody vouches for."""
    for folder in path.parents[:2]:
        (folder / MANIFEST).unlink(missing_ok=True)


def command(
    *arguments: str, cwd: Path = CHECKOUT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python command line as a user would, and wait for it."""
    env = os.environ | ONE_THREAD | environment
    env = {name: value for name, value in env.items() if value}  # "" takes one away
    if loads_libraries(arguments) and environment.keys() <= AFTER_LOADING:
        return forks().run(arguments, cwd, env)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


ONE_THREAD = {"OMP_NUM_THREADS": "1"}
AFTER_LOADING = {"PYTHONPATH", "HYDRA_FULL_ERROR"}  # read once the libraries are loaded
LIGHT = {"--help", "--cfg", "--hlep", "--shell-completion"}


def loads_libraries(arguments: Sequence[str]) -> bool:
    """Whether a command is one that goes on to work, so that it may be a fork; one that answers
    at once is quicker by itself.
    """
    first, *rest = arguments
    script = first.endswith(".py") or (first == "-m" and rest[0].startswith("hespotex."))
    return script and not LIGHT & set(rest)


@cache
def forks() -> Forks:
    """Of this test worker."""
    started = Forks(os.environ | ONE_THREAD)
    atexit.register(started.end)
    return started


@pytest.fixture
def spots(tmp_path: Path) -> Section:
    """25 spots of a section on a small image."""
    from builders import picture, section, write_pyramid

    return section(image=write_pyramid(tmp_path / "a.tif", [picture(340, 340)]))
