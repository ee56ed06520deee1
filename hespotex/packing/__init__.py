"""Bundles: a cross-validated model as one folder to share."""
