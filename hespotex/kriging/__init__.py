"""Gaussian processes on what an image model gets wrong, from spots of the slide that were
measured.
"""

from hespotex.kriging.krige import Kriged, Kriging, learn
from hespotex.kriging.prior import Prior
from hespotex.kriging.settings import Settings
from hespotex.kriging.spots import MeasuredSpots

__all__ = ["Kriged", "Kriging", "MeasuredSpots", "Prior", "Settings", "learn"]
