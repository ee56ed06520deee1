"""HEST-Benchmark as released (Jaume et al. 2024): how well does a linear map of an encoder's
patches tell expression.
"""
