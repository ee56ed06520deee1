"""Approved symbols of human genes, their earlier symbols and aliases, and their Ensembl ids.

`hgnc.tsv.gz` is made by `experiments/gene_names/make.py` from a download of HGNC of July 2024,
whose data are in the public domain (CC0). Seal et al., Genenames.org: the HGNC resources in 2023,
Nucleic Acids Research.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import pandas as pd


@dataclass(frozen=True)
class Hgnc:
    """What HGNC knows of human genes.

    `ids`: Ensembl id of each approved symbol, "" where it has none; `others`: the approved symbol
    of names that mean one gene only and are nobody's approved symbol; `symbols`: of Ensembl ids.
    """

    ids: Mapping[str, str]
    others: Mapping[str, str]
    symbols: Mapping[str, str]

    def symbol(self, name: str) -> str | None:
        """The approved symbol of a gene by any of its names; None where that is not clear."""
        return name if name in self.ids else self.others.get(name) or self.symbols.get(name)

    def gene(self, name: str) -> str | None:
        """One word for a gene, whatever it is called: its Ensembl id, else its approved symbol."""
        symbol = self.symbol(name)
        return None if symbol is None else self.ids[symbol] or symbol


@lru_cache
def hgnc() -> Hgnc:
    """The table that comes with HESpotEx."""
    file = resources.files("hespotex.sections.names").joinpath("hgnc.tsv.gz")
    with file.open("rb") as stream:
        table = pd.read_csv(
            stream, sep="\t", dtype=str, keep_default_na=False, compression="gzip", quoting=3
        )
    ids = dict(zip(table["symbol"], table["ensembl_id"], strict=True))
    pairs = zip(table["symbol"], table["other_names"], strict=True)
    others = {name: symbol for symbol, names in pairs for name in names.split("|") if name}
    return Hgnc(ids, others, {ensembl: symbol for symbol, ensembl in ids.items() if ensembl})
