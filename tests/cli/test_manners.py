"""What the command line says to a stranger: help, near matches of typos, completion of words,
progress in a log.
"""

import logging
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from conftest import CHECKOUT, command

from hespotex.cli.typos import known_keys, near
from hespotex.common import progress as module
from hespotex.common.progress import progress, progress_bar

VERBS = (
    *("summary", "store", "audit", "compare", "bundle", "cohort", "explain", "finalize", "info"),
    "write_back",
)
HYDRA_VERBS = ("embed", "doctor", "statistics", "hest_benchmark")
WIDTH = 150


TAUGHT = {  # what the help of some must say
    "train.py": ["experiment=cross_validation"],
    "predict.py": ["checkpoint=PATH"],
    "-m hespotex.doctor": [
        "hespotex.doctor data=her2st data.reader.root=PATH",
        "outputs/doctor/NAME",
        "exit code is 0 only",
    ],
    "-m hespotex.hest_benchmark": ["root=BUNDLE"],
}


@cache
def helped(*words: str) -> CompletedProcess[str]:
    return command(*words, "--help")


@pytest.mark.parametrize(
    "words",
    [
        ["train.py"],
        ["predict.py"],
        *(["-m", f"hespotex.{verb}"] for verb in (*VERBS, *HYDRA_VERBS)),
    ],
)
def test_help_is_short_and_has_examples(words: list[str]) -> None:
    done = helped(*words)
    lines = done.stdout.splitlines()
    assert not [said for said in TAUGHT.get(" ".join(words), []) if said not in done.stdout]
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(lines) < 75
    assert max(map(len, lines)) < WIDTH
    assert sum(f"python {' '.join(words)} " in line for line in lines) >= 3


def test_help_lists_every_option() -> None:
    shown = helped("train.py").stdout.replace(",", " ").split()
    groups = (
        "data",
        "encoder",
        "nuclei",
        "model",
        "fold",
        "metrics",
        "trainer",
        "logger",
        "experiment",
        "debug",
        "data/panel",
    )
    options = {path.stem for group in groups for path in (CHECKOUT / "conf" / group).glob("*.yaml")}
    assert options - set(shown) == {"base"}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["data.reader.rot=x"], "data.reader.rot: did you mean data.reader.root?"),
        (
            ["data=her2st", "data.reader.pich_um=100"],
            "data.reader.pich_um: did you mean data.reader.pitch_um?",
        ),
        (["-m", "model=strct,ridge"], "model=strct: did you mean model=strict?"),
        (["modle=strict"], "modle: did you mean model?"),
        (["data/pannel=hvg"], "data/pannel: did you mean data/panel?"),
        (["data=her2"], "data=her2: did you mean data=her2st?"),
        (["model=mlp", "lr=0.1"], "lr: did you mean model.module.optimizer.lr?"),
        (["--hlep"], "--hlep: did you mean --help?"),
        (
            ["name=my", "run"],
            (
                "run: expected KEY=VALUE; put what has spaces, brackets or commas in quotes:"
                " 'KEY=[A,B]'"
            ),
        ),
        (["-m", "--cfg", "job"], "train.py: Only one of --run, --multirun, --cfg"),
    ],
)
def test_a_typo_gets_the_near_match(words: list[str], hint: str, tmp_path: Path) -> None:
    done = command(str(CHECKOUT / "train.py"), *words, cwd=tmp_path)
    assert done.returncode != 0
    assert hint in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("config.json"))


def test_predict_knows_its_own_keys() -> None:
    assert "slide: did you mean slides?" in command("predict.py", "checkpoint=x", "slide=y").stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["lst"], "lst: did you mean list?"),
        (["list", "--oldr", "3"], "--oldr: did you mean --older?"),
    ],
)
def test_a_verb_does_so_too(words: list[str], hint: str) -> None:
    done = command("-m", "hespotex.store", *words)
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_no_match_is_made_up() -> None:
    assert near("zzz", ["model", "data"]) is None
    assert near("model", ["model", "modle"]) is None


def test_keys_of_a_users_folder_are_known(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        "defaults: [gene_mean, _self_]\nmodule: {wisdom: 3}\n"
    )
    words = ["--config-dir", str(tmp_path), "model=mine", "model.module.wisdm=4"]
    known = known_keys(CHECKOUT / "conf", "train", words)
    assert {"model.module.wisdom", "model.module", "data/panel", "hydra.sweep.dir"} <= set(known)


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        (
            "python train.py model=ridge_",
            {
                "model=ridge_hest",
                "model=ridge_hest_tuned",
                "model=ridge_neighbours",
                "model=ridge_residuals",
                "model=ridge_taught",
            },
        ),
        ("python train.py fold.ind", {"fold.index="}),
        ("python predict.py map_g", {"map_genes."}),
    ],
)
def test_completion_of_a_word(line: str, choices: set[str]) -> None:
    script = line.split()[1]
    done = command(
        script, "--shell-completion", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line))
    )
    assert set(done.stdout.split()) == choices


def test_completion_in_bash() -> None:
    """As the README has it: the function that is installed, asked as bash asks it."""
    script = """
    eval "$(python train.py --shell-completion install=bash)"
    COMP_WORDS=(python train.py encoder=quilt) COMP_CWORD=2
    COMP_LINE="python train.py encoder=quilt" COMP_POINT=29
    hydra_bash_completion; echo "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=CHECKOUT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "encoder=quiltnet", done.stderr


class TestProgressInALog:
    """Without a terminal, long work leaves lines with the time left, and short work leaves none."""

    @pytest.fixture
    def clock(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> list[float]:
        """A clock that the test turns."""
        now = [0.0]
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
        monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
        caplog.set_level(logging.INFO, "hespotex.common.progress")
        return now

    def test_lines(self, clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
        with progress_bar(100, "patch", "uni A1", initial=20) as bar:
            for _ in range(8):
                clock[0] += 10
                bar.update(10)
        assert caplog.messages == [
            "uni A1: patch 50 of 100, 00:30 gone, 00:50 left, 1/s",
            "uni A1: patch 80 of 100, 01:00 gone, 00:20 left, 1/s",
            "uni A1: patch 100 of 100, 01:20 gone, 00:00 left, 1/s",
        ]

    def test_short_work_and_single_items_leave_none(
        self, clock: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert list(progress(range(3), "fit", "ridge")) == [0, 1, 2]
        for _ in progress([0], "fit", "ridge"):
            clock[0] += 100
        assert caplog.messages == []

    def test_metrics_are_told(self, clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
        with progress_bar(2, "epoch", "fit") as bar:
            clock[0] += 40
            bar.set_postfix({"val": "0.1"}, refresh=False)
            bar.update()
        assert caplog.messages == ["fit: epoch 1 of 2, 00:40 gone, 00:40 left, 0.025/s, val 0.1"]
