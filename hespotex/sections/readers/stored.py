"""Sections whose pixels are stored patches instead of an image."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from hespotex.common.errors import InputError, cause
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.patch_reader import stored_barcodes
from hespotex.sections.section import Section

log = logging.getLogger(__name__)


def with_patches(section: Section, path: Path) -> Section:
    """The section with HEST's stored patches as its image, and only the spots that have one."""
    try:
        with open_hdf5(path, in_parts=True) as file:
            stored = set(stored_barcodes(file))
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as HEST patches ({cause(error)}); is the file whole?"
        ) from error
    keep = np.array([barcode in stored for barcode in section.barcodes])
    if not keep.any():
        raise InputError(
            f"{section.section_id}: no barcode of {path}, such as {sorted(stored)[:2]}, is among"
            f" the spots of the h5ad, such as {section.barcodes[:2]}"
        )
    log.info("%s: %d of %d spots have a stored patch", section.section_id, keep.sum(), len(keep))
    return replace(section.keep(keep), patches=path)
