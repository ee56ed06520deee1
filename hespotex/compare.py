"""Compare two sweeps, paired by section and gene: `python -m hespotex.compare A B`."""

import logging
from pathlib import Path

import pandas as pd

from hespotex.cli.entry import VerbParser, plain_errors
from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.spreadsheet import write_csv
from hespotex.records.record import Runs
from hespotex.records.runs import read_runs
from hespotex.results.tables import comparison

log = logging.getLogger("hespotex.compare")
ABOUT = """Difference of two sweeps, paired by fold strategy, test section and gene: the one model
of each where these differ, and every model that both have, a row each, with intervals, and a word
where they do not compare (other data, other splits, other genes)."""
EXAMPLES = {
    "outputs/uni outputs/quiltnet": "the model of each, and what else both have",
    "outputs/demo outputs/demo --model-a ridge --model-b strict": "two models of one sweep",
    "outputs/a outputs/b --output pairs.csv": "keep the paired scores",
}


def compare(
    a: Path,
    b: Path,
    model_a: str | None = None,
    model_b: str | None = None,
    output: Path | None = None,
) -> str:
    """Table of B against A: the one model of each and all that both have, or the two that are
    named; `output` takes the pairs as CSV.

    Raises:
        InputError: no finished run, no model to compare, or no gene of a section that both have
          scored.
    """
    runs_a = read_runs(a)
    runs_b = read_runs(b)
    rows = []
    notes = []
    pairs = []
    for one, other in _models(runs_a, runs_b, model_a, model_b):
        scores_a = comparison.scores(runs_a, one)
        scores_b = comparison.scores(runs_b, other)
        paired = comparison.pair(scores_a, scores_b)
        rows += comparison.rows(paired, one, other)
        pairs.append(paired.assign(model_a=one, model_b=other))
        own_a, own_b = (
            [run for run in runs if run.model == name]
            for runs, name in ((runs_a, one), (runs_b, other))
        )
        notes += [
            f"{one} and {other}: {text}."
            for text in comparison.warnings(own_a, own_b, scores_a, scores_b)
        ]
    if not rows:
        raise InputError(
            f"{a} and {b} have no gene of a section, under one fold strategy, that was scored in"
            " both"
        )
    if output:
        with atomic_path(output) as partial:
            write_csv(pd.concat(pairs), partial, index=False, float_format="%.6g")
    return "\n".join([f"A: {a}", f"B: {b}", "", comparison.table(rows), "", *notes])


def _models(a: Runs, b: Runs, model_a: str | None, model_b: str | None) -> list[tuple[str, str]]:
    """Pairs to compare: those that are named; else the one model of each sweep, and all models that
    both have.
    """
    one, other = (_the_one(runs) for runs in (a, b))
    names = [list(dict.fromkeys(run.model for run in runs)) for runs in (a, b)]
    if model_a or model_b:
        return [
            (
                model_a or _same_or(str(model_b), names[0], one),
                model_b or _same_or(str(model_a), names[1], other),
            )
        ]
    pairs = [(one, other)] if one and other and one != other else []
    pairs += [(name, name) for name in names[0] if name in names[1]]
    if pairs:
        return pairs
    lists = f"A has {', '.join(names[0])}, B has {', '.join(names[1])}"
    raise InputError(f"no model in common: {lists}; name two with --model-a and --model-b")


def _the_one(runs: Runs) -> str | None:
    """The only model of role "model" of a sweep, or its only one of any role; None of several."""
    roles = {str(run.model): run.role for run in runs}
    models = [name for name, role in roles.items() if role == "model"] or list(roles)
    return models[0] if len(models) == 1 else None


def _same_or(name: str, names: list[str], only_model: str | None) -> str:
    """The model of this name, or where a sweep lacks it, its one model."""
    return name if name in names or only_model is None else only_model


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("compare", ABOUT, EXAMPLES)
    parser.add_argument("a", type=Path, metavar="A", help="folder of a sweep, such as outputs/demo")
    parser.add_argument(
        "b", type=Path, metavar="B", help="another; the same, to compare two of its models"
    )
    parser.add_argument(
        "--model-a",
        metavar="MODEL",
        help="model of A; without, its one model, and every model that both have",
    )
    parser.add_argument("--model-b", metavar="MODEL", help="model of B; without, as in A")
    parser.add_argument("--output", type=Path, metavar="CSV", help="CSV for the paired scores")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = parser.parse_args()
    log.info(
        "%s",
        compare(arguments.a, arguments.b, arguments.model_a, arguments.model_b, arguments.output),
    )


if __name__ == "__main__":
    main()
