"""Whether a table of the store is as it was written: a checksum inside it, looked at once in a
process.
"""

import zlib
from functools import lru_cache
from pathlib import Path

import h5py

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5

CHECKSUM = "checksum"  # attribute of the file
ROWS = 4096  # read at a time
LONG = 2**20  # of single numbers
DATA = ("embedding", "barcode", "values", "columns", "starts", "gene", "pos", "array")


def checksum(file: h5py.File) -> int:
    """CRC-32 of all data, identity and facts."""
    crc = zlib.crc32(str(file.attrs.get("identity", "")).encode())
    crc = zlib.crc32(str(file.attrs.get("facts", "")).encode(), crc)
    for data in (file[name] for name in DATA if name in file):
        step = ROWS if data.ndim > 1 else LONG
        for start in range(0, len(data), step):
            block = data[start : start + step]
            crc = zlib.crc32(b"\0".join(block) if block.dtype == object else block.tobytes(), crc)
    return crc


def why_damaged(path: Path) -> str | None:
    """What is wrong with a table, in a few words; None of one that is whole, or of a version
    without checksums.

    Raises:
        InputError: bytes of other files stand in it.
    """
    try:
        facts = path.stat()
    except OSError as error:
        return str(error)
    return _why_damaged(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=65_536)
def _why_damaged(path: Path, _size: int, _modified: int) -> str | None:
    try:
        with open_hdf5(path) as file:
            if "values" not in file and _rows_differ(file):
                return "rows and barcodes do not fit together"
            recorded = file.attrs.get(CHECKSUM)
            return (
                None
                if recorded is None or int(recorded) == checksum(file)
                else "its checksum does not fit"
            )
    except InputError:
        raise
    except Exception as error:  # damaged HDF5 raises many kinds
        return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"


def _rows_differ(file: h5py.File) -> bool:
    """Whether it has not one row a barcode."""
    return file["embedding"].ndim != 2 or len(file["embedding"]) != len(file["barcode"])
