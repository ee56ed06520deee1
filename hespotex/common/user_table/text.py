"""Text that users write: its encoding is found, and a file that is no text is refused."""

import gzip
import logging
from pathlib import Path

from hespotex.common.errors import InputError, cause

log = logging.getLogger(__name__)
BOMS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
NO_TEXT = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}


def read_user_text(path: Path, key: str) -> str:
    """The text of a file in UTF-8, UTF-16, UTF-32 or, with a warning, Latin-1; gzipped or not.

    Raises:
        InputError: no such file, an empty one, or one that is no text.
    """
    if not path.is_file():
        raise InputError(f"file not found: {path}; set {key}=FILE")
    raw = _raw(path, key)
    if not raw.strip(b"\0 \t\r\n"):
        raise InputError(f"{path}: the file is empty ({key})")
    for magic, kind in NO_TEXT.items():
        if raw.startswith(magic):
            raise InputError(f"{path}: expected text, found {kind}; save it as CSV ({key})")
    text = _decoded(raw, path, key)
    if "\0" in text:
        raise InputError(f"{path}: expected text, found a binary file ({key})")
    return text


def _raw(path: Path, key: str) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({cause(error)}) ({key})") from error


def _decoded(raw: bytes, path: Path, key: str) -> str:
    encoding = next((name for bom, name in BOMS.items() if raw.startswith(bom)), None)
    if encoding is None and b"\0" in raw[:400] and len(raw) % 2 == 0:
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise InputError(
                f"{path}: cannot be read as {encoding} ({cause(error)}); save it as UTF-8 ({key})"
            ) from error
    log.warning(
        "%s: no UTF-8, taken for Latin-1; where names look wrong, save it as UTF-8 (%s)", path, key
    )
    return raw.decode("cp1252", errors="replace") if not _odd(raw) else raw.decode("latin-1")


def _odd(raw: bytes) -> bool:
    """Whether Windows' Latin-1 lacks one of the bytes."""
    return any(byte in raw for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))
