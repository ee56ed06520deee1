"""Predict on slides, one after the other."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from hespotex.cli.numbers import check_numbers
from hespotex.cli.shares import own_share
from hespotex.common.errors import InputError
from hespotex.common.failures import Failures
from hespotex.common.progress import progress_bar
from hespotex.common.typed_paths import typed_path
from hespotex.prediction.predictor import Predictor
from hespotex.prediction.slide import SlideWriter
from hespotex.prediction.slide_list import find_slides
from hespotex.records.build import Config, resolved
from hespotex.results.guide import guide_slides
from hespotex.results.slide.differences import write_differences
from hespotex.results.slide.index import write_index

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> None:
    """Predict this job's share of the slides; one that fails is named at the end while the others
    finish.

    Raises:
        InputError: nothing to predict, a checkpoint that does not fit, or slides that failed.
    """
    if cfg.get("data"):
        raise InputError(
            "data=... names sections with counts: add evaluate=true to score the checkpoint on them"
        )
    config = resolved(cfg)
    check_numbers(config)
    if not config["slides"]:
        raise InputError(
            "nothing to predict: set slides=PATH, or data=... evaluate=true to score on another"
            " data set"
        )
    output = Path(config["output"])
    slides = find_slides(config["slides"], config["recursive"], output)[own_share(config)]
    _check_measured(config, len(slides))
    _check_regions(config, len(slides))
    write = SlideWriter(config, Predictor(config))
    failures = Failures("slide", output)
    write.check(slides)
    with progress_bar(len(slides), "slide", "slides", disable=len(slides) < 2) as bar:
        for slide in slides:
            with failures.of(slide.name, label=slide.path.name):
                write(slide)
            bar.update()
    write_differences(output)
    write_index(output)
    guide_slides(output, config["checkpoint"])
    failures.check()


def _check_measured(config: Config, n_slides: int) -> None:
    """Refuse the measured spots of one slide for several, and a serial section without any."""
    if config["measured_image"] and not config["measured"]:
        raise InputError(
            f"measured_image={config['measured_image']} is the image of a serial section: give its"
            " measured spots too, by measured=FILE"
        )
    if config["measured"] and n_slides > 1:
        raise InputError(
            f"measured={config['measured']} holds spots of one slide, but slides={config['slides']}"
            f" are {n_slides}; predict each with its own measured=FILE"
        )


def _check_regions(config: Config, n_slides: int) -> None:
    """Refuse the regions of one slide for several."""
    regions = config["regions"]
    if regions and n_slides > 1 and not typed_path(regions).is_dir():
        raise InputError(
            f"regions={regions} are of one slide, but slides={config['slides']} are {n_slides};"
            " give a folder with a file SLIDE.geojson for each"
        )
