"""How a command ends: errors in words, jobs of a sweep one by one, signals, and the exit code that
says so.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from hespotex.common.errors import InputError, Stopped, disk_words, stopped_by
from hespotex.common.failures import JOBS, failure_of, note_outcome, read_failed

log = logging.getLogger("hespotex")
REFUSED = 2  # exit code where the input cannot be used
SIGNAL = 128  # exit codes of what a signal ended start here, as in a shell
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
GRACE = 30.0  # seconds between a signal and the end, whatever still waits
PATIENCE: list[threading.Timer] = []  # of a signal that came, until the block is left


def _stop(number: int, _: FrameType | None) -> NoReturn:
    for each in WORDS:  # the second one ends the process at once
        signal.signal(each, signal.SIG_DFL)
    patience = threading.Timer(GRACE, _end_at_once, [number])
    patience.daemon = True
    patience.start()
    PATIENCE.append(patience)
    raise Stopped(number)


def _end_at_once(number: int) -> NoReturn:
    """A launcher waits for ever for a helper that the same signal has ended while it answered."""
    _farewell(signal.Signals(number))
    sys.stderr.flush()
    os._exit(SIGNAL + number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, and the process, with one line and with 130 or 143.

    Handlers that somebody else has set, such as a scheduler's, stay.
    """
    ours = threading.current_thread() is threading.main_thread()
    free: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }
    signals = [
        number for number, default in free.items() if ours and signal.getsignal(number) == default
    ]
    for number in signals:
        signal.signal(number, _stop)
    try:
        yield
    except BaseException as error:
        stop = Stopped(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else stopped_by(error)
        if stop is None or not signals:
            raise
        _farewell(signal.Signals(stop.number))
        sys.exit(SIGNAL + stop.number)
    finally:
        while PATIENCE:
            PATIENCE.pop().cancel()
        for number in signals:
            signal.signal(number, free[number])


def _farewell(number: signal.Signals) -> None:
    """One line, of the process that the user has started; helpers of it leave without a word."""
    if os.environ.get("LOCAL_RANK", "0") == "0" and multiprocessing.parent_process() is None:
        sys.stderr.write(
            f"\n{_program()}: {WORDS[number]}; the same command goes on where this one stopped\n"
        )


def _program() -> str:
    return Path(sys.argv[0]).name


def refuse(error: InputError) -> NoReturn:
    """End in the words of an error, before there is a log."""
    sys.stderr.write(f"{_program()}: {error}\n")
    sys.exit(REFUSED)


def ended(error: Exception | SystemExit) -> None:
    """The end of a command, or of a job of a sweep, by an error.

    A job's failure is written down, and its siblings go on. Else an `InputError` is one message and
    exit code 2, and anything else, a defect, keeps its traceback.
    """
    if os.environ.get("HYDRA_FULL_ERROR") or stopped_by(error):
        raise error
    if not isinstance(error, InputError) and (reason := disk_words(error)):
        error = InputError(reason)
    job = _job()
    if job is None and not isinstance(error, InputError):
        raise error
    if job is None:
        log.error("%s", error)
        sys.exit(REFUSED)
    if isinstance(error, SystemExit):
        if not error.code:
            return
        error = InputError(f"ended with exit code {error.code}; the reason stands above")
    failure = failure_of(error)
    log.error("%s", failure.reason, exc_info=None if isinstance(error, InputError) else error)
    note_outcome(*job, failure, kind="job", file_name=JOBS)


def _job() -> tuple[Path, str] | None:
    """Folder of the sweep and name of this job of it; None outside a sweep."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    hydra = HydraConfig.get()
    return Path(hydra.sweep.dir), str(hydra.job.num)


class Sweep:
    """The sweep that this process runs, if it does."""

    folder: Path | None = None

    @classmethod
    def begin(cls, folder: Path) -> None:
        """Forget what failed in an earlier sweep into the same folder."""
        cls.folder = folder
        (folder / JOBS).unlink(missing_ok=True)

    @classmethod
    def end(cls, error: Exception | None = None) -> None:
        """Name the jobs that failed, and exit; nothing if none did.

        Args:
            error: what ended the sweeper, where it did not end by itself.
        """
        folder = cls.folder
        cls.folder = None
        failed = read_failed(folder, JOBS) if folder else {}
        if not failed:
            return
        if error is not None:
            log.error("the sweep ended early: %s", error)
        jobs = "\n".join(f"job {name}: {reason}" for name, reason in failed.items())
        log.error(
            "%d jobs of the sweep failed (%s):\n%s", len(failed), folder and folder / JOBS, jobs
        )
        sys.exit(REFUSED)


def report(func: Callable[[], Any], otherwise: Callable[[Callable[[], Any]], Any]) -> Any:
    """Do what Hydra does; a sweeper that gives up after failed jobs, such as a search without a
    result, says so in words.

    Args:
        otherwise: Hydra's way to show an error.
    """

    def run() -> Any:
        try:
            return func()
        except Exception as error:
            if stop := stopped_by(error):
                raise stop from None
            Sweep.end(error)
            if reason := disk_words(error):
                refuse(InputError(reason))
            raise

    return otherwise(run)
