"""Predictions back into SpatialData objects: `python -m hespotex.write_back outputs/NAME`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hespotex.cli.entry import VerbParser, plain_errors
from hespotex.common.errors import InputError
from hespotex.common.files import safe_name
from hespotex.records.record import RunRecord
from hespotex.sections.readers.spatialdata import Entry, SpatialDataReader

log = logging.getLogger("hespotex.write_back")
TARGET = f"{SpatialDataReader.__module__}.{SpatialDataReader.__name__}"
ABOUT = """Predictions of the test sections of runs on data=spatialdata become tables of the
objects that the sections came from, tied to the same shapes. Of a cross-validation each section is
predicted by the fold that did not train on it. A table is written whole or not at all."""
EXAMPLES = {
    "outputs/mine": "tables predicted_MODEL, of every section that a fold has tested",
    "outputs/external --root OBJECTS --table mine": "of predict.py evaluate=true, by another name",
    "outputs/mine --model strict --replace": "in the place of what is there",
}


@dataclass(frozen=True)
class Job:
    """What becomes the table `name` of the section's object."""

    entry: Entry
    file: Path
    name: str


def write_back(
    folder: Path,
    model: str | None = None,
    table: str | None = None,
    replace: bool = False,
    root: Path | None = None,
) -> list[Path]:
    """Write all predictions below a folder into the objects; nothing where one cannot be.

    Args:
        folder: of a sweep, a run or an evaluation.
        model: the one to take; None for all.
        table: name of the tables; None for `predicted_MODEL`. Where a table of counts annotates
          several elements, the element's name follows.
        replace: take the place of tables of these names.
        root: an object, or a folder of them, as `data.reader.root`; None takes the run's own.

    Returns:
        The tables.

    Raises:
        InputError: no such run, data that are no SpatialData, predictions that are not there, two
          of one section, or a table that is there already.
    """
    from hespotex.common.hdf5 import read_anndata
    from hespotex.records.runs import read_runs
    from hespotex.results.object_table import add_table, check_free

    runs = [run for run in read_runs(folder) if model in (None, run.model)]
    if not runs:
        raise InputError(f"{folder}: no finished run of the model {model!r}")
    jobs = [job for run in runs for job in _jobs(run, table, root)]
    _check_single(jobs)
    for job in [] if replace else jobs:
        check_free(job.entry, job.name)
    return [add_table(job.entry, read_anndata(job.file), job.name, replace) for job in jobs]


def _jobs(run: RunRecord, table: str | None, root: Path | None) -> Iterator[Job]:
    from hespotex.results.predictions import prediction_file

    reader = _reader(run, root)
    for section_id in run.split.test:
        file = prediction_file(run.folder, section_id)
        if not file.is_file():
            raise InputError(f"{run.folder}: no predictions of {section_id}: {file.name} is gone")
        entry = reader.entry(section_id)
        name = safe_name(table or f"predicted_{run.model}")
        several = reader.n_elements(entry) > 1
        yield Job(entry, file, f"{name}_{safe_name(entry.region)}" if several else name)


def _reader(run: RunRecord, root: Path | None) -> SpatialDataReader:
    """The run's reader, which is this class or refused: nothing that a file names is built."""
    if root is not None:
        return SpatialDataReader(str(root), copies="")
    data = run.stored_config.get("data", {})
    settings = dict(data.get("reader", {}))
    if settings.pop("_target_", None) != TARGET:
        raise InputError(
            f"{run.folder}: does not tell of data=spatialdata (its data set is {run.data}); say"
            " where the objects are with --root"
        )
    return SpatialDataReader(**settings)


def _check_single(jobs: Sequence[Job]) -> None:
    """Refuse two predictions for one table, as of several seeds."""
    files: dict[tuple[Path, str], Path] = {}
    for job in jobs:
        place = job.entry.path, job.name
        other = files.setdefault(place, job.file)
        if other != job.file:
            raise InputError(
                f"{job.name} of {job.entry.path} would be both {other} and {job.file}; give the"
                " folder of one run, or --model"
            )


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("write_back", ABOUT, EXAMPLES)
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of a sweep, a run or an evaluation"
    )
    parser.add_argument("--model", help="only its predictions")
    parser.add_argument("--table", metavar="NAME", help="of the tables; by default predicted_MODEL")
    parser.add_argument(
        "--replace", action="store_true", help="take the place of tables of these names"
    )
    parser.add_argument(
        "--root", type=Path, help="the objects, of an evaluation, or where they lie elsewhere now"
    )
    words = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    written = write_back(words.folder, words.model, words.table, words.replace, words.root)
    for path in written:
        log.info("written: %s", path)


if __name__ == "__main__":
    main()
