"""What the page says below figures that only some studies have, or that stand behind the first ones."""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Study
from ..figures import figures_of

CAPTIONS = {
    "matched-loss": (
        "The study’s scalar by level, at the last checkpoint, over training, and where runs have reached the same "
        "loss: mean over draws, ±1 standard error."
    ),
    "ring-order": (
        "Optimiser step at which each ring’s share of gradient power is halfway through its change, by level. Positive "
        "ρ: low rings change first. No interval on points."
    ),
    "band-accuracy": (
        "Accuracy over training on whole probe images and without their low, mid or high frequencies, a panel per "
        "level: mean over draws, ±1 standard error."
    ),
    "paths": (
        "Response frequency (cycles/path) of the outputs between two images: spectra within and between classes, and "
        "the difference of their centroids over training, ±1 standard error."
    ),
    "singular-values": (
        "Leading singular values of layers over training, and their effective rank by level: mean over draws, ±1 "
        "standard error."
    ),
    "similarity": (
        "Similarity of the data set’s classes in clustered order, with the classes of each tier. No interval."
    ),
    "data-psd": (
        "Mean power per frequency of the training images by class (cycles/image), with 95 % intervals over images."
    ),
    "shortcut-gallery": "Dominant frequencies of each class in one run, and images of which only these are kept.",
}
"""Figure → what it shows: units, n, kind of interval."""


def further(study: Study) -> Iterator[tuple[str, str]]:
    """Yield those figures that a study has, with their captions."""
    own = figures_of(study)
    return ((name, caption) for name, caption in CAPTIONS.items() if name in own)
