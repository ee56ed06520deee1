"""`python -m tests.fuzz [N] [FIRST]`: N damages (10,000), a process for each hundred, so that
crashes and hangs are seen.
"""

import multiprocessing
import sys
import tempfile
from pathlib import Path

if __package__ != "fuzz":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCH, SECONDS = 100, 300


def batch(folder: str, name: str, first: int, last: int, log: str) -> None:
    """Trials of one data set; what goes wrong, and where it stands, goes to the file `log`."""
    from fuzz.trial import attempt

    with Path(log).open("a", encoding="utf-8") as file:
        for seed in range(first, last):
            file.write(f"at {name} {seed}\n")
            file.flush()
            if words := attempt(Path(folder), name, seed):
                file.write(f"WRONG {words}\n")


def main(n: int = 10_000, first: int = 0) -> int:
    """Number of trials that went wrong."""
    from fuzz.sets import DATA_SETS
    from fuzz.trial import sound

    wrong: list[str] = []
    each = -(-n // len(DATA_SETS))
    with tempfile.TemporaryDirectory() as folder:
        sound(Path(folder))
        for name in DATA_SETS:
            for start in range(first, first + each, BATCH):
                wrong += _run(folder, name, start, min(start + BATCH, first + each))
            sys.stdout.write(f"{name}: {each} damages, {len(wrong)} wrong so far\n")
            sys.stdout.flush()
    sys.stdout.write(
        "\n".join([*wrong, f"{each * len(DATA_SETS)} damages, {len(wrong)} wrong", ""])
    )
    return len(wrong)


def _run(folder: str, name: str, first: int, last: int) -> list[str]:
    """The wrong ones of a batch; after a crash or a hang it goes on behind it."""
    wrong: list[str] = []
    while first < last:
        log = Path(folder) / "log"
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
