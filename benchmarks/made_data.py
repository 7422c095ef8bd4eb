"""The images of the benchmarks: the built-in set, packed as the pack rule does it, and the same images as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spectral_priority.config import load_study
from spectral_priority.config.datasets import Dataset
from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import HELD_OUT, TRAIN, PackedImages
from spectral_priority.data.manifest import read_manifest, write_manifest
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.measures.probe import Probe
from spectral_priority.training.task import Task

LABEL = "shape"
"""Four classes."""
JPEG_QUALITY = 90
CLASSES = list("abcd")
"""Of made probes."""


def demo_options() -> dict[str, Any]:
    """Return the options of the demo's recipe."""
    study = load_study(Path(__file__).parents[1] / "config" / "config.yaml")
    return study.recipes["base"].model_dump(mode="json", exclude_unset=True)


def made_probe(number: int, size: int, channels: int) -> Probe:
    """Return a probe of random images of four classes by turns, for times that depend on no content."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (number, size, size, channels), dtype=np.uint8)
    return Probe(images, np.arange(number) % len(CLASSES), np.arange(number), CLASSES, images[:0])


def pack_images(folder: Path, size: int, color: str, train: int, held_out: int = 512) -> PackedImages:
    """Pack built-in images into a folder, as images.h5."""
    source = {"kind": "shapes-textures", "train": train, "held_out": held_out}
    options = Dataset.model_validate({"size": size, "color": color, "source": source})
    pack(open_source(options, folder, threads=1), "made", options, folder / "images.h5", provenance={})
    return PackedImages(folder / "images.h5")


def make_task(images: PackedImages, recipe: Recipe) -> Task:
    """Return the training of all training images of a pack; half of the others are its validation images."""
    label, classes = images.labels(LABEL).astype(np.int64), images.classes[LABEL]
    held_out = np.flatnonzero(images.split == HELD_OUT)
    validation, probe = np.array_split(held_out, 2)
    index = {"train": np.flatnonzero(images.split == TRAIN), "validation": validation, "probe": probe}
    manifest, indices = images.path.with_name("tier.json"), images.path.with_name("tier.npz")
    facts = {
        "tier": "made",
        "seed": 0,
        "number_of_classes": len(classes),
        "classes": [{"name": name, "title": "", "members": [name]} for name in classes],
        "data_sha256": images.content_sha256,
    }
    write_manifest(manifest, indices, facts, index, {part: label[where] for part, where in index.items()})
    return Task(images, read_manifest(manifest, indices), "made", recipe, seed=0)


def write_jpegs(images: PackedImages, folder: Path) -> None:
    """Write the training images of a pack as JPEG files, in a folder for each class."""
    classes, label = images.classes[LABEL], images.labels(LABEL)
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in np.flatnonzero(images.split == TRAIN):
        (pixels,) = images.read(np.array([number]))
        image = Image.fromarray(pixels.squeeze())
        image.save(folder / classes[label[number]] / f"{number:06d}.jpg", quality=JPEG_QUALITY)
