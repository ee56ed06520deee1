"""What lies on disk, as sections: counts, spots, pixel size, image."""
