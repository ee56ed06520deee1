"""Fill the embedding store without training: `python -m hespotex.embed data=... encoder=...`; `--help` tells the rest."""

import hydra
from omegaconf import DictConfig

from hespotex.cli import plain_errors


@hydra.main(version_base="1.3", config_path="../conf", config_name="embed")
@plain_errors
def main(cfg: DictConfig) -> None:
    from hespotex.fill import fill_store

    fill_store(cfg)


if __name__ == "__main__":
    main()
