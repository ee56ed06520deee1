"""Commands in forks of one process that has the libraries loaded, as loading them takes most of
the time of a short command: 8 s of 9.

A test worker starts `python forks.py` at its first command, and asks it for one command after the
other. Nothing of HESpotEx is loaded before the fork, so each command loads it anew. What libraries
say while they are loaded is not in a command's stderr.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = (
    "anndata",
    "cv2",
    "hydra",
    "matplotlib.pyplot",
    "pytorch_lightning",
    "scipy.stats",
    "shapely",
    "sklearn.linear_model",
    "tifffile",
    "torch_geometric.data",
    "torch_geometric.utils",
)
SECONDS = 600


class Forks:
    """A process whose forks are commands.

    Args:
        environment: of the process; what libraries read while they are loaded is taken from it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        line = [sys.executable, __file__]
        self._process = subprocess.Popen(line, env=dict(environment), **pipes)

    def run(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` of `python ARGUMENTS`: a script, or `-m` and a module."""
        assert self._process.stdin and self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder) / name) for name in ("stdout", "stderr")]
            asked = [list(arguments), str(cwd), dict(environment), files]
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            said = [Path(file).read_text() for file in files]
        return subprocess.CompletedProcess([sys.executable, *arguments], code, *said)

    def end(self) -> None:
        """Wait for it to end, once it is told that nothing more will be asked."""
        self._process.communicate()


def serve() -> None:
    """In the process: a fork for each line that is asked; its exit code is the answer."""
    said = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries say while they are loaded
    for name in LIBRARIES:
        importlib.import_module(name)
    os.dup2(said, 2)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            leave(ended(partial(be, *json.loads(line))))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
    leave(0)


def ended(command: Callable[[], None]) -> int:
    """Exit code of a command, after it; what it has not caught is shown."""
    try:
        command()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(code: int) -> NoReturn:
    """As the interpreter, but that it takes nothing apart: that would copy all that was loaded."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def be(arguments: list[str], cwd: str, environment: dict[str, str], files: Sequence[str]) -> None:
    """In a fork: the command, to its end."""
    import numpy as np

    signal.alarm(SECONDS)
    np.random.seed()  # noqa: NPY002, a process of its own would have a state of its own
    for number, path in enumerate([os.devnull, *files]):
        mode = os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY
        os.dup2(os.open(path, mode), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    own = environment.get("PYTHONPATH", "").split(os.pathsep)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[:1] = [cwd, *filter(None, own)]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[:1] = [str(Path(arguments[0]).resolve().parent), *filter(None, own)]
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    serve()
