"""The table of `README.md`: every stage at every size beside the released loop, and the ratios
between them.
"""

import argparse
import json
import logging
from dataclasses import asdict
from itertools import pairwise, product
from pathlib import Path

import torch
from measuring import HEADER, Row, in_own_process, processor_name
from naive import LeaveOneOut

log = logging.getLogger("speed")
SECTIONS = 5
# spots and genes of the table: every size at one number of genes, and that size at three
CELLS = [(1000, 2500), (10_000, 500), (10_000, 2500), (10_000, 5457)]
CELLS += [(100_000, 2500), (500_000, 2500)]
RATIOS = {"stage 1": "teacher, an epoch", "stage 2": "fit, an epoch"}


def stage_rows(spots: int, genes: int, options: argparse.Namespace) -> list[Row]:
    """The project's stages on one training section."""
    arguments = [
        "--data",
        str(options.data),
        "--epochs",
        str(options.epochs),
        "--patches",
        str(options.patches),
    ]
    return in_own_process(
        "stages.py", spots, genes, [*arguments, *_overrides(options)], options.time_limit
    )


def whole_rows(spots: int, genes: int, options: argparse.Namespace) -> list[Row]:
    """The project's cross-validation of five sections with so many spots together."""
    if spots > options.whole_up_to:
        return [
            Row("whole", spots, genes, note=f"not run (only up to {options.whole_up_to:,} spots)")
        ]
    rows = in_own_process(
        "whole.py",
        spots,
        genes,
        ["--data", str(options.data), *_overrides(options)],
        options.time_limit,
    )
    seconds = [row.seconds for row in rows if row.seconds is not None]
    if len(seconds) < SECTIONS:
        return rows
    peak = max(row.peak_gib or 0.0 for row in rows)
    whole = Row(
        "whole: five sections, each left out once",
        spots,
        genes,
        spots,
        sum(seconds),
        peak,
        "encoder included",
    )
    return [*rows, whole]


def naive_rows(spots: int, genes: int, options: argparse.Namespace) -> list[Row]:
    """The released loop on one of five sections, and its cross-validation projected from that."""
    each = spots // SECTIONS
    rows = in_own_process(
        "naive.py", each, genes, ["--patches", str(options.naive_patches)], options.time_limit
    )
    seconds = LeaveOneOut(SECTIONS).seconds(rows)
    note = (
        f"not run ({rows[-1].note})"
        if seconds is None
        else "projected from the pieces of one section"
    )
    return [
        *rows,
        Row("naive: five sections, each left out once", spots, genes, spots, seconds, note=note),
    ]


def _overrides(options: argparse.Namespace) -> list[str]:
    return ["--overrides", *options.overrides] if options.overrides else []


def ratios(ours: list[Row], naive: list[Row]) -> list[str]:
    """How many times as fast per spot, where both sides were measured."""
    lines = []
    for name, stage in RATIOS.items():
        one = _find(ours, stage)
        other = _find(naive, f"naive: {name}, an epoch")
        if one and other and one.rate and other.rate:
            lines.append(
                f"- {name}, {one.genes:,} genes: {one.rate / other.rate:.1f} times as many spots a"
                f" second as released ({one.spots:,} spots; released: {other.spots:,})"
            )
    one = _find(ours, "whole: five sections, each left out once")
    other = _find(naive, "naive: five sections, each left out once")
    if one and other and one.seconds and other.seconds:
        lines.append(
            f"- whole, {one.spots:,} spots, {one.genes:,} genes: {other.seconds / one.seconds:.0f}"
            f" times as fast ({other.seconds / 3600:.2f} h against {one.seconds / 60:.2f} min)"
        )
    return lines


def growth(rows: list[Row]) -> list[str]:
    """Time of a stage 2 epoch over that of the next smaller size, beside the growth of the
    spots.
    """
    fits = sorted(
        (row for row in rows if row.stage == "fit, an epoch" and row.seconds),
        key=lambda r: (r.genes, r.spots),
    )
    lines = []
    for one, other in pairwise(fits):
        if one.genes == other.genes:
            spots = other.spots / one.spots
            seconds = (other.seconds or 0) / (one.seconds or 1)
            lines.append(
                f"- {one.genes:,} genes, {one.spots:,} to {other.spots:,} spots: spots x"
                f" {spots:.0f}, epoch x {seconds:.1f}, {seconds / spots:.2f} a spot"
            )
    return lines


def _find(rows: list[Row], stage: str) -> Row | None:
    return next((row for row in rows if row.stage == stage), None)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Time and memory of each stage, and of the released loop."
    )
    parser.add_argument("--spots", type=int, nargs="+", help="with --genes: sizes of their own")
    parser.add_argument("--genes", type=int, nargs="+", default=[2500], help="(%(default)s)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/speed"),
        help="folder for synthetic sections (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/speed"),
        help="folder for table.md and table.json",
    )
    parser.add_argument("--epochs", type=int, default=3, help="epochs that are averaged")
    parser.add_argument(
        "--patches", type=int, default=512, help="patches for the row of the encoder; 0 for none"
    )
    parser.add_argument("--naive-patches", type=int, default=128)
    parser.add_argument(
        "--whole-up-to",
        type=int,
        default=1000,
        help="spots up to which the cross-validation is run",
    )
    parser.add_argument("--skip", nargs="*", default=[], choices=["stages", "whole", "naive"])
    parser.add_argument("--time-limit", type=float, default=3600, help="seconds for each process")
    parser.add_argument(
        "--overrides", nargs="*", default=[], help="of the project's config, for stages and whole"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.data.mkdir(parents=True, exist_ok=True)
    log.info(
        "%s, %d threads, torch %s\n\n%s",
        processor_name(),
        torch.get_num_threads(),
        torch.__version__,
        HEADER,
    )
    measured, conclusions = run_all(options)
    text = "\n".join(
        [HEADER, *(row.markdown() for row in measured), "", *conclusions, *growth(measured), ""]
    )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "table.md").write_text(text)
    (options.output / "table.json").write_text(
        json.dumps([asdict(row) for row in measured], indent=1)
    )
    log.info("\n%s", "\n".join([*conclusions, *growth(measured)]))


def run_all(options: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """Every size, one process after the other; rows are shown as they come."""
    parts = {"stages": stage_rows, "whole": whole_rows, "naive": naive_rows}
    measured: list[Row] = []
    conclusions: list[str] = []
    cells = list(product(options.spots, options.genes)) if options.spots else CELLS
    for spots, genes in cells:
        found = {
            name: part(spots, genes, options)
            for name, part in parts.items()
            if name not in options.skip
        }
        rows = [row for part in found.values() for row in part]
        for row in rows:
            log.info(row.markdown())
        measured += rows
        conclusions += ratios(
            [r for r in rows if not r.stage.startswith("naive")], found.get("naive", [])
        )
    return measured, conclusions


if __name__ == "__main__":
    main()
