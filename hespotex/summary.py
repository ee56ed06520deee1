"""Aggregate the runs below a folder: `python -m hespotex.summary outputs/NAME`."""

import argparse
import logging
from pathlib import Path

from hespotex.cli import plain_errors
from hespotex.files import atomic_path
from hespotex.results.export import FILES, write_results
from hespotex.results.html.chapter import chapters
from hespotex.results.html.page import write_page
from hespotex.results.report import across, headline, notes, render, title
from hespotex.results.tables import Tables
from hespotex.results.wandb_summary import log_summary

log = logging.getLogger("hespotex.summary")


def summarise(folder: Path) -> None:
    """Write `report/index.html`, `summary.md`, `results.json`, `sections.csv` and `genes.csv`, from the runs below the folder.

    Can be run at any time, and again: missing folds are named, not waited for. Where the runs went to W&B, so does this.

    Raises:
        InputError: no finished run.
    """
    tables = Tables.read(folder)
    write_results(folder, tables)
    with atomic_path(folder / "summary.md") as part:
        part.write_text(render(tables.models, tables.sections, tables.runs, folder), encoding="utf-8")
    for own in map(tables.of, tables.strategies):
        by_section = across(own.sections, ["group", "section_id"])
        shown = [title(own.strategies[0], own.runs), headline(own.models), by_section, *notes(own.models)]
        log.info("%s\n\n%s\n", folder, "\n\n".join(shown))
    page, found = folder / "report" / "index.html", chapters(tables)
    write_page(page, tables, found, folder)
    log_summary(folder, tables, found, [page, *(folder / name for name in FILES)])
    log.info("report: %s", page)


@plain_errors
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m hespotex.summary", description="Table and report of all finished runs below a folder."
    )
    parser.add_argument("folder", type=Path, help="folder of a sweep, such as outputs/demo")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    summarise(parser.parse_args().folder)


if __name__ == "__main__":
    main()
