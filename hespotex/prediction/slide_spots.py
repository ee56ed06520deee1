"""The spots of a slide at which something is asked: a grid over its tissue, or positions given."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hespotex.prediction.slide_list import SlideFile
from hespotex.records.build import Config
from hespotex.sections.readers.slide import pixel_size, read_slide
from hespotex.sections.section import Section, SectionKey
from hespotex.sections.tissue import Tissue, slide_tissue


def read_spots(
    slide: SlideFile, config: Config, spots: Mapping[str, Any], trained: bool = True
) -> tuple[Section, Tissue]:
    """A slide with its spots, and its tissue.

    Args:
        slide: to be read.
        config: of the command: `mpp`, `check_mpp`, `tissue`, `positions`, `check_frame`, `grid`,
          `pitch_um` and `min_tissue`, as in `conf/predict.yaml`.
        spots: `pitch_um`, `spot_diameter_um` and `grid` where the config leaves them open.
        trained: these are of training spots, so that others are warned of.

    Raises:
        InputError: no pixel size, no tissue, or positions outside the image.
    """
    setting = config["mpp"] if slide.mpp is None else slide.mpp
    mpp, source = pixel_size(slide.path, setting, config["check_mpp"])
    how = {name: value for name, value in config["tissue"].items() if name != "whole"}
    tissue = slide_tissue(slide.path, mpp, title=slide.title, **how)
    section = read_slide(
        slide.path,
        mpp=mpp,
        mpp_source=source,
        tissue=tissue,
        pitch_um=config["pitch_um"] or spots["pitch_um"],
        spot_diameter_um=spots["spot_diameter_um"],
        positions=Path(config["positions"]) if config["positions"] else None,
        min_tissue=config["min_tissue"],
        grid=spots.get("grid", "square") if config["grid"] == "auto" else config["grid"],
        check_frame=config["check_frame"],
        trained_um=spots["pitch_um"] if trained else None,
    )
    if slide.told_as:  # as all its files are called
        section = replace(section, key=SectionKey(slide.told_as, slide.told_as))
    return section, tissue
