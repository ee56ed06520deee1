"""What the audit found, rule by rule."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

PASS, FAIL, UNCHECKED = "PASS", "FAIL", "NOT CHECKED"
RECORDED = "the recorded facts show no leak; not re-derived: "


@dataclass(frozen=True)
class Finding:
    """One rule: `verdict`, why, and the setting that asked for it where a run breaks a rule on purpose."""

    rule: str
    verdict: str
    reason: str
    asked: str | None = None

    def line(self) -> str:
        wanted = f" (as asked for by {self.asked})" if self.asked and self.verdict == FAIL else ""
        return f"{self.verdict:<11}  {self.rule:<11}  {self.reason}{wanted}"

    def to_dict(self) -> dict[str, Any]:
        return {"rule": self.rule, "verdict": self.verdict, "reason": self.reason, "asked": self.asked}


def count(findings: list[Finding]) -> str:
    """`9 pass, 1 fail (panel), 2 not checked`."""
    numbers = Counter(finding.verdict for finding in findings)
    failed = ", ".join(finding.rule for finding in findings if finding.verdict == FAIL)
    parts = [f"{numbers[PASS]} pass", f"{numbers[FAIL]} fail" + (f" ({failed})" if failed else "")]
    return ", ".join([*parts, *([f"{numbers[UNCHECKED]} not checked"] if numbers[UNCHECKED] else [])])
