"""Patches to numbers, once for each image, and the store that keeps them."""
