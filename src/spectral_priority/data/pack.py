"""Packing: one pass over a source, then one file with the images in the order of their names.

Pixels, or the files' own bytes, go to a nameless temporary file beside the target in the order of their arrival, and
from there sorted into images.h5: of each image only its name and a few numbers stay in memory (about 300 bytes).
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..config.artefacts import PlantedArtefact
from ..config.datasets import Dataset
from ..errors import InputError
from ..store.atomic import explained
from . import artefacts
from .batches import Batch, Placement, Source
from .decode import RESAMPLING, decoder
from .image_files import ordered
from .images import HELD_OUT, TRAIN
from .packed_file import Encoded, Pixels, Samples, sha256_of, write_packed
from .spool import Spool

SHOWN = 5
"""Unreadable files named in a message; pack.json lists all."""
KEPT_CLEAN = 512
"""Training images with an artefact that are kept without it too, for the artefact's spectrum."""


class Arrivals:
    """What is kept in memory of the images, in the order of their arrival.

    Attributes
    ----------
    key, mode : list of str
    quality, height, width : array of int
    pixels_crc32 : array of int
        Checksum of each image's pixels.
    pixels_sha256 : bytearray
        Fingerprints of each image's pixels, 32 bytes each.
    constant : int
        Images of one colour.
    """

    def __init__(self) -> None:
        self.key: list[str] = []
        self.mode: list[str] = []
        self.quality, self.height, self.width = array("h"), array("i"), array("i")
        self.pixels_crc32, self.pixels_sha256 = array("I"), bytearray()
        self.constant = 0

    def add(self, batch: Batch) -> None:
        """Take in a batch."""
        self.key += batch.key
        self.mode += batch.mode
        for fact in ("quality", "height", "width"):
            getattr(self, fact).extend(getattr(batch, fact))
        for image in batch.pixels:
            self.pixels_crc32.append(zlib.crc32(image))
            self.pixels_sha256 += sha256_of(image)
        self.constant += int((batch.pixels == batch.pixels[:, :1, :1]).all(axis=(1, 2, 3)).sum())


def pack(
    source: Source,
    name: str,
    options: Dataset,
    target: Path,
    provenance: Mapping[str, Any],
    progress: Callable[[int], object] = lambda images: None,
    threads: int = 1,
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
    threads : int
        Threads that plant artefacts.

    Returns
    -------
    dict
        The pack report: counts, every unreadable file with its reason, what was left out, images with an artefact,
        warnings.

    Raises
    ------
    InputError
        For a source that can't be used, too many unreadable files, two images of one name, a full disk, an artefact
        for a class that isn't there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    arrivals = Arrivals()
    try:
        with Spool(target.parent) as spool:
            for batch in source.batches():
                spool.extend(batch.content if options.pack == "encoded" else batch.pixels)
                arrivals.add(batch)
                progress(len(batch.key))
            check_unreadable(source.unreadable, len(arrivals.key), options.max_unreadable, name)
            placement = source.place(arrivals.key)
            order = _order(placement)
            _check_names(placement, order, name)
            samples = _samples(arrivals, placement, order, options)
            content, sha256 = _content(spool, arrivals, order, samples, options, threads)
            attributes = {
                "dataset": name,
                "options": options.model_dump(mode="json"),
                "classes": placement.classes,
                "titles": placement.titles,
                **({"hierarchy": placement.hierarchy} if placement.hierarchy else {}),
                "resampling": RESAMPLING,
                "decoder": decoder(),
                "provenance": dict(provenance),
            }
            digest = write_packed(target, content, sha256, samples, attributes)
    except OSError as error:
        raise explained(error, target) from error
    facts = {fact: np.array(getattr(arrivals, fact)) for fact in ("quality", "height", "width")}
    smaller = int((np.minimum(facts["height"], facts["width"]) < options.size).sum())
    report = {
        "dataset": name,
        "content_sha256": digest,
        "images": len(order),
        "train": int((samples.split == TRAIN).sum()),
        "held_out": int((samples.split == HELD_OUT).sum()),
        "classes": {column: len(names) for column, names in placement.classes.items()},
        "constant_images": arrivals.constant,
        "enlarged_images": smaller,
        "ignored_files": source.ignored,
        "warnings": [*placement.notes, *_warnings(placement, facts, smaller)],
        "unreadable": source.unreadable,
    }
    if options.artefact:
        report["artefact"] = [samples.source[i] for i in np.flatnonzero(samples.facts["artefact"][0])]
    return report


def _order(placement: Placement) -> np.ndarray:
    """Sort images by split, then by name."""
    by_name = sorted(range(len(placement.source)), key=placement.source.__getitem__)
    order = np.array(by_name, dtype=np.int64)
    return order[np.argsort(placement.split[order], kind="stable")]


def _samples(arrivals: Arrivals, placement: Placement, order: np.ndarray, options: Dataset) -> Samples:
    facts = {
        "mode": ([arrivals.mode[i] for i in order], "colour mode of the file"),
        "encoder_quality": (
            np.array(arrivals.quality, dtype=np.int16)[order],
            "quality of the JPEG encoder (IJG tables), -1 = unknown",
        ),
        "original_height": (
            np.array(arrivals.height, dtype=np.int32)[order],
            "height in the file, in pixels",
        ),
        "original_width": (np.array(arrivals.width, dtype=np.int32)[order], "width in the file, in pixels"),
    }
    if placement.group:
        facts["group"] = (
            [placement.group[i] for i in order],
            "what it belongs to, such as a patient; empty = unknown",
        )
    if options.artefact:
        chosen = artefacts.choose(options.artefact, placement)[order].astype(np.uint8)
        facts["artefact"] = (chosen, f"1 = {options.artefact.kind} was planted")
    return Samples(
        placement.split[order],
        {column: values[order] for column, values in placement.labels.items()},
        [placement.source[i] for i in order],
        facts,
    )


def _content(
    spool: Spool, arrivals: Arrivals, order: np.ndarray, samples: Samples, options: Dataset, threads: int
) -> tuple[Encoded | Pixels, np.ndarray]:
    """Return what is to be written, read from the spool as it is asked for, and the fingerprints of its pixels."""
    sha256 = np.frombuffer(arrivals.pixels_sha256, dtype=np.uint8).reshape(-1, 32)[order]
    records = (spool.read(i) for i in order)
    if options.pack == "encoded":
        length = np.array([spool.length(i) for i in order], dtype=np.int64)
        return Encoded(length, records, np.array(arrivals.pixels_crc32, dtype=np.uint32)[order]), sha256
    shape = (options.size, options.size, options.channels)
    images = (np.frombuffer(record, dtype=np.uint8).reshape(shape) for record in records)
    if not options.artefact:
        return Pixels((len(order), *shape), images), sha256
    planted = np.flatnonzero((samples.split == TRAIN) & (samples.facts["artefact"][0] == 1))[:KEPT_CLEAN]
    before = (np.frombuffer(spool.read(order[i]), dtype=np.uint8).reshape(shape) for i in planted)
    images = _planted(images, options.artefact, samples, sha256, threads)
    return Pixels((len(order), *shape), images, planted, before), sha256


def _planted(
    images: Iterator[np.ndarray],
    artefact: PlantedArtefact,
    samples: Samples,
    sha256: np.ndarray,
    threads: int,
) -> Iterator[np.ndarray]:
    """Plant an artefact in the chosen images, whose fingerprints are made anew."""
    chosen = samples.facts["artefact"][0]

    def after(numbered: tuple[int, np.ndarray]) -> np.ndarray:
        number, image = numbered
        if chosen[number]:
            image = artefacts.plant(image, artefact, samples.source[number])
            sha256[number] = np.frombuffer(sha256_of(image), dtype=np.uint8)
        return image

    return ordered(after, enumerate(images), threads)


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
