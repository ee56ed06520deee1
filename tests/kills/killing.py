"""Runs a command in a child process, kills it at a file event or a moment, and compares what the
same command leaves later.
"""

import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")  # beside "open" for writing
WRITES = os.O_WRONLY | os.O_RDWR
UNEQUAL = ("cost", "command", "val_seconds")  # of metrics.json: other each time
PASSED = (".log", ".lock", "run.txt", "files.json", "hydra.yaml", "config.yaml", "multirun.yaml")


@dataclass(frozen=True)
class Command:
    """A command line. `module` holds its `main`; `unlike` are names that no two undisturbed runs
    make alike.
    """

    module: str
    words: Sequence[str]
    unlike: tuple[str, ...] = ()


def run(
    command: Command, folder: Path, at: int = 0, seconds: float = 0, largest: int = 0
) -> tuple[int, int]:
    """Run it in a child of this process.

    Args:
        folder: whose file events count.
        at: number of the event at which it is killed; 0 never.
        seconds: after which it is killed; 0 never.
        largest: bytes of a file that the disk takes; 0 for any.

    Returns:
        Exit code, or minus the signal; and the number of events.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        _be_the_command(command, folder, at, writer)
    os.close(writer)
    if seconds:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), int(told or 0)


def _be_the_command(command: Command, folder: Path, at: int, writer: int) -> None:
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if not (
            event in EVENTS
            or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES)
        ):
            return
        if str(arguments[0]).startswith(str(folder)):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        quiet = os.open(folder.parent / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(quiet, number)
        sys.argv = [command.module.rpartition(".")[2], *command.words]
        sys.addaudithook(hook)
        importlib.import_module(command.module).main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        os.write(writer, str(count).encode())
        os._exit(code)


def left(folder: Path, unlike: tuple[str, ...] = ()) -> dict[str, str]:
    """Each file and a hash of what must be the same in it."""
    return {
        str(path.relative_to(folder)): _hash(path, unlike)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _hash(path: Path, unlike: tuple[str, ...]) -> str:
    if path.name.endswith(PASSED) or any(name in str(path) for name in unlike):
        return ""
    content = path.read_bytes()
    if path.name == "metrics.json":
        content = json.dumps(
            {k: v for k, v in json.loads(content).items() if k not in UNEQUAL}, sort_keys=True
        ).encode()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def differences(
    command: Command, before: Path, work: Path, points: Sequence[float], random: bool = False
) -> Iterator[str]:
    """What is not as it would be without the kill, a line each.

    Args:
        before: the folder as the command finds it, copied to `work` each time.
        points: numbers of file events, or seconds; shares (0 to 1) of all events where they are
          below 1.
        random: they are shares of the time that the whole command takes.
    """
    _afresh(before, work)
    started = time.monotonic()
    code, n_events = run(command, work)
    whole = left(work, command.unlike)
    seconds = time.monotonic() - started
    if code:
        yield f"undisturbed: exit code {code}: {(work.parent / 'said.txt').read_text()[-500:]}"
        return
    for point in points:
        _afresh(before, work)
        at = (
            f"{point:.2f} of its time"
            if random
            else f"event {1 + int(point * n_events)} of {n_events}"
        )
        run(
            command,
            work,
            0 if random else 1 + int(point * n_events),
            point * seconds if random else 0,
        )
        code, _ = run(command, work)
        if code:
            yield (
                f"killed at {at}: exit code {code}: {(work.parent / 'said.txt').read_text()[-500:]}"
            )
        found = left(work, command.unlike)
        changed = sorted(name for name in whole | found if whole.get(name) != found.get(name))
        if changed:
            yield f"killed at {at}: {', '.join(changed)}"


def _afresh(before: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(before, work)
