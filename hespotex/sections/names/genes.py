"""The genes of a section as a file has them, without the counts."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import pandas as pd

from hespotex.sections.ids import plain_id
from hespotex.sections.naming import ENSEMBL

# symbols of clones such as AL109927.1 keep their suffix
VERSION = re.compile(r"^(ENS[A-Z]*G\d{6,})\.\d+$")
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id", "id")


@dataclass(frozen=True)
class Genes:
    """`names`, and beside each its Ensembl id without version, "" where the file tells none."""

    names: tuple[str, ...]
    ids: tuple[str, ...]

    def called(self, names: Iterable[str]) -> "Genes":
        """The same genes under other names; this object where these are the names that it has."""
        new = tuple(names)
        return self if new == self.names else replace(self, names=new)

    def id_of_name(self) -> dict[str, str]:
        """The one Ensembl id of each name; "" where there is none, or where there are several."""
        id_by_name: dict[str, str] = {}
        for name, recorded in zip(self.names, self.ids, strict=True):
            ensembl = recorded or (name if ENSEMBL.match(name) else "")
            id_by_name[name] = ensembl if id_by_name.get(name, ensembl) == ensembl else ""
        return id_by_name


def genes_of(names: Iterable[str], ids: Iterable[object] | None = None) -> Genes:
    """Names and the ids beside them; what is no Ensembl id counts as none.

    A name is one text in memory, however many files hold it.
    """
    gene_names = tuple(sys.intern(str(name)) for name in names)
    gene_ids = [""] * len(gene_names) if ids is None else [ensembl_id(value) for value in ids]
    return Genes(gene_names, tuple(gene_ids))


def genes_of_table(var: pd.DataFrame) -> Genes:
    """Of the table of genes of an h5ad: its index, and the first column that holds Ensembl ids."""
    columns = {str(name).lower(): name for name in var}
    for name in ID_COLUMNS:
        if name in columns:
            genes = genes_of(var.index, var[columns[name]])
            if any(genes.ids):
                return genes
    return genes_of(var.index)


def ensembl_id(value: object) -> str:
    """The Ensembl id without its version; "" for anything else."""
    return _id_in(value) if isinstance(value, str) else _id_in(plain_id(value))


@lru_cache(maxsize=2**18)  # sections have the same ids again and again
def _id_in(value: str) -> str:
    text = VERSION.sub(r"\1", plain_id(value))
    return text if ENSEMBL.match(text) else ""
