"""Aggregate the runs below a folder: `python -m hespotex.summary outputs/NAME`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hespotex.cli.entry import VerbParser, plain_errors

if TYPE_CHECKING:
    from hespotex.common.failures import Failures
    from hespotex.results.tables.sweep import Tables

log = logging.getLogger("hespotex.summary")
ABOUT = """Tables and report of all finished runs below a folder, at any time and again: missing
folds are named, and every run is audited for leaks. Writes report/index.html (open it), summary.md,
results.json, sections.csv and genes.csv."""
EXAMPLES = {
    "outputs/demo": "a sweep; train.py -m does this at its end",
    "outputs/external": "what predict.py evaluate=true has scored",
    "outputs": "several sweeps in one report",
}


def summarise(folder: Path) -> None:
    """Write `report/index.html`, `summary.md`, `results.json`, `sections.csv` and `genes.csv`, from
    the runs below the folder.

    Can be run at any time, and again: missing folds are named, not waited for. Each run is audited
    for leaks (`audit.json` in its folder): derived anew from the data where they are there and
    small, else by the recorded facts. Where the runs went to W&B, so does this.

    Raises:
        InputError: no finished run.
    """
    from hespotex.auditing.audit import audit_runs
    from hespotex.common.failures import Failures
    from hespotex.common.files import atomic_path
    from hespotex.records.search import TABLE, write_trials
    from hespotex.results.annotate import annotate_predictions
    from hespotex.results.export import FILES, write_results
    from hespotex.results.guide import GUIDE, guide_sweep
    from hespotex.results.html.chapter import chapters
    from hespotex.results.html.page import write_page
    from hespotex.results.partial import read_partial, write_partial
    from hespotex.results.report import render
    from hespotex.results.tables.markdown import listed
    from hespotex.results.tables.sweep import Tables
    from hespotex.results.wandb_summary import log_summary

    unread = Failures("run")
    tables = Tables.read(folder, unread)
    write_results(folder, tables)
    annotate_predictions(tables)
    partly = read_partial([run.folder for run in tables.runs])
    if partly is not None:
        write_partial(folder, partly)
    absent = _absent(folder, unread)
    lists = {heading: [f"- {line}" for line in lines] for heading, lines in absent.items()}
    if trials := write_trials(folder):
        lists["Search"] = [f"- {line}; all trials: {TABLE}" for line in trials]
    lists["Leakage audit"] = audit_runs(tables.runs)
    below = "\n\n".join(listed(heading, lines) for heading, lines in lists.items())
    with atomic_path(folder / "summary.md") as partial:
        text = render(tables.models, tables.sections, tables.runs, folder)
        if partly is not None:
            text += "\n" + (folder / "partial.md").read_text(encoding="utf-8")
        partial.write_text(f"{text}\n{below}\n", encoding="utf-8")
    _show(folder, tables, below)
    page = folder / "report" / "index.html"
    page_chapters = chapters(tables, folder)
    write_page(page, tables, page_chapters, absent, folder)
    log_summary(folder, tables, page_chapters, [page, *(folder / name for name in FILES)])
    guide_sweep(folder, tables)
    log.info("report: %s; what each file is: %s", page, folder / GUIDE)


def _absent(folder: Path, unread: "Failures") -> dict[str, list[str]]:
    """What no table holds, a line each under its heading: jobs and folds that failed, and runs that
    cannot be read.
    """
    from hespotex.common.failures import failed_below

    left_out = [f"{name}: {failure.reason}" for name, failure in unread.found.items()]
    lists = {"Failed": failed_below(folder), "Runs left out: they cannot be read": left_out}
    return {heading: lines for heading, lines in lists.items() if lines}


def _show(folder: Path, tables: "Tables", below: str) -> None:
    """The main tables on the screen, and what stands below them."""
    from hespotex.results.report import across, headline, notes, title

    for strategy_tables in map(tables.of, tables.strategies):
        by_section = across(strategy_tables.sections, ["group", "section_id"])
        blocks = [
            title(strategy_tables.strategies[0], strategy_tables.runs),
            headline(strategy_tables.models),
            by_section,
            *notes(strategy_tables.models),
        ]
        log.info("%s\n\n%s\n", folder, "\n\n".join(blocks))
    log.info("%s\n", below)


def write_report(folder: Path, tables: "Tables", unread: "Failures") -> Path:
    """The page of a sweep alone, without another audit; returns where it is."""
    from hespotex.results.guide import guide_sweep
    from hespotex.results.html.chapter import chapters
    from hespotex.results.html.page import write_page

    page = folder / "report" / "index.html"
    write_page(page, tables, chapters(tables, folder), _absent(folder, unread), folder)
    guide_sweep(folder, tables)
    return page


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("summary", ABOUT, EXAMPLES)
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of a sweep, such as outputs/demo"
    )
    folder = parser.parse_args().folder
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    summarise(folder)


if __name__ == "__main__":
    main()
