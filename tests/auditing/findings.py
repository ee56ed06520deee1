"""What the tests of the audit share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hespotex.auditing.audit import RULES, audit_run
from hespotex.auditing.dataset import DataSets
from hespotex.records.manifest import MANIFEST
from hespotex.results.findings import FAIL, UNCHECKED, Finding

VALIDATED = "model.select_on=validation"
TAUGHT = [
    "model=dual_stream",
    "model.teacher.max_epochs=2",
    "nuclei=none",
    "model.module.nuclei=none",
]
SHORT = [*TAUGHT, "model.max_epochs=2", "data.panel.n_top=40", VALIDATED]
STRICT = ["model=strict", "data.panel.n_top=40"]
RIDGE = ["model=ridge", "data.panel.n_top=40", VALIDATED]


def audit(folder: Path) -> dict[str, Finding]:
    return {finding.rule: finding for finding in audit_run(folder, DataSets())}


def failed(folder: Path) -> list[str]:
    findings = audit(folder)
    assert len(findings) == len(RULES)
    assert UNCHECKED not in {finding.verdict for finding in findings.values()}, findings
    return [rule for rule, finding in findings.items() if finding.verdict == FAIL]


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    # what was changed on purpose is no longer vouched for
    (path.parent / MANIFEST).unlink(missing_ok=True)
