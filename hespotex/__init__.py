"""HESpotEx: spot-level gene expression from H&E slides, with honest numbers."""

__version__ = "0.1.0"
