"""Complexity of a task, one function per measure (METHODS 7). No trained model is involved.

Kernels take arrays: features are images in the one reference space, shares are radial shares of image power. Where a
measure does not exist for a task (no hierarchy, a single class, images that are all the same), its value is NaN, an
empty cell of complexity.csv, and the log says why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from . import fourier
from .data.manifest import Manifest
from .similarity import mean_between
from .similarity.points import LEAST_SHARE

if TYPE_CHECKING:
    import xarray as xr

BLOCK = 512
"""Images whose distances to all others are in memory at once."""

NAN = float("nan")


class Estimate(NamedTuple):
    """A value, its standard error over images (NaN where none is defined), and how many things it is a mean of."""

    value: float
    standard_error: float = NAN
    n: int = 0


class Meaning(NamedTuple):
    """Unit of a measure, and which direction means a harder task (empty: none is claimed)."""

    unit: str
    harder: str


MEASURES = {
    "classes": Meaning("classes", "higher"),
    "log2_classes": Meaning("doublings", "higher"),
    "label_entropy": Meaning("nats", "higher"),
    "hierarchy_similarity": Meaning("1", "higher"),
    "spectral_similarity": Meaning("1", "higher"),
    "fisher_ratio": Meaning("1", "lower"),
    "n3": Meaning("1", "higher"),
    "psd_slope": Meaning("1", ""),
    "psd_centroid": Meaning("cycles/image", ""),
    "class_mean_psd_centroid": Meaning("cycles/image", ""),
    "pinson_centroid": Meaning("cycles/image", ""),
}
"""Every measure, in the order of complexity.csv. The image PSD is a covariate, and the frequencies at which class means
differ say where a task may be solved, not how easily: no direction of these is harder."""


def classes(manifest: Manifest) -> Estimate:
    """Return the number of classes k. Harder when higher."""
    return Estimate(float(manifest.number_of_classes), n=manifest.number_of_classes)


def log2_classes(manifest: Manifest) -> Estimate:
    """Return log2 k: doublings of the number of classes. Harder when higher."""
    return Estimate(float(np.log2(manifest.number_of_classes)), n=manifest.number_of_classes)


def label_entropy(label: np.ndarray) -> Estimate:
    """Return the entropy of training labels, −Σ p log p, in nats. Harder when higher; log k for equal classes.

    >>> round(label_entropy(np.array([0, 0, 1, 1])).value, 4)
    0.6931
    """
    share = np.bincount(label) / len(label)
    share = share[share > 0]
    return Estimate(float(-(share * np.log(share)).sum()) + 0.0, n=len(label))


def class_similarity(name: str, similarity: np.ndarray, groups: Sequence[Sequence[int]]) -> Estimate:
    """Return the mean similarity over pairs of classes that the task tells apart. Harder when higher; unit 1.

    Parameters
    ----------
    name : str
        `hierarchy_similarity` (Wu and Palmer 1994) or `spectral_similarity`, for the log.
    similarity : ndarray (class, class)
        Of all classes of the label.
    groups : sequence of sequences of int
        The data set's classes behind each class of the task: one each, or several in a regrouped task, where pairs
        within a group don't count.
    """
    value, pairs = mean_between(similarity, groups)
    if np.isnan(value):
        logging.warning("%s: some classes of this tier have none; left empty", name)
    return Estimate(value, n=pairs)


def fisher_ratio(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the multi-class Fisher ratio of training images in the reference space. Harder when lower; unit 1.

    Σ_c n_c·‖μ_c − μ‖² ÷ Σ_c Σ_{i in c} ‖x_i − μ_c‖²: the traces of between- and within-class scatter. It is the
    ratio of Lorena et al. 2019 (measure F1) with sums over all directions of the space in place of the best single
    one, so it does not depend on how the axes lie. For two classes of equal size in one dimension it is half of
    Ho and Basu's (μ₁ − μ₂)² ÷ (σ₁² + σ₂²).

    Parameters
    ----------
    features : ndarray (image, component)
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        NaN for a single class, and where images of a class don't differ.

    Notes
    -----
    Ho and Basu 2002, "Complexity measures of supervised classification problems"; Lorena et al. 2019, "How complex is
    your classification problem?".

    Examples
    --------
    >>> fisher_ratio(np.array([[-3.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])).value
    4.0
    """
    counts = np.bincount(label)
    if (counts > 0).sum() < 2:
        logging.warning("fisher_ratio: there is a single class; left empty")
        return Estimate(NAN, n=len(label))
    features = features - features.mean(axis=0)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, label, features)
    means = sums / np.maximum(counts, 1)[:, None]
    between = float((counts[:, None] * means**2).sum())
    within = float(((features - means[label]) ** 2).sum())
    if within <= 1e-12 * between or within == 0:
        logging.warning("fisher_ratio: images of a class don't differ in the reference space; left empty")
        return Estimate(NAN, n=len(label))
    return Estimate(between / within, n=len(label))


def n3(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return N3: the share of images whose nearest other image has another label. Harder when higher; unit 1.

    The leave-one-out error of the nearest neighbour in the reference space, Euclidean; of equally near images the first
    one counts. Distances are made in blocks, so memory grows with the number of images, not with its square.

    Parameters
    ----------
    features : ndarray (image, component)
        A sample of the training images.
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        With the binomial standard error; NaN for a single class or image.

    Notes
    -----
    Ho and Basu 2002; Lorena et al. 2019 (see `fisher_ratio`).

    Examples
    --------
    >>> n3(np.array([[0.0], [1.0], [1.5], [9.0], [9.5]]), np.array([0, 0, 1, 1, 1])).value
    0.4
    """
    number = len(label)
    if len(np.unique(label)) < 2:
        logging.warning("n3: there is a single class among %d images; left empty", number)
        return Estimate(NAN, n=number)
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    half = (features**2).sum(axis=1) / 2
    wrong = 0
    for start in range(0, number, BLOCK):
        rows = np.arange(start, min(start + BLOCK, number))
        distance = half - features[rows] @ features.T  # (‖x − y‖² − ‖x‖²) ÷ 2, same order
        distance[rows - start, rows] = np.inf
        wrong += int((label[distance.argmin(axis=1)] != label[rows]).sum())
    error = wrong / number
    return Estimate(error, float(np.sqrt(error * (1 - error) / number)), number)


def psd_slope(shares: np.ndarray, size: int) -> Estimate:
    """Return the log-log slope of the images' mean density profile (METHODS 3, scalars); unit 1. White noise has 0.

    Least squares of log D on log r over all kept rings, D(r) = mean share ÷ ring size.

    Parameters
    ----------
    shares : ndarray (image, ring)
        Radial share of each image, summing to 1; rows of NaN (constant images) are left out.
    size : int
        Side of the images in pixels.

    Returns
    -------
    Estimate
        With the standard error over images by the delta method; NaN where a ring holds no power in any image.
    """
    shares = _known("psd_slope", shares)
    mean = shares.mean(axis=0) if len(shares) else np.zeros(shares.shape[1])
    if not (mean > LEAST_SHARE).all():
        logging.warning("psd_slope: a ring holds no power in any image; left empty")
        return Estimate(NAN, n=len(shares))
    slope, _ = fourier.log_log_slope(mean / fourier.ring_sizes(size))
    ring = np.log(np.arange(1, shares.shape[1] + 1))
    weight = (ring - ring.mean()) / ((ring - ring.mean()) ** 2).sum()
    return Estimate(slope, _standard_error(shares @ (weight / mean)), len(shares))


def psd_centroid(shares: np.ndarray) -> Estimate:
    """Return the centroid of the images' mean radial share, Σ r·S(r), in cycles/image (METHODS 3, scalars).

    Parameters
    ----------
    shares : ndarray (image, ring)
        Radial share of each image, summing to 1; rows of NaN (constant images) are left out.

    Examples
    --------
    >>> psd_centroid(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    Estimate(value=2.0, standard_error=1.0, n=2)
    """
    shares = _known("psd_centroid", shares)
    if not len(shares):
        return Estimate(NAN)
    each = fourier.centroid(shares)
    return Estimate(float(each.mean()), _standard_error(each), len(shares))


def spectrum_centroid(spectrum: xr.Dataset) -> Estimate:
    """Return the centroid of a spectrum of class means (`class_mean_psd`, `pinson`), in cycles/image.

    Returns
    -------
    Estimate
        With the jackknife's standard error over images; NaN where class means don't differ.
    """
    return Estimate(float(spectrum.centroid), float(spectrum.centroid_se), int(spectrum.images))


def table(manifest: Manifest, estimates: dict[str, Estimate]) -> pd.DataFrame:
    """Return complexity.csv of one tier: a row per measure, in their order."""
    tier = {key: manifest.facts[key] for key in ("tier", "family", "level", "draw")}
    return pd.DataFrame(
        [
            {**tier, "measure": name, **estimates[name]._asdict(), **meaning._asdict()}
            for name, meaning in MEASURES.items()
        ]
    )


def _known(measure: str, shares: np.ndarray) -> np.ndarray:
    known = np.isfinite(shares).all(axis=1)
    if not known.all():
        logging.warning("%s: %d constant images left out", measure, (~known).sum())
    return shares[known]


def _standard_error(each: np.ndarray) -> float:
    return float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else NAN
