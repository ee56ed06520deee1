"""The paper's size on one GPU: 10 sections, 42,212 spots, 2,468 genes, ViT-B/32 on patches of 224
px out of tiled TIFFs.

The authors report about 15 hours for their leave-one-section-out of this size on one A100-80G.
"""

import argparse
import logging
from pathlib import Path
from time import perf_counter

import torch
from measuring import HEADER, Stages
from whole import measure

log = logging.getLogger("speed")
SECTIONS = 10
SPOTS = 42_212
GENES = 2_468
PUBLISHED_HOURS = 15


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Leave-one-section-out of the paper's size, all folds in one process."
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data/speed"), help="folder for the synthetic sections"
    )
    parser.add_argument(
        "--trainer", default="gpu", help="option of the config group trainer (default: %(default)s)"
    )
    parser.add_argument("--spots", type=int, default=SPOTS, help="fewer to try it out")
    parser.add_argument("--overrides", nargs="*", default=[], help="of the config")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.data.mkdir(parents=True, exist_ok=True)
    stages = Stages(options.spots, GENES, clock=perf_counter)
    measure(stages, options.data, SECTIONS, [f"trainer={options.trainer}", *options.overrides])
    seconds = sum(row.seconds or 0.0 for row in stages.rows)
    log.info("\n%s\n%s", HEADER, "\n".join(row.markdown() for row in stages.rows))
    log.info("\nall folds: %.1f min", seconds / 60)
    if options.spots == SPOTS:
        log.info(
            "%.0f times as fast as the %d h that the authors report",
            PUBLISHED_HOURS * 3600 / seconds,
            PUBLISHED_HOURS,
        )
    if torch.cuda.is_available():
        gib = torch.cuda.max_memory_allocated() / 2**30
        log.info("%s, at most %.2f GiB of its memory", torch.cuda.get_device_name(), gib)


if __name__ == "__main__":
    main()
