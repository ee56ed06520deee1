"""Programmes of predicted genes, and the image in words where they are high."""
