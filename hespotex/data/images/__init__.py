"""Images read by region: `open_image(path)` gives a `RegionReader` whatever the format."""

from hespotex.data.images.region import RegionReader, open_image

__all__ = ["RegionReader", "open_image"]
