"""Train one model on one fold: `python train.py data=... model=... fold.index=...`; `--help` tells the rest."""

import hydra
from omegaconf import DictConfig

from hespotex.cli import plain_errors


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
@plain_errors
def main(cfg: DictConfig) -> float:
    from hespotex.run import train

    return train(cfg)


if __name__ == "__main__":
    main()
