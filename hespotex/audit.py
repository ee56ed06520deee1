"""Derive anew what a finished run's fitted parts have seen: `python -m hespotex.audit RUN_DIR`."""

import logging
import sys
from pathlib import Path

from hespotex.cli.entry import VerbParser, plain_errors

log = logging.getLogger("hespotex.audit")
ABOUT = """Audit finished runs for leaks. Each thing that a run fitted is fitted again on its
training sections alone and compared with what the run stored: genes, target, scaling, closed-form
weights, teacher, chosen epoch, test predictions; groups and duplicated tissue are looked up in the
data. Where the data is gone, the run's own record is all there is, and the rule says so. Run it
where train.py was run: paths are relative. Exit code 1 if a rule fails."""
EXAMPLES = {
    "outputs/demo/0": "one run",
    "outputs/demo/[0-9]*": "all runs of a sweep",
    "--quick outputs/mine/[0-9]*": "what the runs themselves have recorded, in a second",
}


@plain_errors
def main() -> None:
    """Command line; the exit code is 0 only if no rule fails."""
    parser = VerbParser("audit", ABOUT, EXAMPLES)
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="RUN_DIR",
        help="folder of a run, such as outputs/demo/0",
    )
    parser.add_argument("--quick", action="store_true", help="recorded facts only: reads no data")
    arguments = parser.parse_args()
    from hespotex.auditing.audit import RULES, audit_run
    from hespotex.auditing.dataset import DataSets
    from hespotex.common.failures import Failures
    from hespotex.common.progress import progress
    from hespotex.results.findings import FAIL, count

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for logger in (log, logging.getLogger("hespotex.common.progress")):
        logger.setLevel(logging.INFO)
    data_sets = None if arguments.quick else DataSets()
    broken = False
    unread = Failures("run")
    for folder in arguments.folders:
        with unread.of(str(folder)):
            findings = audit_run(folder, data_sets, progress(list(RULES), "rule", str(folder)))
            broken |= any(finding.verdict == FAIL for finding in findings)
            lines = "\n".join(finding.line() for finding in findings)
            log.info("%s\n%s\naudit: %s\n", folder, lines, count(findings))
    if not broken:
        unread.check()
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
