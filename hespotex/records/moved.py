"""Where the classes went that files of earlier versions name."""

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
