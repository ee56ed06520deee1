"""A copy of her2st whose images have 3.2 um per px, to see what coarse images leave.

python experiments/committee/coarse.py PATH outputs/her2st_coarse
"""

import argparse
import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

MPP = 3.2
MPP_THERE = 0.69  # of her2st
PIXELS = ["pixel_x", "pixel_y"]
Image.MAX_IMAGE_PIXELS = None


def main() -> None:
    """Counts as they are; images and spot positions made smaller."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder of her2st")
    parser.add_argument("coarse", type=Path, help="folder to write")
    told = parser.parse_args()
    shutil.copytree(told.root / "ST-cnts", told.coarse / "ST-cnts")
    for path in sorted((told.root / "ST-imgs").rglob("*.jpg")):
        make_image(path, told.coarse / path.relative_to(told.root))
    for path in sorted((told.root / "ST-spotfiles").glob("*.tsv")):
        make_spots(path, told.coarse / path.relative_to(told.root))


def make_image(path: Path, coarse: Path) -> None:
    """The picture, each px the mean of those that it covers."""
    coarse.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as picture:
        size = [round(side * MPP_THERE / MPP) for side in picture.size]
        picture.resize((size[0], size[1]), Image.Resampling.BOX).save(coarse, quality=95)


def make_spots(path: Path, coarse: Path) -> None:
    """Positions in px of the smaller picture."""
    coarse.parent.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(path, sep="\t")
    table[PIXELS] *= MPP_THERE / MPP
    table.to_csv(coarse, sep="\t", index=False)


if __name__ == "__main__":
    main()
