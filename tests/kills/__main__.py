"""`python -m tests.kills [VERB ...] [--events N] [--moments N] [--folder DIR]`: DIR may lie on
another file system.
"""

import argparse
import importlib
import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from hespotex.demo import make_demo

from .commands import commands
from .killing import differences, run

HEAVY = (
    "hydra.main",
    "hespotex.training.run",
    "hespotex.prediction.inference",
    "hespotex.packing.pack",
    "hespotex.auditing.audit",
    "hespotex.training.fill",
)
VERBS = ["train", "embed", "sweep", "predict", "summary", "bundle"]


def main() -> None:
    """Say, for each verb, what a kill has changed; exit code 1 if anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verbs", nargs="*", default=VERBS)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp()))
    options = parser.parse_args()
    for module in HEAVY:  # once, not in each child
        importlib.import_module(module)
    torch.set_num_threads(1)  # a child of this process has one thread
    folder: Path = options.folder.absolute()
    demo = make_demo(folder / "demo", n_patients=3, sections_per_patient=2, spots_per_side=6)
    work = folder / "work"
    empty = folder / "empty"
    swept = folder / "swept"
    empty.mkdir()
    known = commands(demo, work / "made", work)
    shutil.copytree(empty, work)
    run(known["sweep"], work)
    shutil.copytree(work, swept)
    wrong = 0
    for verb in options.verbs:
        before = empty if verb in ("train", "embed", "sweep") else swept
        events = [i / options.events for i in range(options.events)]
        moments = [random.random() for _ in range(options.moments)]
        for line in [
            *differences(known[verb], before, work, events),
            *differences(known[verb], before, work, moments, True),
        ]:
            sys.stdout.write(f"{verb} {line}\n")
            wrong += 1
        sys.stdout.write(f"{verb}: done\n")
        sys.stdout.flush()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
