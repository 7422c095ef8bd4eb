"""The `gradient` measure over its floor, and its spectral step against other ways to the same ring sums.

The floor is one forward and one backward pass to the pixels for every batch. The spectral step is what `Spectra.add`
does with a batch of gradients: transform, power, sums over rings, with the sums that errors need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
from interleaved import Turn, compared, row, seconds, take_turns
from results import print_rows
from torch import nn

from spectral_priority import fourier
from spectral_priority.config.measures import Gradient
from spectral_priority.config.recipe import Recipe
from spectral_priority.measures.draws import GROUPS
from spectral_priority.measures.gradient import gradient_spectrum
from spectral_priority.measures.measured_model import full_precision
from spectral_priority.measures.spectra import Spectra
from spectral_priority.models import build_model
from spectral_priority.training.batches import as_pixels

TITLE = "The gradient measure over its forward and backward pass, and its spectral step"

CLASSES = 10
MODELS = (
    ("small_cnn, 32 px", Recipe(), 32, 1024),
    ("resnet18 with CIFAR stem, 32 px", Recipe(model="resnet18", stem="cifar"), 32, 256),
    ("resnet18, 224 px", Recipe(model="resnet18"), 224, 32),
)
"""Name, recipe, side, images."""
OURS = "spectral step, ours"


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: fewer turns, the smallest model, fewer images at 224 pixels."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    turns = 3 if quick else 9
    rows = []
    for name, recipe, size, number in MODELS[:1] if quick else MODELS:
        rows += _over_floor(name, recipe, size, number, device, turns)
    for size, number in ((32, 512 if quick else 4096), (224, 16 if quick else 64)):
        rows += _spectral_step(size, number, device, turns)
    return rows


def _over_floor(
    name: str, recipe: Recipe, size: int, number: int, device: torch.device, turns: int
) -> list[dict]:
    """Time the measure, and the same passes alone on pixels that lie ready."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (number, size, size, 3), dtype=np.uint8)
    labels = random.integers(0, CLASSES, number)
    model = build_model(recipe, CLASSES, 3, size).to(device).eval()
    batch = Gradient().batch_size
    ready = [
        (as_pixels(torch.from_numpy(images[part]).to(device)), torch.from_numpy(labels[part]).to(device))
        for part in (slice(start, start + batch) for start in range(0, number, batch))
    ]

    def floor() -> None:
        model.requires_grad_(False)
        with full_precision():
            for pixels, of_batch in ready:
                pixels.requires_grad_(True)
                loss = nn.functional.cross_entropy(model(pixels), of_batch, reduction="sum")
                torch.autograd.grad(loss, pixels)
        model.requires_grad_(True)

    times = take_turns({"floor": floor, "measure": lambda: gradient_spectrum(model, images, labels)}, turns)
    rate = number / seconds(times["measure"])
    more = compared(times["measure"], times["floor"], "forward and backward pass")
    return [row(f"gradient measure, {name}", rate, "images/s", **more)]


def _spectral_step(size: int, number: int, device: torch.device, turns: int) -> list[dict]:
    """Time ways from batches of gradients to the ring sums of each image; the slowest one takes a sixteenth of them."""
    gradient = torch.randn(number, 3, size, size, device=device)
    zeros = torch.zeros(number, dtype=torch.int64, device=device)
    log_factor, group = zeros.double(), torch.arange(number, device=device) % GROUPS
    host, few = gradient.cpu().numpy(), number // 16
    batches = [
        slice(start, start + Gradient().batch_size) for start in range(0, number, Gradient().batch_size)
    ]

    def ours() -> None:
        spectra = Spectra(number, size, "keep", corners=False, of_mean=False, classes=0)
        for batch in batches:
            spectra.add(gradient[batch], log_factor[batch], group[batch], zeros[batch])

    def bare() -> None:
        for batch in batches:  # its result is dropped, as ours drops spectra
            torch.fft.rfft2(gradient[batch])

    cases: dict[str, tuple[Callable[[], object], int]] = {
        OURS: (ours, number),
        "bare batched rfft2 of torch, float32": (bare, number),
        "vectorised NumPy, float32: rfft2 and bincount": (
            lambda: [vectorised(host[batch]) for batch in batches],
            number,
        ),
        "NumPy image by image, as released programs: fft2 and azimuthal mean": (
            lambda: image_by_image(host[:few]),
            few,
        ),
    }
    turned = take_turns({name: case for name, (case, _) in cases.items()}, turns)
    times = {
        name: [Turn(turn.wall / images, turn.processor / images) for turn in turned[name]]
        for name, (_, images) in cases.items()
    }
    return [
        row(
            f"{size} px: {name}",
            1 / seconds(of_case),
            "images/s",
            **(compared(of_case, times[OURS], "time of ours") if name != OURS else {}),
        )
        for name, of_case in times.items()
    ]


def image_by_image(gradients: np.ndarray) -> np.ndarray:
    """Return ring means as released programs compute them: each channel of each image for itself, in float64.

    Its whole plane is transformed and shifted; `azimuthal_mean` finds the rings anew every time.
    """
    return np.array(
        [
            sum(
                azimuthal_mean(np.abs(np.fft.fftshift(np.fft.fft2(channel, norm="ortho"))) ** 2)
                for channel in image
            )
            for image in gradients.astype(np.float64)
        ]
    )


def azimuthal_mean(plane: np.ndarray) -> np.ndarray:
    """Return the mean of a plane over whole-numbered radii about its centre, summed along sorted radii."""
    y, x = np.indices(plane.shape)
    radius = np.hypot(x - plane.shape[1] // 2, y - plane.shape[0] // 2).ravel()
    order = np.argsort(radius)
    ring = np.rint(radius[order]).astype(int)
    last = np.append(np.flatnonzero(np.diff(ring)), len(ring) - 1)
    sums = np.cumsum(plane.ravel()[order])[last]
    return np.diff(sums, prepend=0.0) / np.diff(last, prepend=-1)


def vectorised(gradients: np.ndarray) -> np.ndarray:
    """Return ring sums of all images at once, in float32, on the half plane."""
    number, _, size, _ = gradients.shape
    spectrum = np.fft.rfft2(gradients, norm="ortho")
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1) * fourier.hermitian_weights(size).astype(
        np.float32
    )
    ring = fourier.ring_of(size)
    rings = int(ring.max()) + 1
    place = ring.ravel() + rings * np.arange(number)[:, None]
    return np.bincount(place.ravel(), weights=power.ravel(), minlength=rings * number).reshape(number, rings)


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
