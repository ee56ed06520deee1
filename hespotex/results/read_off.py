"""Whether sections and patients could be told apart by the embeddings, in words."""

from collections.abc import Mapping

import pandas as pd

from hespotex.records.record import Runs

HEADING = "Read off the embeddings"
MEANING = (
    "balanced accuracy of a linear classifier on spots that it did not learn from; below chance is"
    " as good as chance"
)


def in_words(answers: Mapping[str, Mapping[str, float]]) -> str:
    """`section 0.12 (chance 0.20), group 0.38 (chance 0.50)`; see `hespotex.embeddings.probe`."""
    return ", ".join(
        f"{name} {one['accuracy']:.2f} (chance {one['chance']:.2f})"
        for name, one in answers.items()
    )


def read_off(runs: Runs) -> str:
    """Of each encoder and way to standardise, the mean over its runs; empty where none tells."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        if answers := run.metrics.get("read_off"):
            way = run.metrics.get("image_inputs", {}).get("standardize", "unknown")
            tables.setdefault(f"{run.encoder}, standardize={way}", []).append(pd.DataFrame(answers))
    means = {name: pd.concat(own).groupby(level=0).mean() for name, own in tables.items()}
    lines = [f"{name}: {in_words(_by_question(mean))}" for name, mean in means.items()]
    return f"{'; '.join(lines)} ({MEANING})" if lines else ""


def _by_question(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(name): {str(key): x for key, x in table[name].items()} for name in table}
