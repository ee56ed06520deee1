"""The whole leave-one-section-out of the project, encoder included: every fold is a run like any
other.
"""

import argparse
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import Stages, hand_over
from stages import MEASURED_GENES, make_config, patch_um
from stand_in import vit_b32
from synthetic import assay_of, write_sections

from hespotex.records.build import build_sections
from hespotex.sections.sections import Sections
from hespotex.training.run import train_fold

log = logging.getLogger("speed")


def measure(stages: Stages, folder: Path, sections: int, overrides: list[str]) -> None:
    """All folds, one after the other in one process; the first one embeds."""
    each, rest = divmod(stages.spots, sections)
    names = {f"S{number}": each + (number < rest) for number in range(sections)}
    root = write_sections(
        folder / f"whole-{sections}-{stages.spots}", names, MEASURED_GENES, assay_of(each)
    )
    common = ["fold=leave_one_section_out", f"data.n_genes_at_most={stages.genes}", *overrides]
    with TemporaryDirectory(dir=folder) as run:
        store = f"paths.store={Path(run) / 'store'}"
        shared: Sections | None = None
        for fold in range(sections):
            config = make_config(
                root,
                Path(run) / f"fold{fold}",
                [*common, f"fold.index={fold}", store],
                vit_b32(patch_um(assay_of(each))),
            )
            shared = shared or build_sections(config)
            with stages.stage(f"whole: fold {fold}", stages.spots):
                train_fold(config, shared)


def main() -> None:
    """One cross-validation."""
    parser = argparse.ArgumentParser(
        description="Leave-one-section-out with ViT-B/32; rows go to standard output as JSON."
    )
    parser.add_argument("--spots", type=int, required=True, help="of all sections together")
    parser.add_argument("--genes", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder for synthetic sections")
    parser.add_argument("--sections", type=int, default=5)
    parser.add_argument("--overrides", nargs="*", default=[], help="of the config")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    stages = Stages(options.spots, options.genes)
    try:
        measure(stages, options.data, options.sections, options.overrides)
    finally:
        hand_over(stages.rows)


if __name__ == "__main__":
    main()
