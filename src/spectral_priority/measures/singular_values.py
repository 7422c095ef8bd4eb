"""What a spectrum of singular values says: ranks, each 0 for a matrix of zeros (METHODS 6). NumPy, float64.

All functions take singular values (…, rank) in descending order; zeros at the end, as of a matrix padded by rows or
columns of zeros, change nothing.
"""

from __future__ import annotations

import numpy as np

MOST = 0.9
"""Part of the sum of singular values that `number_of_most` speaks of."""


def entropy(values: np.ndarray) -> np.ndarray:
    """Return the entropy −Σ p log p of p_i = σ_i ÷ Σσ, in nats; a value of zero adds nothing.

    >>> round(float(entropy(np.array([2.0, 2.0, 0.0]))), 6)
    0.693147
    """
    shares = _divided(values, values.sum(axis=-1, keepdims=True))
    return -(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares))).sum(axis=-1)


def effective_rank(values: np.ndarray) -> np.ndarray:
    """Return exp(−Σ p log p): the number of equal singular values that would have this entropy.

    >>> round(float(effective_rank(np.array([3.0, 3.0, 3.0, 0.0]))), 9), float(effective_rank(np.zeros(4)))
    (3.0, 0.0)
    """
    return np.where(values[..., 0] > 0, np.exp(entropy(values)), 0.0)


def effective_rank_slope(values: np.ndarray, rounding: float) -> np.ndarray:
    """Return ∂ effective rank ÷ ∂σ (…, rank): −exp(H)·(log p + H) ÷ Σσ.

    0 for singular values below σ₁·`rounding`, of which only the rounding error is known.

    >>> effective_rank_slope(np.array([2.0, 2.0, 0.0]), 1e-6).round(6).tolist()
    [-0.0, -0.0, 0.0]
    """
    total = values.sum(axis=-1, keepdims=True)
    used = values > rounding * values[..., :1]
    logarithm = np.log(_divided(values, total), where=used, out=np.zeros_like(values))
    of_entropy = entropy(values)[..., None]
    return np.where(used, -_divided(np.exp(of_entropy) * (logarithm + of_entropy), total), 0.0)


def stable_rank(values: np.ndarray) -> np.ndarray:
    """Return Σσ² ÷ σ₁².

    >>> float(stable_rank(np.array([2.0, 1.0, 1.0])))
    1.5
    """
    return (_divided(values, values[..., :1]) ** 2).sum(axis=-1)


def number_of_most(values: np.ndarray) -> np.ndarray:
    """Return how many of the largest singular values it takes to hold more than 90 % of their sum.

    >>> int(number_of_most(np.array([8.0, 1.0, 0.9, 0.1])))
    3
    """
    reached = np.cumsum(_divided(values, values.sum(axis=-1, keepdims=True)), axis=-1)
    return np.where(values[..., 0] > 0, (reached <= MOST).sum(axis=-1) + 1, 0)


def _divided(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return values / np.where(by > 0, by, 1.0)
