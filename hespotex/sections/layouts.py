"""Which data set a folder or a file is, told by the files that are there."""

from pathlib import Path

from hespotex.common.errors import InputError

SIGNS = {  # option of `conf/data`: files or folders of which one is there
    "her2st": ("ST-cnts",),
    "hest": ("st",),
    "hest_benchmark": ("adata",),
    "xenium": (
        "experiment.xenium",
        "outs/experiment.xenium",
        "*/experiment.xenium",
        "*/outs/experiment.xenium",
    ),
    "spatialdata": ("tables", "*.zarr/tables"),
    "visium_hd": ("binned_outputs", "outs/binned_outputs", "*/outs/binned_outputs"),
    "visium": (
        "filtered_feature_bc_matrix*",
        "raw_feature_bc_matrix*",
        "*_filtered_feature_bc_matrix*",
        "outs/*feature_bc_matrix*",
        "*/*feature_bc_matrix*",
        "*/outs/*feature_bc_matrix*",
    ),
    "h5ad": ("*.h5ad",),
}


def layout_of(path: Path) -> str:
    """The option of `conf/data` that reads this folder or file.

    Raises:
        InputError: nothing there, or no known files.
    """
    if not path.exists():
        raise InputError(f"not found: {path}; expected the folder of a data set, or an h5ad file")
    if path.is_file():
        if path.suffix.lower() == ".h5ad":
            return "h5ad"
        raise InputError(f"{path}: expected a folder or an h5ad file; a slide goes to predict")
    for name, signs in SIGNS.items():
        if any(next(path.glob(sign), None) for sign in signs):
            return name
    raise InputError(
        f"{path}: the files there are of no known data set; name it with data=NAME, one of"
        f" {', '.join(SIGNS)}"
    )
