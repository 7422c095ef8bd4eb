"""A toy data set with a known hierarchy, and families of tiers made from it."""

import json

import h5py
import numpy as np
from made_checksums import add_checksums

from spectral_priority.config.tiers import (
    ClassCount,
    CountPerClass,
    Images,
    ImagesPerClass,
    Labels,
    Regroup,
    Similarity,
    Superclasses,
)
from spectral_priority.data.images import HELD_OUT, TRAIN, PackedImages

RINGS, TURNS, SHAPES = 3, 4, 2
TEXTURES = [f"ring{ring}-turn{turn}" for ring in range(RINGS) for turn in range(TURNS)]
EDGES = [(f"ring{ring}", f"ring{ring}-turn{turn}") for ring in range(RINGS) for turn in range(TURNS)]
EDGES += [("texture", f"ring{ring}") for ring in range(RINGS)]
WANTED = Images(train=180, validation=48, probe=48)


def write_images(path, labels, names, split, hierarchy=None):
    """Pack random pixels under given labels, in the layout of docs/architecture.md."""
    pixels = np.random.default_rng(0).integers(0, 256, (len(split), 8, 8, 1), dtype=np.uint8)
    with h5py.File(path, "w") as file:
        file["images"], file["split"] = pixels, split.astype(np.uint8)
        for column, values in labels.items():
            file[f"label_{column}"] = values.astype(np.int32)
        file.attrs.update(
            schema="spectral-priority/1",
            kind="images",
            dataset="toy",
            content_sha256="5" * 64,
            classes=json.dumps(names),
            titles=json.dumps({"ring0-turn0": "broad stripes"}),
            hierarchy=json.dumps(hierarchy or {}),
        )
        add_checksums(file)
    return PackedImages(path)


def pack_toy(path):
    """12 textures (3 rings × 4 turns) in 2 shapes, 40 training and 10 held-out images of each texture."""
    texture = np.tile(np.arange(12), 50)
    labels = {
        "texture": texture,
        "ring": texture // TURNS,
        "shape": np.random.default_rng(1).integers(0, SHAPES, len(texture)),
    }
    names = {"texture": TEXTURES, "ring": ["low", "mid", "high"], "shape": ["disc", "square"]}
    split = np.where(np.arange(len(texture)) < 480, TRAIN, HELD_OUT)
    return write_images(path, labels, names, split, {"texture": EDGES})


KINDS = {
    Labels: "labels",
    Regroup: "regroup",
    ClassCount: "count",
    CountPerClass: "count-per-class",
    Similarity: "similarity",
    Superclasses: "superclasses",
}


def family(kind, **options):
    return kind(
        kind=KINDS[kind],
        **{
            "dataset": "toy",
            "images": WANTED,
            "floor": 10,
            **({} if kind is Labels else {"label": "texture"}),
            **options,
        },
    )


LABELS = family(Labels, labels=("texture", "ring", "shape"))
REGROUP = family(Regroup, classes=12, groups=(2, 3, 5, 6, 12))
COUNT = family(ClassCount, counts=(6, 8, 12))
NESTED = family(ClassCount, counts=(6, 8, 12), nested=True)
ALIKE = family(
    Similarity, classes=4, levels=("near", "mid", "far"), images=Images(train=120, validation=20, probe=20)
)
PER_CLASS = family(
    CountPerClass, counts=(6, 8, 12), images=ImagesPerClass(train=15, validation=4, probe=4), floor=10
)
SUPERCLASSES = family(Superclasses, root="texture", depths=(1, 2), subclasses=2)
SHIFTED = family(Superclasses, root="texture", depths=(1,), subclasses=4, shift="subclasses")
