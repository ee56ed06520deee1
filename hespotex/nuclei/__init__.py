"""Nuclei of a section: a table of centroids from one of several sources, and how many lie around
each spot.
"""

from hespotex.nuclei.count import NucleiPerSpot
from hespotex.nuclei.table import NucleiSource, NucleiTable, nuclei_table

__all__ = ["NucleiPerSpot", "NucleiSource", "NucleiTable", "nuclei_table"]
