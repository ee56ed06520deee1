"""Predict on slides, one after the other."""

import logging
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from hespotex.build import Config
from hespotex.data.slide_list import SlideFile, find_slides
from hespotex.errors import InputError
from hespotex.predictor import Predictor
from hespotex.progress import progress_bar
from hespotex.results.guide import guide_slides
from hespotex.results.slide.failed import FAILED, note_outcome
from hespotex.shares import own_share
from hespotex.slide import SlideWriter

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> None:
    """Predict this job's share of the slides; one that fails is named at the end while the others finish.

    Raises:
        InputError: nothing to predict, a checkpoint that does not fit, or slides that failed.
    """
    if cfg.get("data"):
        raise InputError("data=... names sections with counts: add evaluate=true to score the checkpoint on them")
    config: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    if not config["slides"]:
        raise InputError("nothing to predict: set slides=PATH, or data=... evaluate=true to score on another data set")
    slides = find_slides(config["slides"])[own_share(config)]
    write, failed = SlideWriter(config, Predictor(config)), []
    with progress_bar(len(slides), "slide", "slides", disable=len(slides) < 2) as bar:
        for slide in slides:
            reason = _reason_of_failure(write, slide)
            note_outcome(Path(config["output"]), slide.name, reason)
            failed += [slide.path.name] if reason else []
            bar.update()
    guide_slides(Path(config["output"]), config["checkpoint"])
    if failed:
        where = Path(config["output"]) / FAILED
        raise InputError(f"{len(failed)} of {len(slides)} slides failed: {', '.join(failed)}; the reasons are in {where}")


def _reason_of_failure(write: SlideWriter, slide: SlideFile) -> str | None:
    try:
        write(slide)
    except InputError as error:
        log.error("%s: %s", slide.path, error)
        return str(error)
    return None
