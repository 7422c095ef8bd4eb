"""A tier made again from what its manifest says, and the first difference to the one that is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ..config.tiers import Control, TierFamily
from ..data.images import PackedImages
from ..data.manifest import PARTS, Manifest, manifest_bytes
from ..data.together import Pairs
from ..errors import InputError
from .make import make_control, make_tier
from .refusals import check_data

HASHES = ("sidecar_sha256", "manifest_sha256")
"""Added when a manifest is written."""


def make_again(
    stored: Manifest,
    images: PackedImages,
    similarity: np.ndarray | None = None,
    duplicates: Pairs | None = None,
    of: Manifest | None = None,
) -> Manifest:
    """Make a tier from the options, level, draw and seed in its manifest, and from the images.

    Parameters
    ----------
    stored : Manifest
        Its facts alone are looked at.
    images : PackedImages
        The data set that it was made from.
    similarity : ndarray (class, class), optional
        Of the label's classes, where the manifest says `by` which.
    duplicates : Pairs, optional
        Where the manifest counts pairs of them.
    of : Manifest, optional
        The tier that a control shuffles.

    Raises
    ------
    InputError
        Where the manifest holds no options, the images are others, or an input is missing.
    """
    facts = stored.facts
    where = f"tier {facts['tier']}"
    if "options" not in facts:
        raise InputError(
            where, "its manifest holds no options", todo="delete it; the tier rule makes it again"
        )
    check_data(images, stored)
    options = TypeAdapter(TierFamily).validate_python(facts["options"])
    place = (facts["family"], facts["level"], facts["draw"])
    if isinstance(options, Control):
        if of is None:
            raise InputError(
                where, f"is a control of {options.of}", todo="give --of-manifest, and --of-indices"
            )
        return make_control(images, options, of, *place)
    if facts["apart"]["pairs"] and duplicates is None:
        raise InputError(
            where, f"kept {facts['apart']['pairs']} pairs of images together", todo="give --duplicates"
        )
    return make_tier(images, options, *place, similarity, duplicates)


def first_difference(manifest: Path, indices: Path, stored: Manifest, made: Manifest) -> str | None:
    """Compare a stored tier with the same tier made again, fact by fact, image by image, then byte by byte.

    Parameters
    ----------
    manifest, indices : path
        The stored files.
    stored, made : Manifest
        What they hold; what was made again.

    Returns
    -------
    str or None
        Where the first difference is, and both values; None where both files are the same to the byte.
    """
    facts = {key: value for key, value in stored.facts.items() if key not in HASHES}
    if found := _difference(facts, made.facts, ""):
        return found
    for part in PARTS:
        for what in ("index", "label"):
            pair = (getattr(stored, what)[part], getattr(made, what)[part])
            if not np.array_equal(*pair):
                return _difference(*(array.tolist() for array in pair), f"{part}_{what}")
    for path, content in zip(
        (manifest, indices), manifest_bytes(made.facts, made.index, made.label), strict=True
    ):
        held = path.read_bytes()
        if held != content:
            pairs = enumerate(zip(held, content, strict=False))
            place = next((at for at, (one, other) in pairs if one != other), min(len(held), len(content)))
            return f"{path}: byte {place} of {len(held)} stored and {len(content)} made again"
    return None


def _difference(stored: Any, made: Any, where: str) -> str | None:
    if isinstance(stored, dict) and isinstance(made, dict):
        for key in [*stored, *(key for key in made if key not in stored)]:
            below = f"{where}.{key}" if where else str(key)
            if found := _difference(stored.get(key), made.get(key), below):
                return found
        return None
    if isinstance(stored, list) and isinstance(made, list):
        for place, (one, other) in enumerate(zip(stored, made, strict=False)):
            if found := _difference(one, other, f"{where}[{place}]"):
                return found
        if len(stored) != len(made):
            return f"{where}: {len(stored)} stored, {len(made)} made again"
        return None
    return None if stored == made else f"{where}: {stored!r} stored, {made!r} made again"
