"""A few directions of gene space along which the errors are looked at."""

import numpy as np

from hespotex.kriging.field import Array

TINY = 1e-9  # share of the strongest direction below which one is no direction


def programmes(predicted: Array, residual: Array, n_image: int, n_error: int) -> Array:
    """Orthonormal directions (k, n_genes): those in which the image's prediction varies most, and
    after them those in which the measured errors are largest.

    Args:
        predicted: by the image, (n_spots, n_genes).
        residual: measured less predicted, (m, n_genes), of the measured spots.
        n_image, n_error: how many of each, at most; errors of m spots have m directions.
    """
    of_image = directions(predicted - predicted.mean(axis=0), n_image)
    rest = residual - residual @ of_image.T @ of_image
    return np.concatenate([of_image, directions(rest, n_error)])


def directions(table: Array, most: int) -> Array:
    """The strongest right singular vectors of a table (n, n_genes), (k, n_genes) with k <= most."""
    if not most or not len(table):
        return np.empty((0, table.shape[1]))
    n, n_genes = table.shape
    inner = table @ table.T if n < n_genes else table.T @ table
    values, vectors = np.linalg.eigh(inner)
    strongest = [
        i for i in range(len(values))[::-1][:most] if values[i] > TINY * max(values[-1], TINY)
    ]
    axes = (vectors[:, strongest].T @ table) if n < n_genes else vectors[:, strongest].T
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)
