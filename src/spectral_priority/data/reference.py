"""The reference space: one fixed set of principal components of the pixels, shared by all tiers (METHODS 7)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import InputError
from ..store.netcdf import read_dataset

KIND = "reference"
CHUNK_BYTES = 64 << 20
"""Memory for the float64 pixels of one chunk."""
EXACT = 4096
"""Most features for which the covariance matrix is formed; beyond it the components are found iteratively."""


def fit_reference(
    pixels: np.ndarray, components: int, seed: int = 0, index: np.ndarray | None = None
) -> xr.Dataset:
    """Fit principal components, unwhitened, to images.

    Parameters
    ----------
    pixels : ndarray (n, y, x, channel) uint8
        At least two images; they are taken as points of [0, 1]^(y·x·channel).
    components : int
        Number of components; fewer are stored where the images don't span as many.
    seed : int
        Seed of the start of the iteration that is used beyond 4,096 features.
    index : ndarray, optional
        The images to take; all by default. They are gone through several times, in chunks.

    Returns
    -------
    xarray.Dataset
        `mean` (feature), `components` (component, feature) with orthonormal rows whose largest entry is positive, and
        `explained` (component), the variance along each.

    Raises
    ------
    ValueError
        For fewer than two images.
    InputError
        Where all images are the same.
    """
    index = np.arange(len(pixels)) if index is None else index
    number, features = len(index), int(np.prod(pixels.shape[1:]))
    if number < 2:
        raise ValueError(f"principal components need at least two images; found {number}")
    mean = sum(chunk.sum(axis=0) for chunk in _chunks(pixels, index)) / number
    wanted = min(components, features, number - 1)
    if features <= EXACT:
        values, vectors = _exact(pixels, index, mean, wanted)
    else:
        values, vectors = _iterative(pixels, index, mean, wanted, seed)
    total = sum(((chunk - mean) ** 2).sum() for chunk in _chunks(pixels, index)) / (number - 1)
    kept = values > max(1e-10 * total, 1e-12)  # rounding; one grey level in one of 20,000 images makes 1e-9
    if not kept.any():
        raise InputError("the reference space", "all its images are the same", "images that differ")
    vectors, values = vectors[:, kept], values[kept]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    vectors = vectors * np.sign(largest)
    return xr.Dataset(
        {
            "mean": ("feature", mean, {"units": "1", "long_name": "mean image, flattened (y, x, channel)"}),
            "components": (
                ("component", "feature"),
                np.ascontiguousarray(vectors.T),
                {"units": "1", "long_name": "principal components of the pixels, orthonormal rows"},
            ),
            "explained": ("component", values, {"units": "1", "long_name": "variance along each component"}),
        },
        attrs={
            "images": number,
            "total_variance": float(total),
            "pixels": "flattened (y, x, channel), in [0, 1]",
        },
    )


def project(pixels: np.ndarray, reference: xr.Dataset) -> np.ndarray:
    """Return images as points of the reference space.

    Parameters
    ----------
    pixels : ndarray (n, y, x, channel) uint8
        Images of the size that the reference was fitted on.
    reference : xarray.Dataset
        As `fit_reference` or `load_reference` returns it.

    Returns
    -------
    ndarray (n, component) float64

    Raises
    ------
    InputError
        For images of another size.
    """
    mean, components = reference["mean"].values, reference["components"].values
    features = int(np.prod(pixels.shape[1:]))
    if features != len(mean):
        raise InputError(
            "the reference space",
            f"was made for images of {len(mean)} numbers; these have {features}",
            "images of one data set at one size",
        )
    points = [(chunk - mean) @ components.T for chunk in _chunks(pixels, np.arange(len(pixels)))]
    return np.concatenate(points) if points else np.empty((0, len(components)))


def load_reference(path: str | Path) -> xr.Dataset:
    """Read reference.h5, as workflow/scripts/reference.py writes it."""
    return read_dataset(path, KIND)


def _chunks(pixels: np.ndarray, index: np.ndarray):
    step = max(1, CHUNK_BYTES // (8 * int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(index), step):
        chunk = pixels[index[start : start + step]]
        yield chunk.reshape(len(chunk), -1) / 255.0


def _exact(
    pixels: np.ndarray, index: np.ndarray, mean: np.ndarray, wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.linalg import eigh

    covariance = np.zeros((len(mean), len(mean)))
    for chunk in _chunks(pixels, index):
        centred = chunk - mean
        covariance += centred.T @ centred  # one array with itself: NumPy does half the work
    covariance /= len(index) - 1
    last = len(covariance) - 1
    values, vectors = eigh(covariance, subset_by_index=(last - wanted + 1, last))
    return values[::-1], vectors[:, ::-1]


def _iterative(
    pixels: np.ndarray, index: np.ndarray, mean: np.ndarray, wanted: int, seed: int, most: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Find the leading subspace by iteration (Halko, Martinsson & Tropp 2011), twice as wide as needed."""
    width = min(2 * wanted + 10, len(mean), len(index) - 1)
    basis = np.random.default_rng(seed).standard_normal((len(mean), width))
    previous = np.zeros(width)
    for _ in range(most):
        basis, _ = np.linalg.qr(basis)
        product = np.zeros_like(basis)
        for chunk in _chunks(pixels, index):
            centred = chunk - mean
            product += centred.T @ (centred @ basis)
        product /= len(index) - 1
        values, rotation = np.linalg.eigh(basis.T @ product)
        values, rotation = values[::-1], rotation[:, ::-1]
        vectors, basis = (basis @ rotation)[:, :wanted], product
        if np.allclose(values[:wanted], previous[:wanted], rtol=1e-6, atol=0):
            break
        previous = values
    return values[:wanted], vectors
