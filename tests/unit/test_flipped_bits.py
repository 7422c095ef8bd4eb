"""A bit that is flipped in a file of results is noticed when the file is read, or changes nothing of what is read."""

from __future__ import annotations

import json
import random
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from made_packs import Made

from spectral_priority.config.datasets import Dataset
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest, write_manifest
from spectral_priority.data.pack import pack
from spectral_priority.errors import InputError
from spectral_priority.store.arrays import read_arrays, write_arrays
from spectral_priority.store.netcdf import read_dataset, write_dataset
from spectral_priority.training.checkpoints import assemble, open_checkpoints, write_checkpoints
from spectral_priority.training.state import Progress, load_state, save_state

FLIPS = 150
"""Bits that are flipped in a file, one at a time, at random places."""


def images(folder: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)
    source = Made(pixels, [0, 1] * 6, [0] * 8 + [1] * 4, ["a", "b"])
    options = Dataset.model_validate(
        {"size": 8, "color": "grey", "source": {"kind": "image-folder", "paths": ["x"]}}
    )
    pack(source, "made", options, folder / "images.h5", {})
    return folder / "images.h5"


def of_images(path: Path) -> list[int]:
    """Places of pixels, labels, splits and class names; from a damaged header of HDF5 the library may never return."""
    with h5py.File(path) as file:
        ranges = [
            (file[name].id.get_offset(), file[name].id.get_storage_size())
            for name in ("images", "split", "label_class", "pixels_crc32")
        ]
        names = str(file.attrs["classes"]).encode()
    ranges.append((path.read_bytes().index(names), len(names)))
    return [place for start, length in ranges for place in range(start, start + length)]


def anywhere(path: Path) -> list[int]:
    return list(range(path.stat().st_size))


def read_images(path: Path) -> str:
    opened = PackedImages(path)
    pixels = opened.read(np.arange(len(opened)))
    again = opened.checked_pixels(np.arange(len(opened)))
    said = [pixels.tolist(), again.tolist(), opened.split.tolist(), opened.labels("class").tolist()]
    return json.dumps([*said, opened.classes, opened.name, opened.content_sha256, opened.planted])


def dataset() -> xr.Dataset:
    described = {"units": "1", "long_name": "made"}
    return xr.Dataset(
        {
            "share": (("step", "ring"), np.random.default_rng(0).random((3, 5)), described),
            "total": ((), 3.25, described),
            "layer": (("step",), ["a", "bb", "c"], described),
        },
        {"step": ("step", [0, 5, 10], described), "ring": ("ring", np.arange(5.0), described)},
        {"model": "small", "sides": [3, 4], "scale": 0.5},
    )


def spectra(folder: Path) -> Path:
    write_dataset(
        folder / "gradient.h5", dataset(), "measure:gradient", {"run_fingerprint": "0123", "seed": 3}
    )
    return folder / "gradient.h5"


def read_spectra(path: Path) -> str:
    return json.dumps(read_dataset(path, "measure:gradient").to_dict(), default=str, sort_keys=True)


def read_some(path: Path) -> str:
    return json.dumps(read_dataset(path, "measure:gradient", ["share", "ring"]).to_dict(), default=str)


def arrays(folder: Path) -> Path:
    write_arrays(folder / "part.npz", dataset())
    return folder / "part.npz"


def tier(folder: Path) -> Path:
    parts = {part: np.arange(3) for part in ("train", "validation", "probe")}
    write_manifest(folder / "tier.json", folder / "tier.npz", {"tier": "a-b-d0", "level": "b"}, parts, parts)
    return folder / "tier.npz"


def read_tier(path: Path) -> str:
    found = read_manifest(path.with_suffix(".json"), path.with_suffix(".npz"))
    return str([found.facts, found.index, found.label])


def weights(seed: int) -> dict[str, torch.Tensor]:
    random_numbers = torch.Generator().manual_seed(seed)
    return {"a.weight": torch.randn(3, 4, generator=random_numbers), "a.n": torch.tensor(seed)}


def checkpoints(folder: Path) -> Path:
    for step in (0, 10):
        write_checkpoints(folder / f"part{step}", {step: weights(step)}, "0123")
    assemble([folder / "part0", folder / "part10"], folder / "checkpoints.safetensors")
    return folder / "checkpoints.safetensors"


def read_checkpoints(path: Path) -> str:
    opened = open_checkpoints(path)
    return str([opened.fingerprint, *(sorted(opened.load(step).items()) for step in opened.steps)])


def state(folder: Path) -> Path:
    (folder / "work").mkdir()
    save_state(folder / "work", "0123", Progress(step=5, history=[]), weights(1))
    return folder / "work" / "state.safetensors"


def read_state(path: Path) -> str:
    said: list[str] = []
    loaded = load_state(path.parent, "0123", said.append)
    if loaded is None:
        raise InputError(path, said[0])
    return str([loaded[0], sorted(loaded[1].items())])


FILES = {
    "images": (images, read_images),
    "spectra": (spectra, read_spectra),
    "some variables": (spectra, read_some),
    "arrays": (arrays, lambda path: json.dumps(read_arrays(path).to_dict(), default=str)),
    "indices": (tier, read_tier),
    "manifest": (lambda folder: tier(folder).with_suffix(".json"), read_tier),
    "checkpoints": (checkpoints, read_checkpoints),
    "state": (state, read_state),
}


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_changes_what_is_read(tmp_path, name):
    write, read = FILES[name]
    path = write(tmp_path)
    whole, expected = path.read_bytes(), read(path)
    places = of_images(path) if name == "images" else anywhere(path)
    draw, refused = random.Random(0), 0
    for _ in range(FLIPS):
        content, place = bytearray(whole), draw.choice(places)
        content[place] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        try:
            found = read(path)
        except InputError:
            refused += 1
        else:
            assert found == expected, f"byte {place} of {len(whole)}"
    assert refused > FLIPS / 20, "nothing was refused: were the bits flipped?"
