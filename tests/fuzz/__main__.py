"""`python -m tests.fuzz [N] [FIRST]`: N damages (10,000), a process for each hundred, so that
crashes and hangs are seen.
"""

import logging
import multiprocessing
import os
import sys
import tempfile
from multiprocessing.pool import ThreadPool
from pathlib import Path

if __package__ != "fuzz":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCH = 100
SECONDS = 300


def batch(folder: str, name: str, first: int, last: int, log: str) -> None:
    """Trials of one data set; what goes wrong, and where it stands, goes to the file `log`."""
    logging.disable(logging.WARNING)
    from fuzz.trial import attempt

    with Path(log).open("a", encoding="utf-8") as file:
        for seed in range(first, last):
            file.write(f"at {name} {seed}\n")
            file.flush()
            if words := attempt(Path(folder), name, seed):
                file.write(f"WRONG {words}\n")


def main(n: int = 10_000, first: int = 0) -> int:
    """Number of trials that went wrong; each is told as it is found."""
    from fuzz.sets import DATA_SETS
    from fuzz.trial import sound

    each = -(-n // len(DATA_SETS))
    with tempfile.TemporaryDirectory() as folder, ThreadPool(os.cpu_count()) as pool:
        sound(Path(folder))
        tries = [(folder, name, first, first + each) for name in DATA_SETS]
        wrong = sum(pool.starmap(_tried, tries))
    sys.stdout.write(f"{each * len(DATA_SETS)} damages, {wrong} wrong\n")
    return wrong


def _tried(folder: str, name: str, first: int, last: int) -> int:
    """Number of trials of one data set that went wrong."""
    n_wrong = 0
    for start in range(first, last, BATCH):
        wrong = _run(folder, name, start, min(start + BATCH, last))
        sys.stdout.write("".join(f"{line}\n" for line in wrong))
        sys.stdout.flush()
        n_wrong += len(wrong)
    sys.stdout.write(f"{name}: {last - first} damages, {n_wrong} wrong\n")
    sys.stdout.flush()
    return n_wrong


def _run(folder: str, name: str, first: int, last: int) -> list[str]:
    """The wrong ones of a batch; after a crash or a hang it goes on behind it."""
    wrong: list[str] = []
    while first < last:
        log = Path(folder) / f"{name}.log"
        log.write_text("")
        process = multiprocessing.Process(target=batch, args=(folder, name, first, last, str(log)))
        process.start()
        process.join(SECONDS)
        lines = log.read_text(encoding="utf-8").splitlines()
        wrong += [line for line in lines if line.startswith("WRONG")]
        if process.exitcode == 0:
            return wrong
        last_seen = next(
            (line for line in reversed(lines) if line.startswith("at ")), f"at {name} {first}"
        )
        how = (
            f"exit code {process.exitcode}"
            if process.exitcode is not None
            else f"no end in {SECONDS} s"
        )
        process.kill()
        wrong.append(f"WRONG {last_seen.removeprefix('at ')}: {how}")
        first = int(last_seen.split()[-1]) + 1
    return wrong


if __name__ == "__main__":
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
