"""Sections that do not fit in memory, kept sparse in the store: what was read once is not read
again.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.files import digest, file_fingerprint, safe_name
from hespotex.common.hdf5 import new_hdf5, open_hdf5
from hespotex.common.sparse_file import SparseFile, write_sparse
from hespotex.common.store_check import CHECKSUM, checksum, why_damaged
from hespotex.sections.section import ARRAY, Section, SectionKey

log = logging.getLogger(__name__)
NAME = "counts"
VERSION = 1  # to be raised where a reader comes to read the same file otherwise
FACTS = ("mpp", "mpp_source", "pitch_um", "spot_diameter_um")


@dataclass(frozen=True)
class Origin:
    """What a section is made from.

    Attributes:
        files: that are read; the last one holds the pixels.
        settings: by which they are read, in words.
    """

    files: tuple[Path, ...]
    settings: str

    def identity(self) -> list[Any]:
        """What changes whenever a file does: its name, size, times and content."""
        return [self.settings, *([*_stamp(path), file_fingerprint(path)] for path in self.files)]

    def stamp(self) -> list[Any]:
        """The same without the content, which is enough within one process."""
        return [self.settings, *map(_stamp, self.files)]


def _stamp(path: Path) -> list[Any]:
    facts = path.stat()
    return [str(path.absolute()), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


class SectionStore:
    """Files `{root}/{section_id}/counts-{key}.h5` with the spots of a section as training sees
    them: raw counts, positions, barcodes, genes.

    The key is a hash of all that made them, so nothing is ever stale. A file appears whole; of
    processes that make the same one the last one wins.

    Args:
        root: folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._lists: dict[bytes, pd.Index] = {}  # sections of one list of genes share it

    def path(self, section_id: str, identity: Sequence[Any]) -> Path:
        """Where a section that is made so lies."""
        key = digest([VERSION, *identity])
        return self.root / safe_name(section_id) / f"{NAME}-{key}.h5"

    def load(self, path: Path, key: SectionKey) -> Section | None:
        """The section; None where there is none, or a damaged one."""
        if not path.is_file():
            return None
        if reason := why_damaged(path):
            log.warning("%s is damaged (%s): read anew", path, reason)
            return None
        with open_hdf5(path, in_parts=True) as file:
            facts = json.loads(file.attrs["facts"])
            obs = pd.DataFrame(file["array"][:], columns=facts.pop("columns"))
            obs.index = pd.Index(_texts(file["barcode"][:]), dtype=object)
            var = pd.DataFrame(index=self._genes(file["gene"][:]))
            pos = {"spatial": file["pos"][:]}
            adata = ad.AnnData(SparseFile.of(file).table(), obs=obs, var=var, obsm=pos)
        pixels = facts.pop("pixels")
        facts |= {name: Path(path) for name, path in pixels.items() if path}
        return Section(key, adata, **facts)

    def save(self, path: Path, section: Section, identity: Sequence[Any]) -> None:
        """Put a section there, unless it has more than is kept, such as labels."""
        adata = section.adata
        if path.is_file() and not why_damaged(path):
            return
        if set(adata.obs) - set(ARRAY) or set(adata.obsm) != {"spatial"}:
            return
        columns = [str(name) for name in adata.obs]
        facts = {name: getattr(section, name) for name in FACTS} | {"columns": columns}
        facts["pixels"] = {name: _text(getattr(section, name)) for name in ("image", "patches")}
        with new_hdf5(path) as file:
            write_sparse(file, adata.X, small=True)
            array = adata.obs.to_numpy(dtype=np.int64).reshape(len(adata), len(columns))
            names = {"gene": _bytes(adata.var_names), "barcode": _bytes(section.barcodes)}
            for name, data in {**names, "pos": section.pos_px, "array": array}.items():
                file.create_dataset(name, data=data, track_times=False)
            file.attrs["facts"] = json.dumps(facts)
            file.attrs["identity"] = json.dumps({"made_from": list(identity), "name": NAME})
            file.attrs[CHECKSUM] = checksum(file)

    def _genes(self, encoded: NDArray[np.bytes_]) -> pd.Index:
        content = encoded.tobytes()
        if content not in self._lists:
            self._lists[content] = pd.Index(_texts(encoded), dtype=object)
        return self._lists[content]


def _bytes(names: Iterable[str]) -> NDArray[np.bytes_]:
    return np.array([str(word).encode() for word in names], dtype=bytes)


def _texts(encoded: NDArray[np.bytes_]) -> list[str]:
    return [word.decode() for word in encoded.tolist()]


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
