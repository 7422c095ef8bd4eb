"""A measure of images holds a batch of them at a time: more images take longer, and no more memory.

What is held is counted, not taken from the system: tensors that are alive after each operation, and NumPy's arrays.
"""

import tracemalloc
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spectral_priority.config.measures import MEASURES, Measured
from spectral_priority.measures.chosen_pixels import ChosenPixels
from spectral_priority.measures.probe import Probe
from spectral_priority.measures.registry import load_measure, measure_names, measure_options

SIZE, BATCH, FEW, MANY = 16, 16, 48, 112
PIXELS = 3 * SIZE**2 * 4
"""Bytes of an image as the model sees it."""
BOUNDED = {
    "fourier-heatmap": {"most_images": FEW, "largest": 1},
    "paths": {"pairs": 8, "samples": 16},
    "fprinciple": {"most_images": FEW},
    "shortcuts": {"images_per_class": BATCH},
    "gradient-svd": {"test_images": 16, "permutations": 19},
}
"""Measures that hold something of each of so many images, or of each pair, say so: these options bound their number."""
OF_IMAGES = [name for name in measure_names() if issubclass(MEASURES[name], Measured)]
CASES = [(name, {}) for name in OF_IMAGES] + [("shortcuts", {"search": "patches", "candidates": 8})]


class Alive(TorchDispatchMode):
    """Counts bytes of the tensors that are made and still alive; and the images of a pass through the model."""

    def __init__(self):
        super().__init__()
        self.bytes, self.peak, self.known = 0, 0, set()

    def __torch_dispatch__(self, operation, types, given=(), options=None):
        made = operation(*given, **(options or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.count(tensor.untyped_storage())
        return made

    def count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.bytes += size
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self.forget, key, size)

    def forget(self, key, size):
        self.known.discard(key)
        self.bytes -= size


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 16, 4))


def probe(count: int) -> Probe:
    images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return Probe(images, np.arange(count) % 2, np.arange(count), list("ab"), images[:0])


def held(name: str, count: int, options: dict) -> tuple[int, int]:
    """Bytes at the peak, beside model and probe; most images of a pass."""
    measured, given, passes = model(), probe(count), []
    measured.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    options = measure_options(name, {"batch_size": BATCH, **BOUNDED.get(name, {}), **options})
    take = load_measure(name)
    with Alive():
        take(measured, probe(BATCH), options)  # imports, and tables that are made once
    passes.clear()
    tracemalloc.start()
    with Alive() as tensors:
        take(measured, given, options)
    arrays = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return arrays + tensors.peak, max(passes)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_twice_the_images_take_no_more_memory_than_a_few_numbers_of_each(name, options):
    few, largest = held(name, FEW, options)
    many, largest_of_many = held(name, MANY, options)
    assert largest == largest_of_many <= BATCH
    assert (many - few) / (MANY - FEW) < PIXELS / 2


def test_images_of_a_pack_are_read_when_a_measure_asks_for_them():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    index = np.array([7, 3, 29, 3, 11])
    chosen, expected = ChosenPixels(pixels, index), pixels[index]
    for key in (2, -1, slice(1, 4), np.array([4, 0, 0]), np.arange(5) > 2, slice(5, 9)):
        np.testing.assert_array_equal(chosen[key], expected[key])
        assert type(chosen[key]) is np.ndarray and chosen[key].flags.writeable
    assert (len(chosen), chosen.shape, chosen.dtype, chosen.ndim) == (5, (5, 4, 4, 3), np.uint8, 4)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_measure_of_images_that_are_read_as_needed_equals_that_of_an_array(name, options):
    whole = probe(40)
    order = np.random.default_rng(1).permutation(40)
    shuffled = np.empty_like(whole.images)
    shuffled[order] = whole.images
    columns = whole.labels, whole.image_ids, whole.class_names, whole.training
    options = measure_options(name, {"batch_size": BATCH, **BOUNDED.get(name, {}), **options})
    found = [
        load_measure(name)(model(), Probe(images, *columns), options)
        for images in (whole.images, ChosenPixels(shuffled, order))
    ]
    assert found[0].identical(found[1])
