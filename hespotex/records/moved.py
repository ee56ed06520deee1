"""Where the classes went that files of earlier versions name, and what their units are called
now.
"""

from collections.abc import Mapping
from typing import Any

from hespotex.genes.units import LOG_COUNTS, log_unit

MOVED = {  # modules, as runs before 29 November 2026 name them
    "hespotex.data.assemble": "hespotex.batches.assemble",
    "hespotex.data.bundle_split": "hespotex.splits.bundle_split",
    "hespotex.data.expression": "hespotex.genes.expression",
    "hespotex.data.folds": "hespotex.splits.strategies",
    "hespotex.data.gene_list": "hespotex.genes.gene_list",
    "hespotex.data.gene_names": "hespotex.sections.gene_names",
    "hespotex.data.gene_ranks": "hespotex.genes.ranks",
    "hespotex.data.genes": "hespotex.genes.panel",
    "hespotex.data.loader": "hespotex.batches.loader",
    "hespotex.data.nuclei": "hespotex.nuclei",
    "hespotex.data.nuclei.cellpose": "hespotex.nuclei.cellpose",
    "hespotex.data.nuclei.cellvit": "hespotex.nuclei.cellvit",
    "hespotex.data.nuclei.centroids": "hespotex.nuclei.centroids",
    "hespotex.data.nuclei.geojson": "hespotex.nuclei.geojson",
    "hespotex.data.nuclei.haematoxylin": "hespotex.nuclei.haematoxylin",
    "hespotex.data.nuclei.masks": "hespotex.nuclei.masks",
    "hespotex.data.nuclei.published": "hespotex.nuclei.published",
    "hespotex.data.readers.demo": "hespotex.sections.readers.demo",
    "hespotex.data.readers.h5ad": "hespotex.sections.readers.h5ad",
    "hespotex.data.readers.her2st": "hespotex.sections.readers.her2st",
    "hespotex.data.readers.hest": "hespotex.sections.readers.hest.folder",
    "hespotex.data.readers.hest_benchmark": "hespotex.sections.readers.hest.benchmark",
    "hespotex.data.readers.visium": "hespotex.sections.readers.spaceranger.visium",
    "hespotex.data.readers.visium_hd": "hespotex.sections.readers.spaceranger.visium_hd",
    "hespotex.data.split_file": "hespotex.splits.split_file",
    "hespotex.data.store": "hespotex.embeddings.store",
    "hespotex.replicates": "hespotex.training.replicates",
}


def current(target: str) -> str:
    """The name that a class has today; others as they are."""
    module, dot, name = target.rpartition(".")
    return f"{MOVED.get(module, module)}{dot}{name}"


OLD_LOG_RAW = "log(1 + counts)"  # units of before 30 November 2026
OLD_LOG_NORMALISED = "log-normalised expression"
OLD_UNITS = (OLD_LOG_RAW, OLD_LOG_NORMALISED)


def current_unit(unit: str, config: Mapping[str, Any]) -> str:
    """The name that a unit has today.

    Args:
        unit: as the file calls it.
        config: of the run; the library size is taken from it, 10,000 where it says none.
    """
    if unit == OLD_LOG_RAW:
        return LOG_COUNTS
    if unit != OLD_LOG_NORMALISED:
        return unit
    data = config.get("data")
    expression = data.get("expression") if isinstance(data, dict) else None
    settings = expression if isinstance(expression, dict) else {}
    size = settings.get("target_sum", 1e4)
    return log_unit(float(size), str(settings.get("library", "all")))
