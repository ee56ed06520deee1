"""All rules on a run, and the audits of many runs in one summary."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from hespotex.auditing import fitted, splits, trained
from hespotex.auditing.case import Case
from hespotex.auditing.dataset import DataSets
from hespotex.common.errors import InputError
from hespotex.common.failures import failure_of
from hespotex.common.progress import progress
from hespotex.records.manifest import check_files
from hespotex.records.record import Runs, read_record
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
    """One Markdown line a run, for the summary: counts of verdicts, and each failure with its
    reason.

    Data are read again where the runs are small together; else the line says that the recorded
    facts speak alone.
    """
    spots = sum(facts["n_spots"] for run in runs for facts in run.section_facts.values())
    data_sets = DataSets() if spots <= SMALL else None
    lines = []
    for run in progress(
        sorted(runs, key=lambda run: (run.model, run.fold, run.seed)),
        "run",
        "audit",
    ):
        try:
            lines.append(f"- {run.title}: audit: {_verdict_line(audit_run(run.folder, data_sets))}")
        except Exception as error:
            lines.append(f"- {run.title}: not audited: {failure_of(error).reason}")
    if data_sets is None:
        lines.append(
            f"- {spots} spots are many: recorded facts only; `python -m hespotex.audit RUN_DIR`"
            " derives them anew."
        )
    return lines


def _verdict_line(findings: list[Finding]) -> str:
    return "; ".join(
        [count(findings), *(f"{f.rule}: {f.why}" for f in findings if f.verdict == FAIL)]
    )
