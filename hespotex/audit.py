"""Derive anew what a finished run's fitted parts have seen: `python -m hespotex.audit RUN_DIR`."""

import argparse
import logging
import sys
from pathlib import Path

from hespotex.auditing.audit import audit_run
from hespotex.auditing.dataset import DataSets
from hespotex.cli import plain_errors
from hespotex.results.findings import FAIL, count

log = logging.getLogger("hespotex.audit")
ABOUT = (
    "Audit finished runs for leaks. Each thing that a run fitted is fitted again on its training sections alone and compared "
    "with what the run stored: genes, target, scaling, closed-form weights, teacher, chosen epoch, test predictions; groups "
    "and duplicated tissue are looked up in the data. Where the data is gone, the run's own record is all there is, and the "
    "rule says so. Run it where train.py was run: paths are relative."
)


@plain_errors
def main() -> None:
    """Command line; the exit code is 0 only if no rule fails."""
    parser = argparse.ArgumentParser(prog="python -m hespotex.audit", description=ABOUT)
    parser.add_argument("folders", type=Path, nargs="+", metavar="RUN_DIR", help="folder of a run, such as outputs/demo/0")
    parser.add_argument("--quick", action="store_true", help="recorded facts only: reads no data")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    data_sets = None if arguments.quick else DataSets()
    failed = False
    for folder in arguments.folders:
        findings = audit_run(folder, data_sets)
        failed |= any(finding.verdict == FAIL for finding in findings)
        log.info("%s\n%s\naudit: %s\n", folder, "\n".join(finding.line() for finding in findings), count(findings))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
