"""Inputs beside the image embedding, each put on one scale within a section."""

import torch
from torch import Tensor


def standardised(values: Tensor) -> Tensor:
    """Columns with mean 0 and standard deviation 1 over a section; 0 where all are equal.  (n, d) -> (n, d)"""
    return (values - values.mean(0)) / values.std(0, correction=0).clamp(min=1e-6)


def standardised_log(counts: Tensor) -> Tensor:
    """log(1 + count), standardised.  (n, 1) -> (n, 1)"""
    return standardised(torch.log1p(counts))


def position_terms(pos: Tensor, degree: int) -> Tensor:
    """x^a y^b for 1 <= a + b <= degree, with x and y standardised, and then each term.  (n, 2) -> (n, n_terms)"""
    x, y = standardised(pos).unbind(1)
    return standardised(torch.stack([x**a * y**b for a, b in exponents(degree)], dim=1))


def exponents(degree: int) -> list[tuple[int, int]]:
    """Of the terms of a polynomial in x and y, less the constant."""
    return [(total - b, b) for total in range(1, degree + 1) for b in range(total + 1)]
