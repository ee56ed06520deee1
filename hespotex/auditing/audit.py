"""All rules on a run, and the audits of many runs in one summary."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hespotex.auditing import fitted, splits, trained
from hespotex.auditing.case import Case
from hespotex.auditing.dataset import DataSets
from hespotex.common.errors import InputError
from hespotex.common.failures import failure_of
from hespotex.common.progress import progress
from hespotex.records.manifest import check_files
from hespotex.records.record import RunRecord, Runs, read_record
from hespotex.results.findings import FAIL, UNCHECKED, Finding, count, write_audit

log = logging.getLogger(__name__)
SMALL = 50_000  # spots of all runs together; above, a summary takes the recorded facts only
RULES: dict[str, Callable[[Case], Finding]] = {
    "split": splits.check_split,
    "groups": splits.check_groups,
    "duplicates": splits.check_duplicates,
    "panel": fitted.check_panel,
    "genes measured": fitted.check_genes_measured,
    "target": fitted.check_target,
    "scaling": fitted.check_scaling,
    "image scale": fitted.check_image_scale,
    "closed form": fitted.check_closed_form,
    "embeddings": trained.check_embeddings,
    "teacher": fitted.check_teacher,
    "training": trained.check_training,
    "epoch": trained.check_epoch,
    "test": trained.check_test,
}


def audit_run(
    folder: Path, data_sets: DataSets | None, rules: Iterable[str] = tuple(RULES)
) -> list[Finding]:
    """Every rule's finding on a finished run, also written to its `audit.json`.

    Args:
        folder: of the run.
        data_sets: shared by the runs of one audit; None takes the recorded facts only.
        rules: which ones, in their order.

    Raises:
        InputError: no finished run there.
    """
    record = read_record(folder)
    case = Case(record, data_sets)
    findings = [_finding(name, case) if record.ids("test") else _no_test(name) for name in rules]
    findings += changed_files(folder)
    write_audit(folder, findings, quick=data_sets is None)
    return findings


def changed_files(folder: Path) -> list[Finding]:
    """A failure if a file of the run is not as the run wrote it; else nothing is said."""
    try:
        check_files(folder)
    except InputError as error:
        return [Finding("files", FAIL, str(error))]
    return []


def _no_test(name: str) -> Finding:
    return Finding(
        name,
        UNCHECKED,
        "every section trained: there is no test section, and no score, that could be touched",
    )


def _finding(name: str, case: Case) -> Finding:
    try:
        return RULES[name](case)
    except KeyError as error:
        return Finding(name, UNCHECKED, f"the run, of an older version, has no record of {error}")
    except Exception as error:
        return Finding(name, UNCHECKED, f"it could not be checked: {failure_of(error).reason}")


def audit_runs(runs: Runs) -> list[str]:
    """Markdown lines for the summary, one for the runs of a model that came out alike: counts of
    verdicts, and each failure with its reason.

    Data are read again where the runs are small together; else a line says that the recorded facts
    speak alone.
    """
    spots = sum(facts["n_spots"] for run in runs for facts in run.section_facts.values())
    data_sets = DataSets() if spots <= SMALL else None
    alike: dict[tuple[str, str], list[RunRecord]] = {}
    in_order = sorted(runs, key=lambda run: (run.model, run.fold, run.seed))
    for run in progress(in_order, "run", "audit"):
        alike.setdefault((run.model, _outcome(run, data_sets)), []).append(run)
    lines = [f"- {_titles(own)}: {outcome}" for (_, outcome), own in alike.items()]
    if data_sets is None:
        lines.append(
            f"- {spots} spots are many: recorded facts only; `python -m hespotex.audit RUN_DIR`"
            " derives them anew."
        )
    return lines


def _outcome(run: RunRecord, data_sets: DataSets | None) -> str:
    try:
        return f"audit: {_verdict_line(audit_run(run.folder, data_sets))}"
    except Exception as error:
        return f"not audited: {failure_of(error).reason}"


def _titles(runs: list[RunRecord]) -> str:
    """What tells these runs of one model apart from its others."""
    if len(runs) == 1:
        return runs[0].title
    seeds: dict[int, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.fold, []).append(run.seed)
    folds: dict[tuple[int, ...], list[int]] = {}
    for fold, own in seeds.items():
        folds.setdefault(tuple(sorted(set(own))), []).append(fold)
    parts = [f"{_several('fold', own)}, {_several('seed', of)}" for of, own in folds.items()]
    return f"{runs[0].model}, {'; '.join(parts)}"


def _several(noun: str, numbers: Sequence[int]) -> str:
    ending = "s" if len(numbers) > 1 else ""
    return f"{noun}{ending} {', '.join(map(str, numbers))}"


def _verdict_line(findings: list[Finding]) -> str:
    return "; ".join(
        [count(findings), *(f"{f.rule}: {f.why}" for f in findings if f.verdict == FAIL)]
    )
