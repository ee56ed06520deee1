"""Train one model on one fold: `python train.py`, or `python -m hespotex.train` where the package
is installed.
"""

from omegaconf import DictConfig

from hespotex.cli.entry import command


@command("train")
def main(cfg: DictConfig) -> float:
    """Train, test and record one run; the score that a search maximises."""
    from hespotex.training.run import train

    return train(cfg)


if __name__ == "__main__":
    main()
