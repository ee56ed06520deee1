"""A command in a fork is what it is in a process of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import CHECKOUT, ONE_THREAD, forks

SCRIPT = """
    import os, sys
    import numpy as np
    print(__name__, sys.argv[1:], os.getcwd(), os.environ.get("MINE"), sys.stdin.read())
    print([name for name in sys.modules if name.startswith("hespotex")])
    print("told", file=sys.stderr)
    end = sys.argv[1]
    if end == "defect":
        raise KeyError("defect")
    sys.exit(int(end) if end.isdigit() else end if end != "none" else None)
"""


@pytest.mark.parametrize("end", ["none", "0", "3", "words", "defect"])
def test_a_fork_and_a_process_of_its_own(tmp_path: Path, end: str) -> None:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    words = [str(tmp_path / "script.py"), end, "a b"]
    env = {**os.environ, **ONE_THREAD, "MINE": "1"}
    fork = forks().run(words, tmp_path, env)
    own = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (fork.returncode, fork.stdout) == (own.returncode, own.stdout)
    assert fork.stderr.splitlines()[-1] == own.stderr.splitlines()[-1]
    assert ("Traceback" in fork.stderr) == (end == "defect")


def test_a_module_that_is_killed_or_refused(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    env = os.environ | ONE_THREAD
    assert forks().run(["-m", "killed"], tmp_path, env).returncode == -9
    assert forks().run(["-m", "hespotex.info", "nowhere"], CHECKOUT, env).returncode == 2


def test_forks_draw_other_random_numbers(tmp_path: Path) -> None:
    (tmp_path / "draw.py").write_text("import numpy as np; print(np.random.rand())")
    drawn = {forks().run(["-m", "draw"], tmp_path, os.environ).stdout for _ in range(2)}
    assert len(drawn) == 2
