"""Xenium bundles, as Xenium Onboard Analysis writes them."""
