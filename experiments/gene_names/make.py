"""Make the table of gene names that comes with HESpotEx, from a download of HGNC.

python experiments/gene_names/make.py SOURCE TARGET

SOURCE is HGNC's complete set, `hgnc_complete_set.txt`, or a custom download with at least the
columns "HGNC ID", "Approved symbol", "Approved name", "Status", "Alias symbols", "Previous symbols"
and "Ensembl gene ID".
"""

import argparse
import gzip
import re
from collections import defaultdict
from pathlib import Path

import pandas as pd

NAMES = {  # of a custom download
    "HGNC ID": "hgnc_id",
    "Approved symbol": "symbol",
    "Approved name": "name",
    "Status": "status",
    "Alias symbols": "alias_symbol",
    "Previous symbols": "prev_symbol",
    "Ensembl gene ID": "ensembl_gene_id",
}
SEVERAL = re.compile(r"\s*[|,]\s*")
SUCCESSOR = re.compile(r"HGNC:\d+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()
    table = pd.read_csv(asked.source, sep="\t", dtype=str, keep_default_na=False)
    table = table.rename(columns=NAMES)
    approved = table[table["status"] == "Approved"]
    others = other_names(table, approved)
    lines = [
        f"{symbol}\t{ensembl}\t{'|'.join(sorted(others[symbol]))}\n"
        for symbol, ensembl in sorted(
            zip(approved["symbol"], approved["ensembl_gene_id"], strict=True)
        )
        if ensembl or others[symbol]
    ]
    text = "".join(["symbol\tensembl_id\tother_names\n", *lines])
    asked.target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def other_names(table: pd.DataFrame, approved: pd.DataFrame) -> defaultdict[str, list[str]]:
    """Earlier symbols and aliases of each symbol; those of two genes, or that are a symbol
    themselves, are left out.
    """
    claims = defaultdict(set)
    for column in ("alias_symbol", "prev_symbol"):
        for symbol, names in zip(approved["symbol"], approved[column], strict=True):
            for name in filter(None, SEVERAL.split(names.strip('"'))):
                claims[name].add(symbol)
    by_id = dict(zip(approved["hgnc_id"], approved["symbol"], strict=True))
    withdrawn = table[table["status"] == "Symbol Withdrawn"]
    for old, words in zip(withdrawn["symbol"], withdrawn["name"], strict=True):
        claims[old] |= {by_id[i] for i in set(SUCCESSOR.findall(words)) if i in by_id}
    known = set(approved["symbol"])
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, symbols in claims.items():
        if len(symbols) == 1 and name not in known:
            found[next(iter(symbols))].append(name)
    return found


if __name__ == "__main__":
    main()
