"""Predict on slides, or score on another data set: `python predict.py`, installed `python -m
hespotex.predict`.
"""

from omegaconf import DictConfig

from hespotex.cli.entry import command


@command("predict", bare="slides")
def main(cfg: DictConfig) -> None:
    """Predict slides, or score a trained model on sections with expression (evaluate=true)."""
    if cfg.evaluate:
        from hespotex.prediction.external import evaluate

        evaluate(cfg)
    else:
        from hespotex.prediction.inference import predict

        predict(cfg)


if __name__ == "__main__":
    main()
