"""Aggregate the runs below a folder: `python -m hespotex.summary outputs/NAME`."""

import argparse
import logging
from pathlib import Path

from hespotex.auditing.audit import audit_runs
from hespotex.cli import plain_errors
from hespotex.files import atomic_path, write_json
from hespotex.results.aggregate import model_table, read_runs, section_table
from hespotex.results.gene_table import gene_table
from hespotex.results.report import across, headline, notes, render, title

log = logging.getLogger("hespotex.summary")


def summarise(folder: Path) -> None:
    """Write `summary.md`, `summary.json`, `sections.csv` and `genes.csv`, from the `metrics.json` files below the folder.

    Can be run at any time, and again: missing folds are named, not waited for. Each run is audited for leaks
    (`audit.json` in its folder): derived anew from the data where they are there and small, else by the recorded facts.

    Raises:
        InputError: no finished run.
    """
    runs = read_runs(folder)
    sections = section_table(runs)
    genes = gene_table(runs)
    models = model_table(sections, runs, genes)
    for name, table in (("sections", sections), ("genes", genes)):
        with atomic_path(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False, float_format="%.6g")
    write_json(folder / "summary.json", models.to_dict("records"))
    audit = "\n".join(["## Leakage audit", "", *audit_runs(runs)])
    with atomic_path(folder / "summary.md") as part:
        part.write_text(f"{render(models, sections, runs, folder)}\n{audit}\n", encoding="utf-8")
    for strategy, own in models.groupby("fold_strategy", sort=False):
        by_section = across(sections[sections["fold_strategy"] == strategy], ["group", "section_id"])
        tables = [title(str(strategy), runs), headline(own), by_section, *notes(own)]
        log.info("%s\n\n%s\n", folder, "\n\n".join(tables))
    log.info("%s\n", audit)
    log.info("report: %s   maps: %s", folder / "summary.md", folder / "**" / "maps")


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
