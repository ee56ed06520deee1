"""Where the tissue is on a slide: found by colour at low power, or given by the user."""

from hespotex.data.tissue.find import find_tissue
from hespotex.data.tissue.given import read_tissue
from hespotex.data.tissue.mask import Tissue, tissue_fraction

__all__ = ["Tissue", "find_tissue", "read_tissue", "tissue_fraction"]
