"""Predict on slides: `python predict.py checkpoint=... slides=... output=...`; `--help` tells the rest."""

import hydra
from omegaconf import DictConfig

from hespotex.cli import plain_errors


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
@plain_errors
def main(cfg: DictConfig) -> None:
    from hespotex.inference import predict

    predict(cfg)


if __name__ == "__main__":
    main()
