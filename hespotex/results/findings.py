"""What the audit of a run found, rule by rule, and its file `audit.json`."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from hespotex.common.files import read_json, write_json
from hespotex.common.shapes import Rule, check_shape

PASS = "PASS"
FAIL = "FAIL"
UNCHECKED = "NOT CHECKED"
VERDICT = Rule("a verdict", lambda value: value in (PASS, FAIL, UNCHECKED))
AUDIT = {"rules": [{"rule": str, "verdict": VERDICT, "reason": str}]}
RECORDED = "the recorded facts show no leak; not re-derived: "


@dataclass(frozen=True)
class Finding:
    """One rule: `verdict`, why, and the setting that asked for it where a run breaks a rule on
    purpose.
    """

    rule: str
    verdict: str
    reason: str
    asked: str | None = None

    @property
    def why(self) -> str:
        """The reason, and for a failure the setting that asked for it."""
        return self.reason + (
            f" (as asked for by {self.asked})" if self.asked and self.verdict == FAIL else ""
        )

    def line(self) -> str:
        """Verdict, rule and reason in columns, as the audit prints them."""
        return f"{self.verdict:<11}  {self.rule:<14}  {self.why}"


def write_audit(folder: Path, findings: list[Finding], quick: bool) -> None:
    """Leave the findings on a run in its `audit.json`; `quick`: the recorded facts alone were
    looked at.
    """
    write_json(
        folder / "audit.json", {"quick": quick, "rules": [asdict(finding) for finding in findings]}
    )


def read_audit(folder: Path) -> list[Finding]:
    """The findings of the last audit of a run; none if there was no audit."""
    file = folder / "audit.json"
    if not file.is_file():
        return []
    content = read_json(file, "audit the run again: python -m hespotex.audit RUN_DIR")
    check_shape(content, AUDIT, str(file))
    return [
        Finding(rule["rule"], rule["verdict"], rule["reason"], rule.get("asked"))
        for rule in content["rules"]
    ]


def count(findings: list[Finding]) -> str:
    """`9 pass, 1 fail (panel), 2 not checked`."""
    numbers = Counter(finding.verdict for finding in findings)
    failed = ", ".join(finding.rule for finding in findings if finding.verdict == FAIL)
    counts = [f"{numbers[PASS]} pass", f"{numbers[FAIL]} fail" + (f" ({failed})" if failed else "")]
    return ", ".join(
        [*counts, *([f"{numbers[UNCHECKED]} not checked"] if numbers[UNCHECKED] else [])]
    )
