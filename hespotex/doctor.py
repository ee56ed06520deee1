"""Look at a data set before training: `python -m hespotex.doctor data=...`; `--help` tells the
rest.
"""

import logging
import sys

from omegaconf import DictConfig

from hespotex.cli.entry import command

log = logging.getLogger("hespotex.doctor")


@command("doctor")
def main(cfg: DictConfig) -> None:
    """Look a data set through before anything is trained on it."""
    from hespotex.checkup.walk import check_up

    findings = check_up(cfg)
    log.info("\n%s", findings.verdict())
    if findings.problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
