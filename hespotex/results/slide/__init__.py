"""What a predicted slide is written as: tables, maps, QuPath objects, SpatialData, and a page to
look at.
"""
