"""What the readers share: files that must be there, tables, and errors that name them."""

from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd

from hespotex.errors import InputError


def existing_folder(path: Path, config_key: str) -> Path:
    """`path` if it is a folder with something in it.

    Raises:
        InputError: naming the folder and the config key that sets it.
    """
    if not path.is_dir():
        raise InputError(f"folder not found: {path}; set {config_key}=PATH")
    if not any(path.iterdir()):
        raise InputError(f"folder is empty: {path}; set {config_key}=PATH")
    return path


def only(folder: Path, suffixes: tuple[str, ...]) -> Path:
    """The one file with one of these endings in `folder`."""
    found = sorted(p for p in existing_folder(folder, "data.reader.root").iterdir() if p.suffix.lower() in suffixes)
    if len(found) != 1:
        raise InputError(
            f"expected one image ({', '.join(suffixes)}) in {folder}, found {len(found)}: {[p.name for p in found]}"
        )
    return found[0]


def read_table(path: Path, **kwargs: Any) -> pd.DataFrame:
    """A tab-separated table, gzipped or not."""
    if not path.is_file():
        raise InputError(f"table not found: {path}")
    try:
        return pd.read_csv(path, sep="\t", **kwargs)
    except Exception as error:  # gzip, unicode and parser errors all mean the same here
        raise InputError(f"{path}: cannot be read as a table ({type(error).__name__}: {error})") from error


def read_h5ad(path: Path) -> ad.AnnData:
    """An AnnData file that holds spot positions."""
    if not path.is_file():
        raise InputError(f"h5ad not found: {path}")
    try:
        adata = ad.read_h5ad(path)
    except Exception as error:  # h5py and anndata raise many kinds for a broken file
        raise InputError(f"{path}: cannot be read as h5ad ({type(error).__name__}: {error}); is the file whole?") from error
    if "spatial" not in adata.obsm:
        raise InputError(
            f'{path}: expected spot centres (px, x then y) in obsm["spatial"], found obsm keys {list(adata.obsm)}; '
            'write them with adata.obsm["spatial"] = xy'
        )
    return adata
