"""What each gene has earned in cross-validation, so that a reader of a map knows which to believe."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hespotex.results.runs import PER_GENE, read_genes


def earned_pcc(checkpoints: Sequence[Path]) -> pd.DataFrame:
    """Test PCC of each gene, from the `per_gene.csv` that training left two folders above the checkpoints.

    Returns:
        A row a gene: `test_pcc`, mean over the test sections of all folds, and `test_sections`, their number; no rows
        where no scores lie beside the checkpoints.
    """
    runs = [path.parent.parent for path in checkpoints]
    tables = [read_genes(run) for run in runs if (run / PER_GENE).is_file()]
    if not tables:
        return pd.DataFrame({"test_pcc": [], "test_sections": []})
    pcc = pd.concat(tables).dropna(subset="pcc").groupby("gene")["pcc"]
    return pd.DataFrame({"test_pcc": pcc.mean(), "test_sections": pcc.size()})
