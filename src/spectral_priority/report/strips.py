"""Strips of images that show what the tasks of a study are: a few training images of each class."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..config import Study, Tier
from ..data.images import PackedImages
from ..data.manifest import read_manifest

MOST_TIERS, MOST_CLASSES, IMAGES = 12, 6, 3
"""Tiers on the page, classes of a tier, images of a class."""
SIDE, GAP = 40, 2
"""Side in pixels beyond which images are reduced, white pixels between images."""


def tier_strips(study: Study, results: Path, images: Mapping[str, Path]) -> tuple[list[dict[str, Any]], int]:
    """Return the strips of a study's tiers, one of each level (its first draw), controls left out.

    Parameters
    ----------
    study : Study
    results : path
        results/<study>, with tiers/.
    images : mapping of path
        Data set → its images.h5.

    Returns
    -------
    strips : list of dict
        `tier`, `classes` (list of `title`, `address`), `number_of_classes`, `side` (of an image, in pixels).
    left_out : int
        Levels beyond `MOST_TIERS`.

    Raises
    ------
    InputError
        For a missing or damaged file, by name.
    """
    chosen = first_draws(study)
    opened: dict[Path, PackedImages] = {}
    strips = []
    for tier in chosen[:MOST_TIERS]:
        path = images[study.dataset_of(tier.name)]
        if path not in opened:
            opened[path] = PackedImages(path)
        strips.append(_strip(tier, results / "tiers", opened[path]))
    return strips, max(0, len(chosen) - MOST_TIERS)


def first_draws(study: Study) -> list[Tier]:
    """Return the first draw of each level, in the order of the study, without controls."""
    found: dict[tuple[str, str], Tier] = {}
    for tier in study.list_tiers(controls=False):
        found.setdefault((tier.family, tier.level), tier)
    return list(found.values())


def evenly(index: np.ndarray, count: int) -> np.ndarray:
    """Choose entries evenly: images are in the order of their sources, so neighbours are alike.

    >>> evenly(np.arange(100), 3).tolist(), evenly(np.array([7]), 3).tolist()
    ([16, 50, 83], [7])
    """
    if len(index) <= count:
        return index
    return index[((np.arange(count) + 0.5) * len(index) / count).astype(int)]


def strip_address(pixels: np.ndarray) -> str:
    """Return images side by side, as a PNG in a data address; large ones are reduced, small ones stay as they are.

    Parameters
    ----------
    pixels : ndarray (n, y, x, channel) uint8

    Returns
    -------
    str
        `data:image/png;base64,…`

    Examples
    --------
    >>> strip_address(np.zeros((2, 8, 8, 1), dtype=np.uint8))[:21]
    'data:image/png;base64'
    """
    tiles = [_tile(one) for one in pixels]
    side = tiles[0].width
    whole = Image.new(tiles[0].mode, (len(tiles) * (side + GAP) - GAP, side), "white")
    for number, tile in enumerate(tiles):
        whole.paste(tile, (number * (side + GAP), 0))
    file = io.BytesIO()
    whole.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _strip(tier: Tier, folder: Path, images: PackedImages) -> dict[str, Any]:
    manifest = read_manifest(folder / f"{tier.name}.json", folder / f"{tier.name}.npz")
    index, label = manifest.index["train"], manifest.label["train"]
    entries = manifest.facts["classes"]
    classes = [
        {
            "title": entry.get("title") or entry["name"],
            "address": strip_address(images.read(evenly(index[label == number], IMAGES))),
        }
        for number, entry in enumerate(entries[:MOST_CLASSES])
    ]
    return {
        "tier": tier.name,
        "classes": classes,
        "number_of_classes": len(entries),
        "side": min(images.shape[1], SIDE),
    }


def _tile(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return image if image.width <= SIDE else image.resize((SIDE, SIDE), Image.Resampling.BOX)
