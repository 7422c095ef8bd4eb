"""The reference space: one fixed set of principal components, of pixels or of a network's features, for all tiers.

METHODS 7. reference.h5 holds the place of every image in it: no later program needs pixels or the network for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import InputError
from ..store.netcdf import read_dataset
from .images import PackedImages

KIND = "reference"
CHUNK_BYTES = 64 << 20
"""Memory for one chunk of images in float64."""
EXACT = 4096
"""Most features for which the covariance matrix is formed; beyond it the components are found iteratively."""


def fit_reference(
    images: np.ndarray, components: int, seed: int = 0, index: np.ndarray | None = None
) -> xr.Dataset:
    """Fit principal components, unwhitened, to images.

    Parameters
    ----------
    images : ndarray (n, y, x, channel) uint8, or (n, feature) float
        At least two images: pixels, taken as points of [0, 1]^(y·x·channel), or a network's features.
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
    index = np.arange(len(images)) if index is None else index
    number, features = len(index), int(np.prod(images.shape[1:]))
    if number < 2:
        raise ValueError(f"principal components need at least two images; found {number}")
    mean = sum(chunk.sum(axis=0) for chunk in _chunks(images, index)) / number
    wanted = min(components, features, number - 1)
    if features <= EXACT:
        values, vectors = _exact(images, index, mean, wanted)
    else:
        values, vectors = _iterative(images, index, mean, wanted, seed)
    total = sum(((chunk - mean) ** 2).sum() for chunk in _chunks(images, index)) / (number - 1)
    kept = values > max(1e-10 * total, 1e-12)  # rounding; one grey level in one of 20,000 images makes 1e-9
    if not kept.any():
        raise InputError("the reference space", "all its images are the same", "images that differ")
    vectors, values = vectors[:, kept], values[kept]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    vectors = vectors * np.sign(largest)
    return xr.Dataset(
        {
            "mean": ("feature", mean, {"units": "1", "long_name": "mean of the images"}),
            "components": (
                ("component", "feature"),
                np.ascontiguousarray(vectors.T),
                {"units": "1", "long_name": "principal components, orthonormal rows"},
            ),
            "explained": ("component", values, {"units": "1", "long_name": "variance along each component"}),
        },
        attrs={"images": number, "total_variance": float(total)},
    )


def project(images: np.ndarray, reference: xr.Dataset) -> np.ndarray:
    """Return images as points of the reference space.

    Parameters
    ----------
    images : ndarray (n, y, x, channel) uint8, or (n, feature) float
        Pixels of the size, or features of the network, that the reference was fitted on.
    reference : xarray.Dataset
        As `fit_reference` or `load_reference` returns it.

    Returns
    -------
    ndarray (n, component) float64

    Raises
    ------
    InputError
        For images of another size, or features of another network.
    """
    mean, components = reference["mean"].values, reference["components"].values
    features = int(np.prod(images.shape[1:]))
    if features != len(mean):
        raise InputError(
            "the reference space",
            f"was made for images of {len(mean)} numbers; these have {features}",
            "images of one data set at one size",
        )
    points = [(chunk - mean) @ components.T for chunk in _chunks(images, np.arange(len(images)))]
    return np.concatenate(points) if points else np.empty((0, len(components)))


def with_points(reference: xr.Dataset, blocks: Iterable[np.ndarray], space: str, unit: str) -> xr.Dataset:
    """Add the place of every image of the data set to a reference space.

    Parameters
    ----------
    reference : xarray.Dataset
        As `fit_reference` returns it.
    blocks : iterable of ndarray
        All images in their order, as `project` takes them.
    space : str
        What the images are points of, such as `pixels`.
    unit : str
        Of a distance in it, such as `L2 of pixels`.

    Returns
    -------
    xarray.Dataset
        With `points` (sample, component) float32, and `space` and `unit` as attributes.
    """
    points = np.concatenate([project(block, reference).astype(np.float32) for block in blocks])
    attributes = {"units": unit, "long_name": "images in the reference space"}
    made = reference.assign(points=(("sample", "component"), points, attributes))
    return made.assign_attrs(space=space, unit=unit)


def load_reference(path: str | Path, images: PackedImages) -> xr.Dataset:
    """Read reference.h5 of packed images.

    Raises
    ------
    InputError
        For a damaged file, and for that of other images.
    """
    reference = read_dataset(path, KIND)
    if reference.sizes["sample"] != len(images):
        raise InputError(
            path,
            f"has the places of {reference.sizes['sample']:,} images",
            f"those of the {len(images):,} in {images.path}",
            "make it again: delete it, and start the study again",
        )
    return reference


def _chunks(images: np.ndarray, index: np.ndarray):
    """Yield images in float64, one row each: pixels in [0, 1], features as they are."""
    step = max(1, CHUNK_BYTES // (8 * int(np.prod(images.shape[1:]))))
    most = 255.0 if images.dtype == np.uint8 else 1.0
    for start in range(0, len(index), step):
        chunk = images[index[start : start + step]]
        yield chunk.reshape(len(chunk), -1).astype(np.float64) / most


def _exact(
    images: np.ndarray, index: np.ndarray, mean: np.ndarray, wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.linalg import eigh

    covariance = np.zeros((len(mean), len(mean)))
    for chunk in _chunks(images, index):
        centred = chunk - mean
        covariance += centred.T @ centred  # one array with itself: NumPy does half the work
    covariance /= len(index) - 1
    last = len(covariance) - 1
    values, vectors = eigh(covariance, subset_by_index=(last - wanted + 1, last))
    return values[::-1], vectors[:, ::-1]


def _iterative(
    images: np.ndarray, index: np.ndarray, mean: np.ndarray, wanted: int, seed: int, most: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Find the leading subspace by iteration (Halko, Martinsson & Tropp 2011), twice as wide as needed."""
    width = min(2 * wanted + 10, len(mean), len(index) - 1)
    basis = np.random.default_rng(seed).standard_normal((len(mean), width))
    previous = np.zeros(width)
    for _ in range(most):
        basis, _ = np.linalg.qr(basis)
        product = np.zeros_like(basis)
        for chunk in _chunks(images, index):
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
