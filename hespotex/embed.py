"""Fill the embedding store without training: `python -m hespotex.embed data=... encoder=...`;
`--help` tells the rest.
"""

from omegaconf import DictConfig

from hespotex.cli.entry import command


@command("embed")
def main(cfg: DictConfig) -> None:
    """Fill the store with the embeddings of all sections."""
    from hespotex.training.fill import fill_store

    fill_store(cfg)


if __name__ == "__main__":
    main()
