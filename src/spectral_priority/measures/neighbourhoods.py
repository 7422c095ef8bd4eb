"""Which images are near which: distances, Gaussian filters over them, and positions on the first principal component.

They depend on the images alone, so a process that measures all checkpoints of a run makes them once: the last few are
remembered by the images' content.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from .measured_model import to_numpy

COLUMNS = 1 << 12
"""Pixels of every image that are multiplied at a time."""
REMEMBERED = 2
"""Neighbourhoods that are kept, the last used ones."""
_remembered: OrderedDict[tuple, Neighbourhood] = OrderedDict()


@dataclass(frozen=True)
class Neighbourhood:
    """Images as they lie to each other.

    Attributes
    ----------
    squared : Tensor (n, n) float64
        Squared L2 distances of pixels in [0, 1]; 0 on the diagonal.
    variances : ndarray (filter,)
        δ of each filter.
    weights : list of Tensor (n, n) float64
        Of each filter, exp(−squared/2δ): not divided by row sums.
    neighbours : ndarray (filter, n)
        Effective number of images that an image's filter averages, itself counted: (Σ_j w)² ÷ Σ_j w².
    position : Tensor (n,) float64
        Place of each image on the first principal component, from 0 to 1.
    explained : float
        Share of the images' variance on it.
    """

    squared: torch.Tensor
    variances: np.ndarray
    weights: list[torch.Tensor]
    neighbours: np.ndarray
    position: torch.Tensor
    explained: float


def neighbourhood(
    images: np.ndarray | torch.Tensor,
    index: np.ndarray,
    quantiles: tuple[float, ...],
    scale: float,
    device: torch.device,
) -> Neighbourhood:
    """Return the neighbourhood of the images at `index`, in that order; remembered by their content.

    Parameters
    ----------
    images : array or Tensor
        uint8 (…, N, N, channel), of which distances are exact, or floating-point (…, channel, N, N).
    index : ndarray (n,)
    quantiles : tuple of float
        Of the squared distances of all pairs.
    scale : float
        The filters' variances δ are so many times the quantiles.
    device : torch.device

    Raises
    ------
    InputError
        Where all images are the same.
    """
    digest = hashlib.sha256(str((images.dtype, *images.shape[1:])).encode())
    for place in index:
        digest.update(np.ascontiguousarray(to_numpy(images[int(place)])))
    key = digest.hexdigest(), tuple(quantiles), scale, str(device)
    if key not in _remembered:
        while len(_remembered) >= REMEMBERED:
            _remembered.popitem(last=False)
        _remembered[key] = _made(images, index, quantiles, scale, device)
    _remembered.move_to_end(key)
    return _remembered[key]


def squared_distances(
    images: np.ndarray | torch.Tensor, index: np.ndarray, device: torch.device
) -> torch.Tensor:
    """Return squared L2 distances (n, n) of images in pixels of [0, 1], float64; exact for uint8.

    Examples
    --------
    >>> images = np.zeros((2, 4, 4, 3), np.uint8)
    >>> images[1, 0, 0] = 255
    >>> squared_distances(images, np.arange(2), torch.device("cpu")).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    flat = images[index].reshape(len(index), -1)
    packed = to_numpy(flat[:1, :1]).dtype == np.uint8
    products = torch.zeros(len(index), len(index), dtype=torch.float64, device=device)
    for start in range(0, flat.shape[1], COLUMNS):
        part = torch.from_numpy(to_numpy(flat[:, start : start + COLUMNS])).to(device).double()
        if not packed:
            part = part - part.mean(dim=0)  # distances are small differences of squares
        products += part @ part.T
    norms = products.diagonal()
    squared = (norms[:, None] + norms[None, :] - 2 * products).clamp_(min=0)
    if packed:
        return squared / 255**2
    squared[squared <= 1e-12 * norms.max()] = 0  # rounding of equal images
    return squared


def gaussian(squared: torch.Tensor, variance: float) -> torch.Tensor:
    """Return exp(−squared/2δ); for δ = 0 its limit, which is 1 for equal images and 0 for others."""
    return torch.exp(squared / (-2 * variance)) if variance > 0 else (squared == 0).double()


def _made(
    images: np.ndarray | torch.Tensor,
    index: np.ndarray,
    quantiles: tuple[float, ...],
    scale: float,
    device: torch.device,
) -> Neighbourhood:
    squared = squared_distances(images, index, device)
    on_cpu = squared.cpu().numpy()
    pairs = on_cpu[np.triu_indices(len(on_cpu), 1)]
    if not pairs.any():
        raise InputError("images", f"found {len(index)}, all the same", "two images that differ, or more")
    variances = scale * np.quantile(pairs, quantiles)
    weights = [gaussian(squared, variance) for variance in variances]
    neighbours = [weight.sum(dim=1).square() / weight.square().sum(dim=1) for weight in weights]
    position, explained = _first_component(on_cpu)
    return Neighbourhood(
        squared,
        variances,
        weights,
        torch.stack(neighbours).cpu().numpy(),
        torch.from_numpy(position).to(device),
        explained,
    )


def _first_component(squared: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions on the first principal component, 0 … 1, from distances (classical scaling); variance explained."""
    from scipy.sparse.linalg import eigsh

    products = squared - squared.mean(axis=0)
    products = -(products - products.mean(axis=1, keepdims=True)) / 2
    start = products[np.argmax(products.diagonal())]  # of the largest image: not orthogonal to the component
    value, vector = (
        eigsh(products, k=1, which="LA", v0=start, tol=0) if len(squared) > 2 else _of_two(products)
    )
    position = vector[:, 0] - vector[:, 0].min()
    return position / position.max(), float(value[0] / products.trace())


def _of_two(products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(products)  # too small for Lanczos
    return values[-1:], vectors[:, -1:]
