"""What a model of a finished sweep saw: `python -m hespotex.explain outputs/NAME`."""

import logging
from pathlib import Path

from hespotex.cli.entry import VerbParser, plain_errors

log = logging.getLogger("hespotex.explain")
ABOUT = """The few programmes behind a model's predictions: the genes of each, its share, in how
many folds it returned, how well it is predicted on left-out sections, and what the image is like
where it is high. Writes DIR/programmes/ and a chapter of DIR/report/index.html."""
EXAMPLES = {
    "outputs/mine": "the programmes of the sweep's main model",
    "outputs/mine --gene-sets hallmarks.gmt": "and which gene sets stand at their ends",
    "outputs/mine --model ridge": "those of another model",
}


def explain(folder: Path, model: str | None = None, gene_sets: Path | None = None) -> None:
    """Write the programmes of a sweep, and its report with them.

    Args:
        folder: of the sweep.
        model: whose predictions; None for the main model.
        gene_sets: GMT file.

    Raises:
        InputError: no finished run, data or embeddings that are no longer there, or predictions
          without programmes.
    """
    from hespotex.common.failures import Failures
    from hespotex.explaining.explain import explain_sweep
    from hespotex.results.programmes import FOLDER, in_lines
    from hespotex.results.tables.sweep import Tables
    from hespotex.summary import write_report

    unread = Failures("run")
    tables = Tables.read(folder, unread)
    table = explain_sweep(folder, tables, model, gene_sets)
    log.info("\n%s\n", "\n\n".join(in_lines(table)))
    page = write_report(folder, tables, unread)
    log.info("all numbers: %s; report: %s", folder / FOLDER, page)


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("explain", ABOUT, EXAMPLES)
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of a sweep, such as outputs/demo"
    )
    parser.add_argument("--model", help="whose predictions; by default the sweep's main model")
    parser.add_argument(
        "--gene-sets", type=Path, metavar="FILE", help="GMT: which sets stand at their ends"
    )
    words = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    explain(words.folder, words.model, words.gene_sets)


if __name__ == "__main__":
    main()
