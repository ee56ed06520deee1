"""Gene names as they should be: one name a gene, as the user wants it called, and no control
probes.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.files import digest
from hespotex.common.typed_paths import typed_path
from hespotex.common.user_table import read_user_table
from hespotex.sections.names.genes import VERSION, genes_of
from hespotex.sections.names.one_name import common_names
from hespotex.sections.section import Section, sum_columns

log = logging.getLogger(__name__)

# Xenium, CosMx and HTSeq: what is counted beside genes
CONTROL = re.compile(
    r"^(blank[-_]|neg(ative)?(control|prb|probe)|antisense_|unassigned|deprecated|"
    r"intergenic_region_|systemcontrol|"
    r"falsecode|__(ambiguous|no_feature|not_aligned|alignment_not_unique|too_low_aqual))",
    re.IGNORECASE,
)
MITOCHONDRIAL = re.compile(r"^mt-", re.IGNORECASE)
# proteins, not kinases such as RPS6KA1
RIBOSOMAL = re.compile(r"^rp[sl]\d+(a|l|al|l1|x|y\d)?$|^rp(sa|lp\d)$", re.IGNORECASE)


class GeneNames:
    """Harmonises a section's gene names right after reading.

    Ensembl versions are cut off, aliases replaced, counts of genes that then share a name summed.

    Args:
        aliases: CSV with columns `alias` and `symbol`; names that are not in it stay.
        drop_control_probes: leave out what is counted beside genes: blanks, negative controls,
          unassigned codewords.
        drop_mitochondrial, drop_ribosomal: leave out MT- genes, and the proteins of the ribosome
          (RPS, RPL).
        one_name: a gene that the sections of a data set name differently gets one name, see
          `common_names`.
    """

    def __init__(
        self,
        aliases: str | None = None,
        drop_control_probes: bool = True,
        drop_mitochondrial: bool = False,
        drop_ribosomal: bool = False,
        one_name: bool = False,
    ) -> None:
        self.one_name = one_name
        self.aliases = read_aliases(typed_path(aliases)) if aliases else {}
        rules = (
            (drop_control_probes, CONTROL),
            (drop_mitochondrial, MITOCHONDRIAL),
            (drop_ribosomal, RIBOSOMAL),
        )
        self.dropped = [pattern for is_on, pattern in rules if is_on]
        self._verdicts: dict[str, bool] = {}  # sections have the same names again and again

    def __call__(self, section: Section, common: Mapping[str, str] | None = None) -> Section:
        """The section under its new names; the same object where nothing changes.

        Args:
            section: as it was read.
            common: names, as `rename` gives them, that other sections have another word for.

        Raises:
            InputError: no gene is left.
        """
        old = [str(name) for name in section.adata.var_names]
        renamed_genes = [self.rename(name) for name in old]
        names = [common.get(name, name) for name in renamed_genes] if common else renamed_genes
        keep = np.array(
            [not (self._drops(a) or self._drops(b)) for a, b in zip(old, names, strict=True)]
        )
        if names == old and keep.all() and len(set(old)) == len(old):
            return section
        if not keep.any():
            raise InputError(
                f"{section.section_id}: all {len(old)} genes are dropped; look at data.genes"
            )
        counts, unique = sum_columns(
            sparse.csr_matrix(section.adata.X)[:, keep], np.array(names)[keep].tolist()
        )
        renamed = sum(a != b for a, b in zip(old, names, strict=True))
        message = "%s: %d gene names changed, %d genes dropped, %d summed with one of the same name"
        log.info(message, section.section_id, renamed, (~keep).sum(), keep.sum() - len(unique))
        return section.with_adata(_table(section.adata, counts, unique))

    def identity(self) -> list[Any]:
        """What fixes the names that it gives."""
        return [digest(self.aliases), [one.pattern for one in self.dropped], self.one_name]

    def rename(self, name: str) -> str:
        """The name without an Ensembl version, and as the aliases have it."""
        bare = _bare(name)
        return self.aliases.get(bare, bare)

    def _drops(self, name: str) -> bool:
        if name not in self._verdicts:
            self._verdicts[name] = any(pattern.match(name) for pattern in self.dropped)
        return self._verdicts[name]


def called_as(section: Section, genes: Sequence[str]) -> Section:
    """The section with its genes called as a model calls them, by HGNC's table, see `common_names`;
    the same object where nothing changes.
    """
    genes_of_section = genes_of(section.adata.var_names)
    common = common_names({section.section_id: genes_of_section}, genes)
    return GeneNames(drop_control_probes=False)(section, common.get(section.section_id))


@lru_cache(maxsize=2**18)
def _bare(name: str) -> str:
    """Less its Ensembl version."""
    return VERSION.sub(r"\1", name.strip())


def read_aliases(path: Path) -> dict[str, str]:
    """`{alias: symbol}` from a CSV.

    Raises:
        InputError: no such file, other columns, or one alias with two symbols.
    """
    if not path.is_file():
        raise InputError(
            f"alias table not found: {path}; set data.genes.aliases=FILE.csv (columns"
            " alias,symbol), or null"
        )
    # NA and NaN may be symbols
    columns = read_user_table(path, "data.genes.aliases", ["alias", "symbol"])
    names = [VERSION.sub(r"\1", alias) for alias in columns.text("alias", blank=True)]
    table = pd.DataFrame({"alias": names, "symbol": columns.text("symbol", blank=True)})
    table = table[(table["alias"] != "") & (table["symbol"] != "")].drop_duplicates(
        ["alias", "symbol"]
    )
    if twice := sorted(set(table.loc[table.duplicated("alias"), "alias"])):
        raise InputError(
            f"{path}: aliases with several symbols: {twice[:5]}; leave one line each"
            " (data.genes.aliases)"
        )
    return dict(zip(table["alias"], table["symbol"], strict=True))


def _table(adata: ad.AnnData, counts: sparse.csr_matrix, genes: Sequence[str]) -> ad.AnnData:
    table = ad.AnnData(X=sparse.csr_matrix(counts, dtype=np.float32), obs=adata.obs.copy())
    table.var_names = list(genes)
    for key in adata.obsm:
        table.obsm[key] = adata.obsm[key]
    return table
