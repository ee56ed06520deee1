"""Whether spot positions are px of the image, x then y: what columns, scale factors and image
tell.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.images.region import thumbnail_of
from hespotex.sections.scale import pitch_px
from hespotex.sections.section import ARRAY
from hespotex.sections.tissue.colour import ink, stained
from hespotex.sections.tissue.mask import tissue_fraction

Positions = NDArray[np.float64]
PAIRS = [  # names of x and y, in lower case
    ("pixel_x", "pixel_y"), ("pxl_col_in_fullres", "pxl_row_in_fullres"), ("x", "y"),
    ("imagecol", "imagerow"), ("image_col", "image_row"), ("pxl_col", "pxl_row"),
    ("x_pixel", "y_pixel"), ("x_px", "y_px"), ("px_x", "px_y"), ("x_centroid", "y_centroid"),
    ("center_x", "center_y"), ("spatial_x", "spatial_y"), ("x_coord", "y_coord"),
    ("x_position", "y_position"), ("pos_x", "pos_y"), ("col", "row"), ("column", "row"),
]  # fmt: skip
OVERRIDE = "data.reader.check_frame=false"
NUMBERED = re.compile(r"\D*(\d+)$")
FULLRES = ("pxl_col_in_fullres", "pxl_row_in_fullres")
LEAST_PITCH = 0.8  # of the spot diameter: Visium 1.5, legacy ST 2, Visium HD 1; hires frames .2
LONGEST_PX = 1000  # of the picture in which tissue is looked for
CLEAR = (0.02, 0.9)  # share of tissue in a picture that has both tissue and glass
# shares of spots on tissue: fine, better by, too few
ENOUGH = 0.7
CLEARLY = 0.3
LEAST = 0.3
# of the image's sides, and of its tissue
CORNER = 0.4
COVERED = 0.25


def pair_of(columns: Sequence[Any]) -> tuple[Any, Any] | None:
    """The columns that hold x and y, told by their names; None where the names do not tell."""
    by_name = {str(name).strip().lower(): name for name in columns}
    return next(((by_name[x], by_name[y]) for x, y in PAIRS if x in by_name and y in by_name), None)


def xy_of(value: Any, where: str) -> Positions:
    """Spot centres (n_spots, 2), x then y, of a value of `obsm`.

    A table's columns are taken by name; an array's in their order.

    Raises:
        InputError: names that do not tell x from y, another shape, or no numbers.
    """
    if isinstance(value, pd.DataFrame):
        value = value[list(_columns(value, where))]
    if sparse.issparse(value):
        value = value.toarray()
    try:
        pos = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}: expected positions in px, found no numbers ({error})"
        ) from error
    flat = pos.ndim == 2 and pos.shape[1] == 3 and len(np.unique(pos[:, 2])) <= 1
    if pos.ndim != 2 or (pos.shape[1] != 2 and not flat):
        raise InputError(
            f"{where}: expected two columns, x then y, in px of the image, found shape {pos.shape};"
            " write one section a file with two columns"
        )
    return np.ascontiguousarray(pos[:, :2])


def _columns(table: pd.DataFrame, where: str) -> tuple[Any, Any]:
    if pair := pair_of(list(table)):
        return pair
    names = [str(name) for name in table]
    numbers = [NUMBERED.match(name) for name in names]
    if len(names) == 2 and all(numbers) and len({name.rstrip("0123456789") for name in names}) == 1:
        first, second = sorted(table, key=lambda name: int(re.findall(r"\d+$", str(name))[0]))
        return first, second
    raise InputError(
        f"{where}: the columns {names} do not say which is x and which y, in px of the image; name"
        " them x and y (or pxl_col_in_fullres and pxl_row_in_fullres)"
    )


@dataclass(frozen=True)
class Frame:
    """What a file says of the frame of its positions.

    `pos`: (n_spots, 2) px; `obs`: a row a spot; `factors`: of `uns["spatial"]`; `override`: how a
    user takes the positions all the same.
    """

    section_id: str
    pos: Positions
    obs: pd.DataFrame
    factors: Mapping[str, Any]
    override: str

    def settled(self) -> bool:
        """Whether `obs` names the very same positions as px of the full-resolution image."""
        full = self._columns(FULLRES)
        return full is not None and np.allclose(full, self.pos, atol=1.0)

    def check_file(self) -> None:
        """Refuse positions that the file itself contradicts.

        Raises:
            InputError: x and y exchanged, array numbers, another frame, or spots on one another.
        """
        self._check_places()
        if self.settled():
            return
        self._check_columns()
        self._check_diameter()

    def check_turn(self) -> None:
        """Refuse positions that mirror the array: x and y were exchanged, or the image is
        mirrored.
        """
        array = self._columns(ARRAY)
        if self.settled() or array is None or len(array) < 6:
            return
        design = np.c_[array, np.ones(len(array))]
        if np.linalg.matrix_rank(design - design.mean(axis=0), tol=1e-6) < 2:
            return
        turn = np.linalg.lstsq(design, self.pos, rcond=None)[0]
        left = np.abs(design @ turn - self.pos).max()
        if left < 0.5 * max(pitch_px(self.pos), 1e-9) and np.linalg.det(turn[:2]) < 0:
            self.refuse(
                "the array (obs array_col, array_row) lies mirrored on the image, as where x and y"
                " are exchanged"
            )

    def check_image(self, image: Path, size: tuple[int, int]) -> None:
        """Refuse positions that miss the tissue where another frame would meet it.

        Raises:
            InputError: naming the other frame, or that most spots are on glass.
        """
        if self.settled() or len(self.pos) < 6:
            return
        mask, scale = tissue_at_low_power(image)
        check_on_tissue(self, mask, scale, size)

    def others(self, size: tuple[int, int]) -> dict[str, Positions]:
        """Positions as they would be, if they had been written in another frame."""
        frames = {"with x and y exchanged": self.pos[:, ::-1]}
        for name in ("tissue_hires_scalef", "tissue_lowres_scalef"):
            factor = as_number(self.factors.get(name))
            if factor and 0 < factor < 1:
                frames[f"divided by {name} ({factor:g})"] = self.pos / factor
        if (stretch := self._stretch(size)) is not None:
            frames[f"times {stretch:.3g}"] = self.pos * stretch
        inside = {label: pos for label, pos in frames.items() if (pos <= size).all()}
        return {label: pos for label, pos in inside.items() if (pos >= 0).all()}

    def _stretch(self, size: tuple[int, int]) -> float | None:
        """What fits spots in the upper left corner to the image; None where they are not there."""
        high = self.pos.max(axis=0)
        if (high > CORNER * np.array(size)).any() or (high <= 0).any():
            return None
        return float((np.array(size) / (high + self.pos.min(axis=0))).min())

    def _check_places(self) -> None:
        n_places = len(np.unique(self.pos, axis=0))
        if 1 < n_places < len(self.pos):
            self.refuse(
                f"{len(self.pos) - n_places} spots lie at the place of another one: are several"
                " sections in one file?"
            )

    def _check_columns(self) -> None:
        for names in (FULLRES, ARRAY):
            columns = self._columns(names)
            if columns is None or np.ptp(columns, axis=0).min() == 0:
                continue
            if names == FULLRES and np.allclose(columns[:, ::-1], self.pos, atol=1.0):
                self.refuse(f"x and y are exchanged: obs has them as {names[0]}, {names[1]}")
            if names == ARRAY and any(
                np.allclose(t, self.pos) for t in (columns, columns[:, ::-1])
            ):
                self.refuse("the positions are those on the array (array_col, array_row), not px")
            ratio = float(np.median(self.pos.sum(axis=1) / np.maximum(columns.sum(axis=1), 1e-9)))
            if (
                names == FULLRES
                and abs(ratio - 1) > 0.02
                and np.allclose(columns * ratio, self.pos, atol=1.0 * abs(ratio))
            ):
                self.refuse(
                    f"the positions are those of obs {names[0]}, {names[1]} times {ratio:.3g}"
                )

    def _check_diameter(self) -> None:
        diameter = as_number(self.factors.get("spot_diameter_fullres"))
        pitch = pitch_px(self.pos)
        if not diameter or diameter <= 0 or not np.isfinite(pitch) or pitch < 1e-6:
            return
        if pitch / diameter < LEAST_PITCH:
            hires = as_number(self.factors.get("tissue_hires_scalef"))
            perhaps = f" (hires: divide them by {hires:g})" if hires and 0 < hires < 1 else ""
            self.refuse(
                f"neighbouring spots are {pitch:.3g} px apart, but a spot is {diameter:.3g} px wide"
                " (spot_diameter_fullres): the positions are of a smaller picture or of the"
                f" array{perhaps}"
            )

    def _columns(self, names: tuple[str, str]) -> Positions | None:
        """Two columns of `obs` as numbers; None where they are not there, or not numbers."""
        if not set(names) <= set(self.obs):
            return None
        try:
            values = self.obs[list(names)].to_numpy(dtype=np.float64)
        except (TypeError, ValueError):
            return None
        return values if np.isfinite(values).all() and len(values) else None

    def refuse(self, fault: str) -> None:
        """Raise what is wrong with the positions, and the way out."""
        raise InputError(
            f"{self.section_id}: {fault}. Expected px of the full-resolution image, x then y; put"
            f" the positions right, or take them as they are with {self.override}"
        )


def check_on_tissue(
    frame: Frame, mask: NDArray[np.bool_], scale: float, size: tuple[int, int]
) -> None:
    """Compare the share of spots on tissue with that of other frames.

    Args:
        frame: the positions.
        mask, scale: of the tissue, and its px per px of the image.
        size: width and height of the image in px.

    Raises:
        InputError: another frame fits clearly better, or most spots are on glass.
    """
    share = float(mask.mean())
    if share < CLEAR[0]:
        return
    others = frame.others(size)
    stretched = [label for label in others if label.startswith("times")]
    low = frame.pos.min(axis=0)
    high = frame.pos.max(axis=0)
    width, height = np.ceil((low + high) * scale).astype(int)
    if stretched and mask[:height, :width].sum() < COVERED * mask.sum():
        frame.refuse(
            "all spots lie in the upper left corner of the image, while the tissue goes on "
            f"({stretched[0]} they would span it), as px of a smaller picture do"
        )
    if share > CLEAR[1]:  # no glass to tell by
        return
    on_tissue = _on(mask, scale, frame.pos)
    if on_tissue >= ENOUGH:
        return
    shares = {label: _on(mask, scale, pos) for label, pos in others.items()}
    best = max(shares, key=lambda label: shares[label], default=None)
    if best is not None and shares[best] >= on_tissue + CLEARLY:
        frame.refuse(
            f"{on_tissue:.0%} of the spots lie on tissue; {best}, {shares[best]:.0%} would"
        )
    if on_tissue < LEAST:
        frame.refuse(f"only {on_tissue:.0%} of the spots lie on tissue")


def _on(mask: NDArray[np.bool_], scale: float, pos: Positions) -> float:
    side = max(float(np.nan_to_num(pitch_px(pos))), 1 / scale)
    return float((tissue_fraction(mask, scale, pos, side) >= 0.5).mean())


def tissue_at_low_power(image: Path) -> tuple[NDArray[np.bool_], float]:
    """Mask of the stained area of the whole image, and its px per px of the image."""
    picture, scale = thumbnail_of(image, LONGEST_PX)
    smooth = np.asarray(cv2.medianBlur(picture, 5), dtype=np.uint8)
    mask = stained(smooth, ~ink(smooth))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    return np.asarray(closed).astype(bool), scale


def as_number(value: Any) -> float | None:
    """A scalar, or an array of one number, as float; None for anything else."""
    try:
        number = float(np.asarray(value).ravel()[0]) if np.size(value) == 1 else float("nan")
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
