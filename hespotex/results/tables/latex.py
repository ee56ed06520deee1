"""The table of models as LaTeX, for a paper."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from hespotex.common.counted import counted
from hespotex.results.tables.sweep import Tables

NEEDS = "% \\usepackage{booktabs}; made by python -m hespotex.summary, all numbers in models.csv"
HEADER = [
    "Model",
    "PCC",
    "95\\,\\% interval",
    "Gain over ridge",
    "95\\,\\% interval of the gain",
    "$p$",
    "Genes found",
]
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
NOTHING = "--"
LEAK = r"$^\dagger$"


def latex_tables(tables: Tables) -> str:
    """A `tabular` for each fold strategy, models first, then baselines, controls and the ceiling,
    with a rule between them.
    """
    tabulars = [latex_table(tables.of(strategy).models) for strategy in tables.strategies]
    return "\n\n".join([NEEDS, *tabulars]) + "\n"


def latex_table(models: pd.DataFrame) -> str:
    """Rows of `model_table` of one fold strategy."""
    rows = models.to_dict("records")
    body = [rf"\begin{{tabular}}{{l{'r' * (len(HEADER) - 1)}}}", r"\toprule"]
    body += [" & ".join(HEADER) + r" \\", r"\midrule"]
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before["role"] != row["role"]:
            body.append(r"\midrule")
        body.append(" & ".join(_cells(row)) + r" \\")
    strategy = escaped(str(rows[0]["fold_strategy"]).replace("_", " "))
    n_groups = max(int(row["n_groups"]) for row in rows)
    groups = counted(n_groups, "group")
    comment = f"% {strategy}; intervals: bootstrap over {groups}; p: sign-flip over sections"
    leaks = [leak for row in rows for leak in row["leaks"]]
    notes = [f"% {LEAK}: {escaped(leak)}" for leak in dict.fromkeys(leaks)]
    return "\n".join([comment, *notes, *body, r"\bottomrule", r"\end{tabular}"])


def escaped(text: str) -> str:
    """Text from data as LaTeX prints it, on one line."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return "".join(SPECIAL.get(letter, letter) for letter in line)


def _cells(row: dict[Hashable, Any]) -> list[str]:
    return [
        escaped(str(row["model"])) + (LEAK if row["leaks"] else ""),
        _number(row["pcc_gene"], ".3f"),
        _interval(row["low"], row["high"], ".3f"),
        _number(row["gain"], "+.3f"),
        _interval(row["gain_low"], row["gain_high"], "+.3f"),
        _number(row["gain_p"], ".3g"),
        f"{row['genes_found']} of {row['genes_tested']}",
    ]


def _number(value: float, form: str) -> str:
    """In mathematics, where a minus is one."""
    return NOTHING if pd.isna(value) else f"${value:{form}}$"


def _interval(low: float, high: float, form: str) -> str:
    return NOTHING if pd.isna(low) else f"${low:{form}}$ to ${high:{form}}$"
