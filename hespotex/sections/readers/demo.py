"""`data=demo`: the synthetic HEST-1k folder, made at first use."""

import logging
from pathlib import Path

from filelock import FileLock

from hespotex.demo import make_demo
from hespotex.sections.readers.hest.folder import HestReader

log = logging.getLogger(__name__)


class DemoReader(HestReader):
    """A HEST-1k folder that is generated where it is missing (about half a minute).

    Args:
        root: where it is, or goes.
        seed: of the generator.
        n_patients, sections_per_patient, spots_per_side: its size.
        mixed: each patient is measured by another technology, see `make_demo`.
        mpp, sections: see `HestReader`.
        generate: make it where it is missing.
    """

    def __init__(
        self,
        root: str,
        seed: int = 0,
        n_patients: int = 3,
        sections_per_patient: int = 2,
        spots_per_side: int = 17,
        mpp: float | None = None,
        sections: list[str] | None = None,
        generate: bool = True,
        mixed: bool = False,
    ) -> None:
        if generate:
            folder = Path(root)
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_suffix(".lock")):
                make_demo(folder, seed, n_patients, sections_per_patient, spots_per_side, mixed)
        super().__init__(root, mpp, sections)
