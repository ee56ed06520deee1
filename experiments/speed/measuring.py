"""Processor time and peak memory of a stage, one process for each row."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from json import dumps, loads
from pathlib import Path
from time import process_time

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
NOT_RUN = "not run"


@dataclass(frozen=True)
class Row:
    """A line of the table; `unit_spots` went through the stage once in `seconds`.

    Seconds are of the process on its processors, all threads together: on one thread what it would
    take on an idle machine but for waiting for files, and other work beside it does not count.
    """

    stage: str
    spots: int
    genes: int
    unit_spots: int = 0
    seconds: float | None = None
    peak_gib: float | None = None
    note: str = ""

    @property
    def rate(self) -> float | None:
        """Spots per second."""
        return self.unit_spots / self.seconds if self.seconds else None

    def per(self, n: int) -> "Row":
        """The same for one of `n` equal rounds."""
        return replace(self, seconds=self.seconds / n if self.seconds else None)

    def markdown(self) -> str:
        cells = [self.stage, f"{self.spots:,}", f"{self.genes:,}"]
        cells += [
            _number(v, form)
            for v, form in ((self.seconds, ".3g"), (self.rate, ",.0f"), (self.peak_gib, ".2f"))
        ]
        return f"| {' | '.join([*cells, self.note])} |"


HEADER = (
    "| stage | spots | genes | CPU seconds | spots/s | peak GiB | note |\n"
    "|---|---|---|---|---|---|---|"
)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


class Stages:
    """Rows of one process, in the order in which they were measured."""

    def __init__(self, spots: int, genes: int, clock: Callable[[], float] = process_time) -> None:
        self.spots = spots
        self.genes = genes
        self.clock = clock
        self.rows = list[Row]()

    @contextmanager
    def stage(self, name: str, unit_spots: int, rounds: int = 1, note: str = "") -> Iterator[None]:
        """Measure what is done inside, which is `rounds` equal rounds; a failure becomes a row that
        says so.
        """
        reset_peak()
        started = self.clock()
        row = Row(name, self.spots, self.genes, unit_spots, note=note)
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            self.rows.append(replace(row, note=f"failed: {str(error).splitlines()[0][:80]}"))
            raise
        seconds = (self.clock() - started) / rounds
        self.rows.append(replace(row, seconds=seconds, peak_gib=peak_gib()))

    def skip(self, name: str, reason: str) -> None:
        """A stage that is too large to be run."""
        self.rows.append(Row(name, self.spots, self.genes, note=f"{NOT_RUN} ({reason})"))


def reset_peak() -> None:
    """Let the process's peak of resident memory start again at what it holds now."""
    CLEAR.write_text("5")


def peak_gib() -> float:
    """Highest resident memory of this process since `reset_peak`."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def in_own_process(
    script: str, spots: int, genes: int, arguments: list[str], time_limit: float
) -> list[Row]:
    """Rows that a script of this folder writes to standard output, one JSON a line; what went wrong
    is a row too.
    """
    command = [
        sys.executable,
        str(Path(__file__).with_name(script)),
        "--spots",
        str(spots),
        "--genes",
        str(genes),
        *arguments,
    ]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=time_limit, check=False
        )
        out = done.stdout
        problem = f"the process ended with {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        out = (error.stdout or b"").decode()
        problem = f"over the limit of {time_limit:.0f} s"
    rows = [Row(**loads(line)) for line in out.splitlines() if line.startswith("{")]
    return (
        [*rows, Row(Path(script).stem, spots, genes, note=f"{NOT_RUN} ({problem})")]
        if problem
        else rows
    )


def hand_over(rows: list[Row]) -> None:
    """Write rows for the process that asked for them."""
    for row in rows:
        sys.stdout.write(dumps(asdict(row)) + "\n")
    sys.stdout.flush()


def processor_name() -> str:
    """As the system gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        "processor without a name",
    )
