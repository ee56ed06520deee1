"""Look at a data set before training: `python -m hespotex.doctor data=...`; `--help` tells the rest."""

import logging
import sys

import hydra
from omegaconf import DictConfig

from hespotex.cli import plain_errors

log = logging.getLogger("hespotex.doctor")


@hydra.main(version_base="1.3", config_path="../conf", config_name="doctor")
@plain_errors
def main(cfg: DictConfig) -> None:
    from hespotex.checkup.walk import check_up

    findings = check_up(cfg)
    log.info("\n%s", findings.verdict())
    if findings.problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
