"""List, check and clean the store: `python -m hespotex.store list`."""

import argparse
import logging
import sys
from pathlib import Path

from hespotex.cli.entry import VerbParser, plain_errors
from hespotex.common.errors import InputError
from hespotex.embeddings.store_files import StoredFile, remove, stored_files, why_unusable

log = logging.getLogger("hespotex.store")
ABOUT = """What is in the store, and what of it may go: embeddings, nuclei, of data sets that do
not fit in memory counts and expression, and of SpatialData objects images as TIFF. Nothing in it
is ever stale: a change of image, weights, patches or counts makes a new table, and the old one
stays until it is cleaned away. What is gone is made again when needed."""
EXAMPLES = {
    "list": "every table: section, what made it, patch, size, age",
    "check --repair": "read every table and remove what is damaged: embed and train make it anew",
    "list --encoder uni": "of one encoder",
    "list --encoder counts": "of data sets that do not fit in memory; so is expression",
    "clean --unfinished --yes": "remove what interrupted runs left",
    "clean --older 90": "show what is older than 90 days; --yes removes it",
}


def listing(entries: list[StoredFile]) -> str:
    """One line a table, and the sum."""
    lines = [
        f"{'section':20} {'made by':24} {'patch':22} {'spots x numbers':>18} {'MB':>8} {'days':>6}"
    ]
    for entry in entries:
        size = f"{entry.shape[0]} x {entry.shape[1]}" if entry.finished else "unfinished"
        megabytes = f"{entry.n_bytes / 1e6:8.1f}"
        lines.append(
            f"{entry.section_id:20} {entry.name:24} {entry.patch:22} {size:>18} {megabytes}"
            f" {entry.days:6.1f}"
        )
    return "\n".join(
        [*lines, f"{len(entries)} tables, {sum(entry.n_bytes for entry in entries) / 1e6:.1f} MB"]
    )


def clean(entries: list[StoredFile], sure: bool) -> None:
    """Remove tables; without `sure` only say which."""
    log.info("%s", listing(entries))
    if not sure:
        log.info("nothing was removed: add --yes to remove these")
        return
    busy = [entry.path.name for entry in entries if not remove(entry)]
    log.info(
        "removed %d tables%s",
        len(entries) - len(busy),
        f"; being made just now: {', '.join(busy)}" if busy else "",
    )


def check(entries: list[StoredFile], teachers: list[Path], repair: bool) -> bool:
    """Read all through and name what is damaged; whether the store is sound now.

    Args:
        repair: remove it.
    """
    from hespotex.callbacks.checkpoint_io import why_torn

    damaged = [(entry.path, reason) for entry in entries if (reason := why_unusable(entry))]
    damaged += [(path, reason) for path in teachers if (reason := why_torn(path))]
    for path, reason in damaged:
        log.warning("%s: %s", path, reason)
        if repair:
            path.unlink(missing_ok=True)
    done = "removed: embed and train make them anew" if repair else "--repair removes them"
    log.info(
        "%d tables and %d teachers read, %d damaged; %s",
        len(entries),
        len(teachers),
        len(damaged),
        done,
    )
    return repair or not damaged


def _chosen(options: argparse.Namespace) -> list[StoredFile]:
    if not options.root.is_dir():
        raise InputError(
            f"no store at {options.root}; give its folder with --root (paths.store of your runs)"
        )
    return [
        entry
        for entry in stored_files(options.root)
        if options.section in (None, entry.section_id)
        and options.encoder in (None, entry.name)
        and entry.days >= options.older
        and not (options.unfinished and entry.finished)
    ]


def _parser() -> VerbParser:
    """Words of the command line."""
    parser = VerbParser("store", ABOUT, EXAMPLES)
    parser.add_argument(
        "verb",
        choices=["list", "check", "clean"],
        help="list tables, read them through, or remove them",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("outputs/store"),
        metavar="DIR",
        help="folder of the store (%(default)s)",
    )
    parser.add_argument("--section", metavar="ID", help="only this section id")
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="only this encoder, or source of nuclei, as the listing names it",
    )
    parser.add_argument(
        "--older",
        type=float,
        default=0.0,
        metavar="DAYS",
        help="only what was written that long ago",
    )
    parser.add_argument("--unfinished", action="store_true", help="only what interrupted runs left")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="check: remove what is damaged, so that it is made anew",
    )
    parser.add_argument("--yes", action="store_true", help="really remove")
    return parser


@plain_errors
def main() -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parser().parse_args()
    entries = _chosen(options)
    if options.verb == "list":
        log.info("%s", listing(entries))
    elif options.verb == "clean":
        clean(entries, options.yes)
    elif not check(entries, sorted((options.root / "teachers").glob("*.pt")), options.repair):
        sys.exit(1)


if __name__ == "__main__":
    main()
