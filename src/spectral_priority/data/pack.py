"""Packing: one pass over a source, then one file with the images in the order of their names.

Pixels go to a nameless temporary file beside the target in the order of their arrival (it is gone whatever ends the
program), and from there sorted into images.h5: memory stays bounded however many images there are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..config.datasets import Dataset
from ..errors import InputError
from ..store.atomic import explained
from .batches import Placement, Source
from .decode import RESAMPLING
from .packed_file import write_packed

SHOWN = 5
"""Unreadable files named in a message; pack.json lists all."""


def pack(
    source: Source,
    name: str,
    options: Dataset,
    target: Path,
    provenance: Mapping[str, Any],
    progress: Callable[[int], object] = lambda images: None,
) -> dict[str, Any]:
    """Pack a source's images into images.h5.

    Parameters
    ----------
    source : Source
        As `sources.open_source` returns it for the options.
    name : str
        Name of the data set.
    options : Dataset
    target : path
        images.h5 to make.
    provenance : mapping
        Stored with the file.
    progress : callable
        Told how many images were just read.

    Returns
    -------
    dict
        The pack report: counts, every unreadable file with its reason, what was left out, warnings.

    Raises
    ------
    InputError
        For a source that can't be used, too many unreadable files, two images of one name, a full disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    channels = 3 if options.color == "rgb" else 1
    shape = (options.size, options.size, channels)
    keys: list[str] = []
    mode: list[str] = []
    numbers: dict[str, list[int]] = {"quality": [], "height": [], "width": []}
    constant = 0
    try:
        with tempfile.TemporaryFile(dir=target.parent) as spool:
            for batch in source.batches():
                spool.write(np.ascontiguousarray(batch.pixels))
                keys += batch.key
                mode += batch.mode
                for fact, values in numbers.items():
                    values += getattr(batch, fact)
                flat = (batch.pixels == batch.pixels[:, :1, :1]).all(axis=(1, 2, 3))
                constant += int(flat.sum())
                progress(len(batch.key))
            check_unreadable(source.unreadable, len(keys), options.max_unreadable, name)
            placement = source.place(keys)
            order = np.array(
                sorted(range(len(keys)), key=lambda i: (placement.split[i], placement.source[i]))
            )
            _check_names(placement, order, name)
            facts = {fact: np.array(values, dtype=np.int32) for fact, values in numbers.items()}
            digest = write_packed(
                target,
                _pixels(spool, (len(keys), *shape)),
                placement.split,
                placement.labels,
                placement.source,
                {
                    "mode": (mode, "colour mode of the file"),
                    "encoder_quality": (
                        facts["quality"].astype(np.int16),
                        "quality of the JPEG encoder (IJG tables), -1 = unknown",
                    ),
                    "original_height": (facts["height"], "height in the file, in pixels"),
                    "original_width": (facts["width"], "width in the file, in pixels"),
                },
                {
                    "dataset": name,
                    "options": options.model_dump(mode="json"),
                    "classes": placement.classes,
                    "titles": placement.titles,
                    **({"hierarchy": placement.hierarchy} if placement.hierarchy else {}),
                    "resampling": RESAMPLING,
                    "provenance": dict(provenance),
                },
                order=order,
            )
    except OSError as error:
        raise explained(error, target) from error
    smaller = int((np.minimum(facts["height"], facts["width"]) < options.size).sum())
    return {
        "dataset": name,
        "content_sha256": digest,
        "images": len(keys),
        "train": int((placement.split == 0).sum()),
        "held_out": int((placement.split == 1).sum()),
        "classes": {column: len(names) for column, names in placement.classes.items()},
        "constant_images": constant,
        "enlarged_images": smaller,
        "ignored_files": source.ignored,
        "warnings": list(_warnings(placement, facts, smaller)),
        "unreadable": source.unreadable,
    }


def check_unreadable(unreadable: list[dict[str, str]], readable: int, allowed: float, name: str) -> None:
    """Refuse a data set of whose files too many can't be read."""
    total = readable + len(unreadable)
    if unreadable and (len(unreadable) / total > allowed or not readable):
        first = "; ".join(f"{fault['source']} ({fault['reason']})" for fault in unreadable[:SHOWN])
        raise InputError(
            f"data set {name}",
            f"{len(unreadable)} of {total} image files can't be read: {first}",
            f"a share of max_unreadable = {allowed:g}",
            "mend or remove these files, or raise max_unreadable (they are then left out and listed in pack.json)",
        )


def _pixels(spool: IO[bytes], shape: tuple[int, ...]) -> np.ndarray:
    spool.flush()
    return np.memmap(spool, dtype=np.uint8, mode="r", shape=shape)


def _check_names(placement: Placement, order: np.ndarray, name: str) -> None:
    names = [placement.source[i] for i in order]
    twice = [one for one, other in pairwise(names) if one == other]
    if twice:
        raise InputError(
            f"data set {name}",
            f"{len(twice)} images have the name of another one: {', '.join(twice[:SHOWN])}",
            "every <split>/<class>/<file> once",
            "remove what is there twice, such as a folder beside its own archive",
        )


def _warnings(placement: Placement, facts: Mapping[str, np.ndarray], smaller: int) -> Iterator[str]:
    """Yield what may spoil a frequency study although every image could be read."""
    if smaller:
        yield f"{smaller} images are smaller than the pack's size: enlarging leaves their highest rings empty"
    for column, names in placement.classes.items():
        label = placement.labels[column]
        for split, called in ((0, "training"), (1, "held-out")):
            count = np.bincount(label[placement.split == split], minlength=len(names))
            for amount in (0, 1):
                few = [name for name, n in zip(names, count, strict=True) if n == amount]
                if few and count.sum():
                    yield f"label {column}: {len(few)} classes have {amount} {called} images: {_listed(few)}"
        for fact, called in (
            ("quality", "JPEG quality"),
            ("height", "original height"),
            ("width", "original width"),
        ):
            usual = {name: _most_common(facts[fact][label == number]) for number, name in enumerate(names)}
            if len(set(usual.values())) > 1:
                shown = _listed([f"{name} {value}" for name, value in usual.items()])
                yield f"label {column}: the usual {called} differs between classes, which can give them away: {shown}"


def _most_common(values: np.ndarray) -> int | None:
    found, count = np.unique(values, return_counts=True)
    return int(found[count.argmax()]) if len(found) else None


def _listed(words: list[str], most: int = 10) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
