"""Gaussian processes on what an image model gets wrong, from spots of the slide that were
measured.
"""

from hespotex.kriging.krige import Kriged, Kriging
from hespotex.kriging.settings import Settings
from hespotex.kriging.spots import MeasuredSpots

__all__ = ["Kriged", "Kriging", "MeasuredSpots", "Settings"]
