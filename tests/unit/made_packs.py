"""Packs of made images: pixels, labels and facts of files as a test wants them."""

import numpy as np

from spectral_priority.config.datasets import Dataset
from spectral_priority.data.batches import Batch, Placement
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack


class Made:
    """A source of images that are there already, in the order of their names."""

    unreadable, ignored = [], {}

    def __init__(self, pixels, label, split, names, group=(), **facts):
        self.pixels, self.label, self.split, self.names, self.group = pixels, label, split, names, group
        self.total, self.facts = len(pixels), facts

    def batches(self):
        n, side = len(self.pixels), self.pixels.shape[1]
        facts = {
            "mode": ["RGB"] * n,
            "quality": [-1] * n,
            "height": [side] * n,
            "width": [side] * n,
            **self.facts,
        }
        yield Batch([f"{i:06d}" for i in range(n)], self.pixels, **facts)

    def place(self, keys):
        return Placement(
            list(keys),
            np.asarray(self.split, dtype=np.uint8),
            {"class": np.asarray(self.label, dtype=np.int32)},
            {"class": list(self.names)},
            group=list(self.group),
        )


def made_pack(folder, pixels, label=None, split=None, names=None, group=(), **facts):
    """Pack images as they are; samples are sorted by split, then in the order given."""
    label = np.zeros(len(pixels), dtype=int) if label is None else np.asarray(label)
    split = np.zeros(len(pixels), dtype=int) if split is None else split
    names = names or [f"class-{i}" for i in range(int(label.max()) + 1)]
    options = Dataset.model_validate(
        {
            "size": pixels.shape[1],
            "color": "rgb" if pixels.shape[3] == 3 else "grey",
            "source": {"kind": "image-folder", "paths": ["unused"]},
        }
    )
    pack(Made(pixels, label, split, names, group, **facts), "made", options, folder / "images.h5", {})
    return PackedImages(folder / "images.h5")


def photographs(number, size=32, channels=1, seed=0, slope=1.0):
    """Images whose amplitude falls as in photographs, 1 ÷ frequency^slope, with random phases; uint8."""
    random = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]) * size
    radius[0, 0] = 1
    fields = np.fft.ifft2(
        np.fft.fft2(random.standard_normal((number, channels, size, size))) / radius**slope
    ).real
    fields = fields / fields.std(axis=(1, 2, 3), keepdims=True)
    pixels = np.clip(128 + 40 * fields, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels, 1, 3))
