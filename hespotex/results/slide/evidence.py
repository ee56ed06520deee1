"""What each gene has earned in cross-validation, so that a reader of a map knows which to
believe.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hespotex.results.final import FACTS as FINAL_FACTS
from hespotex.results.final import read_final_genes
from hespotex.results.layout import PER_GENE
from hespotex.results.runs import read_genes


def earned_pcc(checkpoints: Sequence[Path]) -> pd.DataFrame:
    """Test PCC of each gene, from the `per_gene.csv` that training left two folders above the
    checkpoints.

    A model on all sections has those of the folds in its `genes.csv`.

    Returns:
        A row a gene: `test_pcc`, mean over the test sections of all folds, and `test_sections`,
        their number; no rows where no scores lie beside the checkpoints. Of a model on all sections
        also `low`, `high` and `found`.
    """
    if len(checkpoints) == 1 and (checkpoints[0].parents[1] / FINAL_FACTS).is_file():
        return _of_final(checkpoints[0].parents[1])
    runs = [path.parent.parent for path in checkpoints]
    tables = [read_genes(run) for run in runs if (run / PER_GENE).is_file()]
    if not tables:
        return pd.DataFrame({"test_pcc": [], "test_sections": []})
    pcc = pd.concat(tables).dropna(subset="pcc").groupby("gene")["pcc"]
    return pd.DataFrame({"test_pcc": pcc.mean(), "test_sections": pcc.size()})


def _of_final(run: Path) -> pd.DataFrame:
    """The folds' scores beside a model on all sections; NaN, and not found, where a gene was never
    scored.
    """
    table = read_final_genes(run)
    earned = table.rename(columns={"pcc": "test_pcc", "n_sections": "test_sections"})
    earned = earned[["test_pcc", "test_sections", "low", "high"]].astype(float)
    return earned.assign(
        found=table["found"].map({True: True, "True": True}).fillna(False).astype(bool)
    )
