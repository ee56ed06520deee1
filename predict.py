"""Predict on slides, or score on another data set: `python predict.py checkpoint=... slides=...`; `--help` tells the rest."""

import hydra
from omegaconf import DictConfig

from hespotex.cli import plain_errors


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
@plain_errors
def main(cfg: DictConfig) -> None:
    if cfg.evaluate:
        from hespotex.external import evaluate

        evaluate(cfg)
    else:
        from hespotex.inference import predict

        predict(cfg)


if __name__ == "__main__":
    main()
