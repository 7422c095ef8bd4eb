"""Fit the reference space to the features of a network: principal components of what its head takes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spectral_priority.config.statistics import Reference
from spectral_priority.data.images import PackedImages
from spectral_priority.data.reference import KIND, fit_reference, with_points
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.gpus.lease import lease_gpus
from spectral_priority.program import parser, run

BATCH = 128
"""Images that the network sees at a time."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5")
    made.add_argument("--options", required=True, help="complexity.reference of the study, as JSON")
    made.add_argument(
        "--data-root", type=Path, required=True, help="folder that the file of weights is below"
    )
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    made.add_argument("--output", type=Path, required=True, help="reference.h5 to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Fit and write the reference space."""
    code = expect_code("network_reference", arguments.expect_code)
    options = Reference.model_validate_json(arguments.options)
    images = PackedImages(arguments.images, arguments.threads)

    if arguments.device != "cpu":
        lease_gpus()
    from spectral_priority.progress import bar
    from spectral_priority.store.netcdf import write_dataset
    from spectral_priority.store.provenance import provenance
    from spectral_priority.training.loop import prepare_device
    from spectral_priority.training.sources import file_source

    source = file_source(options.weights, arguments.data_root, "complexity.reference.weights")
    network = Network(source, options, images, prepare_device(arguments.device, arguments.threads))
    chosen = np.random.default_rng(options.seed).permutation(len(images))[: options.images]
    sample = np.concatenate(list(network.blocks(np.sort(chosen))))
    reference = fit_reference(sample, options.components, options.seed)
    with bar("features", len(images), "images") as progress:
        blocks = network.blocks(np.arange(len(images)), progress.update)
        reference = with_points(
            reference, blocks, f"features that the head of {options.model} takes", "L2 of features"
        )
    origin = provenance(
        code=code,
        options=options.model_dump(mode="json"),
        data_sha256=images.content_sha256,
        weights=source.identity,
    )
    write_dataset(arguments.output, reference, KIND, origin)
    logging.info(
        "%d components of %d features of %d images", *reference["components"].shape, reference.attrs["images"]
    )


class Network:
    """A network with weights from a file, and the images that it is to see."""

    def __init__(self, source, options: Reference, images: PackedImages, device):
        from spectral_priority.config.recipe import Recipe
        from spectral_priority.models import build_model
        from spectral_priority.training.weights import initial_weights, read_weights

        first = next((tensor for tensor in read_weights(source).values() if tensor.dim() == 4), None)
        channels = images.channels if first is None else first.shape[1]
        if channels != images.channels and (channels, images.channels) != (3, 1):
            raise InputError(
                source.path,
                f"has weights for images of {channels} channels, {images.path} has {images.channels}",
                "weights for as many channels; grey images fit weights for three too",
            )
        self.images, self.device, self.channels, self.size = images, device, channels, options.size
        recipe = Recipe(model=options.model, normalisation="imagenet")
        model = build_model(recipe, classes=2, channels=channels, size=options.size or images.size)
        initial_weights(source, model, recipe)
        self.model = model.eval().to(device)

    def blocks(self, index: np.ndarray, tell=lambda number: None) -> Iterator[np.ndarray]:
        """Yield the features (image, feature) float32 of the images at an index, a batch at a time."""
        import torch

        from spectral_priority.models.features import features

        for start in range(0, len(index), BATCH):
            read = self.images.read(index[start : start + BATCH])
            pixels = torch.from_numpy(np.ascontiguousarray(read)).to(self.device).permute(0, 3, 1, 2) / 255
            pixels = pixels.expand(-1, self.channels, -1, -1)
            if self.size:
                side = (self.size, self.size)
                pixels = torch.nn.functional.interpolate(pixels, side, mode="bilinear", antialias=True)
            yield features(self.model, pixels).cpu().numpy()
            tell(len(read))


if __name__ == "__main__":
    run(main, arguments())
