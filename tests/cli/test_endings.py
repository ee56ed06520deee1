"""How a command ends: jobs of a sweep one by one, signals in one line, exit codes that say so."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import CHECKOUT, command

from hespotex.cli.endings import stoppable
from hespotex.common.errors import InputError, Stopped
from hespotex.common.failures import Failures, failed_below

TASK = """
    import os, sys, time
    from pathlib import Path
    from hespotex.cli.entry import command
    from hespotex.common.errors import InputError

    @command("embed")
    def main(cfg):
        folder = Path(cfg.paths.outputs)
        (folder / f"tried{cfg.seed}").touch()
        if cfg.seed == 1:
            raise InputError("no such section")
        if cfg.seed == 2:
            raise KeyError("defect")
        if cfg.seed == 3:
            sys.exit(3)
        if cfg.seed == 9:
            (folder / "ready").touch()
            time.sleep(60)
        return 1.0

    main()
"""


@pytest.fixture
def task(tmp_path: Path) -> list[str]:
    """A command that takes a moment, and fails as its seed says."""
    script = tmp_path / "task.py"
    script.write_text(textwrap.dedent(TASK))
    return [str(script), f"paths.outputs={tmp_path}"]


JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
OPTUNA = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=6"]


@pytest.mark.parametrize(
    "words",
    [[], ["hydra.sweeper.max_batch_size=1"], JOBLIB, OPTUNA],
    ids=["basic", "batches", "joblib", "optuna"],
)
def test_a_job_that_fails_does_not_stop_its_siblings(
    task: list[str], tmp_path: Path, words: list[str]
) -> None:
    seeds = "choice(1,2,3,4)" if "hydra/sweeper=optuna" in words else "0,1,2,3,4"
    env = {"PYTHONPATH": str(CHECKOUT)}
    done = command(task[0], "-m", *task[1:], f"seed={seeds}", *words, cwd=tmp_path, **env)
    assert done.returncode == 2, done.stdout + done.stderr
    failed = "\n".join(failed_below(tmp_path))
    assert "Traceback" not in done.stderr
    if "hydra/sweeper=optuna" in words:
        assert failed.count("failed_jobs.csv") == done.stdout.count("Failed experiment") > 1
        return
    assert {path.name for path in tmp_path.glob("tried*")} == {f"tried{seed}" for seed in range(5)}
    assert [line.partition(", ")[2] for line in failed.splitlines()] == [
        "1: no such section",
        "2: KeyError: 'defect'",
        "3: ended with exit code 3; the reason stands above",
    ]
    assert "job 1: no such section" in done.stdout
    again = command(task[0], "-m", *task[1:], "seed=0,4", cwd=tmp_path, **env)
    assert again.returncode == 0 and not failed_below(tmp_path)


def test_a_search_without_any_result_ends_in_words(task: list[str], tmp_path: Path) -> None:
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "seed=choice(1,3)"]
    done = command(task[0], "-m", *task[1:], *search, cwd=tmp_path, PYTHONPATH=str(CHECKOUT))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert "2 jobs of the sweep failed" in done.stdout


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")]
)
@pytest.mark.parametrize("sweep", [[], ["-m"], ["-m", *JOBLIB]], ids=["run", "sweep", "joblib"])
def test_a_signal_ends_in_one_line(
    task: list[str], tmp_path: Path, number: int, words: str, sweep: list[str]
) -> None:
    line = [sys.executable, task[0], *sweep, task[1], "seed=9,4" if sweep else "seed=9"]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    pipes = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.PIPE,
        "text": True,
        "start_new_session": True,
    }
    with subprocess.Popen(line, cwd=tmp_path, env=env, **pipes) as job:  # type: ignore[call-overload]
        while not (tmp_path / "ready").exists():
            assert job.poll() is None
        os.killpg(job.pid, number)  # as a terminal and a scheduler do
        said = job.communicate(timeout=60)[1]
    assert job.returncode == 128 + number
    assert said.strip() == f"task.py: {words}; the same command goes on where this one stopped"


def test_a_launcher_that_waits_for_ever_ends_all_the_same(tmp_path: Path) -> None:
    """As joblib's does where a worker was ended while it sent its result."""
    code = """
import os, signal, sys, time
from hespotex.cli import endings
endings.GRACE = 1.0
with endings.stoppable():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        time.sleep(600)
"""
    (tmp_path / "task.py").write_text(code)
    line = [sys.executable, "task.py"]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        line, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    said = "task.py: interrupted; the same command goes on where this one stopped"
    assert done.stderr.strip() == said


def test_a_library_that_was_stopped_is_no_failure_of_a_slide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is stopped inside a library may come out as an error of that library."""
    failures = Failures("slide")
    with pytest.raises(SystemExit) as end, stoppable(), failures.of("a"):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")
    assert end.value.code == 143
    assert not failures.found
    assert "terminated" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_handlers_of_others_stay(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    got = []
    signal.signal(number, lambda *_: got.append(1))
    try:
        with stoppable():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)
    assert got == [1]


def test_an_error_passes_with_its_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(InputError, match="as it is"), stoppable():
        raise InputError("as it is")
    with pytest.raises(Stopped):
        raise Stopped(15)
