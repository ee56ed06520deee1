"""What was asked of a sweep, and what it was made with."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.files import digest
from hespotex.records.record import RunRecord, Runs
from hespotex.results.findings import FAIL, PASS, Finding, read_audit
from hespotex.results.read_off import HEADING, read_off

PROTOCOL = {
    "leave_one_group_out": (
        "Each group (patient) is the test set once, with all its sections; none of them is"
        " trained on."
    ),
    "leave_one_section_out": (
        "Each section is the test set once; other sections of its patient may be trained on."
    ),
    "kfold": "Groups (patients) are dealt at random into test sets; no group is on both sides.",
    "files": "The split was given in a file.",
    "bundle": "The split that comes with the benchmark's task.",
}
log = logging.getLogger(__name__)
Facts = list[tuple[str, str]]
T = TypeVar("T")


def facts(runs: Runs) -> Facts:
    """Questions and answers; several answers where runs differ."""
    configs = [run.stored_config for run in runs]
    panels = sorted({section["n_genes"] for run in runs for section in run.sections})
    tested = {section["section_id"]: section["group"] for run in runs for section in run.sections}
    answers = {
        "Data": _unique(runs, lambda run: run.data),
        "Sections tested": f"{len(tested)}, of {counted(len(set(tested.values())), 'group')}",
        "Encoder": _unique(runs, lambda run: run.encoder),
        HEADING: read_off(runs),
        "Target": _unique(runs, lambda run: run.unit),
        "Genes": "; ".join(
            filter(None, [", ".join(map(str, panels)), _unique(runs, panel_choice)])
        ),
        "Models": _unique(runs, lambda run: run.model),
        "Seeds": _unique(runs, lambda run: run.seed),
        "Search": _unique(runs, lambda run: run.search or None),
        "Epoch chosen on": _unique(
            configs, lambda config: config.get("model", {}).get("select_on") or "nothing"
        ),
        "Data fingerprint": fingerprint(runs),
        "Git commit": _unique(runs, lambda run: run.metrics.get("git_commit")),
    }
    return [(question, answer) for question, answer in answers.items() if answer]


def panel_choice(run: RunRecord) -> str | None:
    """What the genes of a run were chosen on, by its own record; None where that is not
    recorded.
    """
    if "panel_fitted_on" not in run.metrics:
        return None
    if run.fold_strategy == "external":
        return "those of the checkpoint"
    sources = set(run.metrics["panel_fitted_on"])
    if sources & set(run.split.test):
        return "chosen with the test sections, a leak"
    if beyond := sources - set(run.split.train):
        return f"chosen with sections that did not train ({' '.join(sorted(beyond))})"
    return "chosen on training sections" if sources else "from a list"


def fingerprint(runs: Runs) -> str:
    """One hash of what all runs were given (embeddings, nuclei, places, graph, expression)."""
    prints = sorted(
        {
            (run.fold_strategy, run.fold, run.data_fingerprint)
            for run in runs
            if run.data_fingerprint
        }
    )
    return digest(prints) if prints else ""


def versions(runs: Runs) -> Facts:
    """Versions of packages; several where runs differ."""
    names = dict.fromkeys(name for run in runs for name in run.versions)
    releases = [run.versions for run in runs]
    return [
        (
            name,
            _unique(
                [{"version": release.get(name)} for release in releases],
                lambda release: release["version"],
            ),
        )
        for name in names
    ]


def audits(runs: Runs) -> dict[Path, tuple[list[str], str]]:
    """By folder of a run: the rules that failed, and the verdict in words. Runs without
    `audit.json` are left out.
    """
    findings_of_run = {run.folder: _audit(run) for run in runs}
    return {folder: _verdict(findings) for folder, findings in findings_of_run.items() if findings}


def _audit(run: RunRecord) -> list[Finding]:
    try:
        return read_audit(run.folder)
    except InputError as error:
        log.warning("left out: %s", error)
        return []


def _verdict(findings: list[Finding]) -> tuple[list[str], str]:
    passed = sum(finding.verdict == PASS for finding in findings)
    failed = [finding for finding in findings if finding.verdict == FAIL]
    rest = len(findings) - passed - len(failed)
    counts = [f"{passed} pass", *(f"FAIL {finding.rule}: {finding.why}" for finding in failed)]
    return [finding.rule for finding in failed], "; ".join(
        [*counts, *([f"{rest} not checked"] if rest else [])]
    )


def _unique(things: Sequence[T], answer: Callable[[T], Any]) -> str:
    return ", ".join(
        dict.fromkeys(str(value) for value in map(answer, things) if value is not None)
    )
