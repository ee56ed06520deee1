"""Named image statistics of slides or sections: `python -m hespotex.statistics SLIDE`; `--help`
tells the rest.
"""

from omegaconf import DictConfig

from hespotex.cli.entry import command


@command("statistics", bare="slides")
def main(cfg: DictConfig) -> None:
    """Write the statistics around each spot, as tables and as h5ad."""
    from hespotex.named_statistics.run import write_statistics

    write_statistics(cfg)


if __name__ == "__main__":
    main()
