"""Pixel size (mpp, um per px): where it comes from, and its check against the spot pitch."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.errors import InputError
from hespotex.common.shapes import PIXEL_SIZE

log = logging.getLogger(__name__)
TOLERANCE = 0.10
FARTHEST = 1e9  # px, or places along an array: what is beyond is no position
PITCH_TELLS = (
    ", or data.reader.pitch_um (um between neighbouring spots: 100 for Visium, 200 for legacy ST),"
    " which tells it"
)
PITCHES = (100, 200, 16, 8)  # um: Visium, legacy ST, Visium HD


def pitch_px(
    pos_px: NDArray[np.float64],
    array: NDArray[np.float64] | None = None,
    step: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Distance of neighbouring spots in px.

    Args:
        pos_px: spot centres (n_spots, 2).
        array: array coordinates (n_spots, 2), columns x then y, if known: the pitch is then read
          off the affine map from array to px, which neither gaps nor jitter disturb.
        step: array distance of two neighbours along x and y; 0 leaves an axis out (Visium: (2, 0)).

    Falls back to the median distance to the nearest spot. NaN for fewer than two spots; 0 if all
    are at one place.
    """
    if len(pos_px) < 2:
        return float("nan")
    within = array is not None and bool((np.abs(array) < FARTHEST).all())
    if (
        array is not None
        and within
        and len(pos_px) >= 6
        and np.linalg.matrix_rank(array - array.mean(0), tol=1e-6) == 2
    ):
        design = np.c_[array, np.ones(len(array))]
        affine = np.linalg.lstsq(design, pos_px, rcond=None)[0]
        lengths = np.linalg.norm(affine[:2], axis=1) * np.asarray(step)
        return float(lengths[np.asarray(step) > 0].mean())
    distance, _ = cKDTree(pos_px).query(pos_px, k=2)
    return float(np.median(distance[:, 1]))


def check_mpp(
    section_id: str, mpp: float, source: str, measured_pitch_px: float, pitch_um: float
) -> None:
    """Compare the pixel size with the ruler that every section carries: its spot pitch.

    Raises:
        InputError: more than 10 % off; the message names both numbers and the override. Or no pitch
          to measure.
    """
    if measured_pitch_px < 1e-6:
        raise InputError(f"{section_id}: all spots are at one place: the spot positions are broken")
    found_um = measured_pitch_px * mpp
    if np.isfinite(found_um) and abs(found_um / pitch_um - 1) > TOLERANCE:
        raise InputError(
            f"{section_id}: at {mpp:.4f} um/px ({source}) neighbouring spots are {found_um:.1f} um"
            f" apart, expected {pitch_um:.0f} um. If the pitch is right, the pixel size is"
            f" {pitch_um / measured_pitch_px:.4f} um/px: set"
            f" data.reader.mpp={pitch_um / measured_pitch_px:.4f}, and make sure that the image is"
            f" the full-resolution one{_other_pitch(found_um, source)}"
        )


def _other_pitch(found_um: float, source: str) -> str:
    """What to do where the pixel size is right and the pitch is not, for arrays that are common."""
    near = [pitch for pitch in PITCHES if abs(found_um / pitch - 1) < TOLERANCE / 2]
    condition = f"If the pixel size ({source}) is right"
    return (
        f". {condition}, set data.reader.pitch_um={near[0]} where the reader has it" if near else ""
    )


def choose_mpp(
    section_id: str,
    choices: Sequence[tuple[float | None, str]],
    measured_pitch_px: float,
    pitch_um: float | None,
) -> tuple[float, str]:
    """The first pixel size (um per px) that is known, else the one that the pitch tells; and where
    it is from.

    It is checked against the pitch wherever `pitch_um` is known.

    Raises:
        InputError: nothing tells the pixel size, or it disagrees with the pitch.
    """
    candidates = [(mpp, source) for mpp, source in choices if mpp]
    if not candidates and pitch_um and measured_pitch_px > 1e-6:
        candidates = [(pitch_um / measured_pitch_px, f"spot pitch of {pitch_um:g} um")]
    if not candidates:
        raise InputError(
            f"{section_id}: no pixel size: neither {' nor '.join(source for _, source in choices)}"
            " tell it, and there is no known spot pitch to read it off; set data.reader.mpp (um"
            f" per px){'' if pitch_um else PITCH_TELLS}"
        )
    mpp, source = candidates[0]
    if pitch_um:
        check_mpp(section_id, mpp, source, measured_pitch_px, pitch_um)
    else:
        log.info(
            "%s: %.4f um/px (%s) is not checked, as data.reader.pitch_um is not set",
            section_id,
            mpp,
            source,
        )
    return float(mpp), source


def believable(mpp: float | None) -> bool:
    """Whether a pixel size read from a file can be one at all."""
    return mpp is not None and PIXEL_SIZE.holds(float(mpp))
