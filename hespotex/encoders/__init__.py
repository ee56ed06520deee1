"""Frozen image encoders: a patch to an embedding."""
