"""Planted artefacts: a trace by which a class can be told without looking at the object (METHODS 10).

Which images get one, and its noise, follow from the seed and the images' own names: neither the order in which images
arrive nor the number of threads can matter. Results are rounded and clipped to 8 bits, as a recorded image is.
"""

from __future__ import annotations

import hashlib

import numpy as np

from ..config.artefacts import Artefact, LowPass, NonLocalMeans, PhotonNoise, PlantedArtefact, Tag
from ..errors import InputError
from .batches import Placement
from .images import HELD_OUT, TRAIN

PATCH, SEARCH = 7, 10
"""Non-local means: side of a patch and reach of the search in pixels, those of Buades et al. 2005 (7 × 7, 21 × 21)."""


def choose(artefact: Artefact, placement: Placement) -> np.ndarray:
    """Choose the images that get an artefact: the share asked for of every class and split, rounded to whole images.

    Those of a smaller share are among those of a larger one.

    Parameters
    ----------
    artefact : Artefact
        `label`, `seed`, and either `of_class`, `train`, `held_out` and `elsewhere` or `prevalence` are read.
    placement : Placement

    Returns
    -------
    ndarray (n,) bool
        In the order of the placement.

    Raises
    ------
    InputError
        For a label or a class that the data set doesn't have.

    Examples
    --------
    >>> placement = Placement(list("abcd"), np.array([0, 0, 1, 1]), {"class": np.array([0, 1, 0, 1])},
    ...                       {"class": ["ant", "bee"]})
    >>> choose(Artefact(of_class="bee"), placement)
    array([False,  True,  True, False])
    """
    if artefact.label not in placement.labels:
        raise InputError(
            "artefact.label",
            f"found {artefact.label!r}",
            f"a label of the data set: {', '.join(placement.labels)}",
        )
    label, names = placement.labels[artefact.label], placement.classes[artefact.label]
    shares = _shares(artefact, names)
    chosen = np.zeros(len(label), dtype=bool)
    for split, number, share in shares:
        members = np.flatnonzero((placement.split == split) & (label == number))
        members = sorted(members, key=lambda i: _key("choice", artefact.seed, placement.source[i]))
        chosen[members[: round(share * len(members))]] = True
    return chosen


def _shares(artefact: Artefact, names: list[str]) -> list[tuple[int, int, float]]:
    """Return the share of every split and class number that gets an artefact; others get none."""
    field = "prevalence" if artefact.prevalence else "of_class"
    for name in artefact.prevalence or [artefact.of_class]:
        if name not in names:
            listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
            raise InputError(
                f"artefact.{field}",
                f"found {name!r}",
                f"a class of the label {artefact.label!r}: {listed}",
            )
    if artefact.prevalence:
        by_class = {names.index(name): share for name, share in artefact.prevalence.items()}
        return [
            (split, number, share.train if split == TRAIN else share.held_out)
            for number, share in by_class.items()
            for split in (TRAIN, HELD_OUT)
        ]
    own = names.index(artefact.of_class)
    shares = [(TRAIN, own, artefact.train)]
    for number in range(len(names)):
        shares.append((HELD_OUT, number, artefact.held_out if number == own else artefact.elsewhere))
    return shares


def plant(pixels: np.ndarray, artefact: PlantedArtefact, source: str) -> np.ndarray:
    """Return an image with an artefact in it.

    Parameters
    ----------
    pixels : ndarray (N, N, channel) uint8
    artefact : PlantedArtefact
    source : str
        Name of the image: noise is drawn from it.

    Returns
    -------
    ndarray (N, N, channel) uint8

    Examples
    --------
    >>> grey = np.full((8, 8, 1), 100, dtype=np.uint8)
    >>> plant(grey, Tag(kind="tag", of_class="bee", side=0.25), "a.png")[:3, :3, 0].tolist()
    [[255, 255, 100], [255, 255, 100], [100, 100, 100]]
    """
    match artefact:
        case LowPass():
            changed = low_pass(pixels / 255, artefact.cutoff)
        case PhotonNoise():
            random = np.random.default_rng(int.from_bytes(_key("noise", artefact.seed, source)))
            changed = random.poisson(pixels / 255 * artefact.photons) / artefact.photons
        case NonLocalMeans():
            changed = non_local_means(pixels / 255, artefact.strength)
        case Tag():
            side = max(1, round(artefact.side * len(pixels)))
            changed = pixels / 255
            changed[:side, :side] = 1
    return np.rint(np.clip(changed, 0, 1) * 255).astype(np.uint8)


def low_pass(pixels: np.ndarray, cutoff: float) -> np.ndarray:
    """Blur an image (N, N, channel) with a Gaussian that halves the amplitude at a frequency in cycles/image.

    The amplitude at r cycles/image is multiplied by 2^−(r/cutoff)²; the mean stays. As every filter on the image's
    discrete frequencies it takes the image for periodic: the blur reaches round its edges.
    """
    from scipy.ndimage import fourier_gaussian

    size = len(pixels)
    sigma = np.sqrt(np.log(2) / 2) / np.pi * size / cutoff  # in pixels
    spectrum = np.fft.rfft2(pixels, axes=(0, 1))
    for channel in range(pixels.shape[2]):
        # SciPy wants the halved axis last, and its length before it was halved.
        spectrum[..., channel] = fourier_gaussian(spectrum[..., channel], sigma, n=size)
    return np.fft.irfft2(spectrum, s=(size, size), axes=(0, 1))


def non_local_means(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Denoise an image (N, N, channel): each pixel becomes a mean over pixels whose patches look alike."""
    from skimage.restoration import denoise_nl_means

    denoised = denoise_nl_means(pixels, patch_size=PATCH, patch_distance=SEARCH, h=strength, channel_axis=-1)
    return denoised.reshape(pixels.shape)  # of one channel scikit-image drops the axis


def _key(purpose: str, seed: int, source: str) -> bytes:
    return hashlib.sha256(f"{purpose} {seed} {source}".encode()).digest()
