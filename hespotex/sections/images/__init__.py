"""Images read by region: `open_image(path)` gives a `RegionReader` whatever the format."""

from hespotex.sections.images.region import RegionReader, image_facts, open_image

__all__ = ["RegionReader", "image_facts", "open_image"]
