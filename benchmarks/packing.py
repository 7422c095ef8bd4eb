"""Packing and reading packed images: images a second, memory and disk, of pixels and of encoded images.

Every case has a process of its own, which packs or reads through the library as the programs do; its imports are not
timed. Memory is what a process has beyond what it had before, mapped pages left out (they are shared, and given back).
"""

from __future__ import annotations

import io
import multiprocessing
import re
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from interleaved import Turn, compared, row, seconds
from PIL import Image
from results import print_rows

TITLE = "Packing folders and archives, and reading packed images, as pixels and encoded"

BATCH = 128
JPEG_QUALITY = 75
MEGABYTE = 1e6
CONTAINERS = ("folder", "zip", "tar.xz")


class Case(NamedTuple):
    """What a process did: how long it took, its largest memory and the size of its file in MB."""

    turn: Turn
    memory: float
    disk: float = 0.0


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: fewer images and turns."""
    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small, large = (1000, 100) if quick else (8000, 600)
        _write(root / "small", 64, 64, small)
        _write(root / "large", 350, 400, large)
        return [
            *_containers(root, small, rounds),
            *_memory(root, small, rounds),
            *_forms(root, "small", 64, small, rounds),
            *_forms(root, "large", 224, large, rounds),
        ]


def _containers(root: Path, number: int, rounds: int) -> list[dict]:
    """Packing of pixels from every container, with one thread that decodes and with two."""
    cases = {
        (container, threads): (_pack, root, f"small.{container}", 64, "pixels", threads)
        for container in CONTAINERS
        for threads in (1, 2)
    }
    found = _take_turns(cases, rounds)
    rows = []
    for (container, threads), done in found.items():
        turns = [case.turn for case in done]
        more = {}
        if threads > 1:
            more = compared(turns, [case.turn for case in found[container, 1]], "1 thread", inverse=True)
        what = f"64 px: packing from a {container}, {_threads(threads)}"
        rows.append(row(what, number / seconds(turns), "images/s", **more))
        rows.append(row(f"{what}: memory", _middle(done, "memory"), "MB"))
    return rows


def _memory(root: Path, number: int, rounds: int) -> list[dict]:
    """Memory of packing against the number of images, of which there are few different ones."""
    contents = [content for _, content in _jpegs(64, 64, 100)]
    for times in (1, 4):
        with zipfile.ZipFile(root / f"{times}.zip", "w") as zipped:
            for k in range(times * number):
                zipped.writestr(f"train/{k % 10}/{k:06d}.jpg", contents[k % 100])
    found = _take_turns({times: (_pack, root, f"{times}.zip", 64, "pixels", 2) for times in (1, 4)}, rounds)
    pixels = 4 * number * 64**2 * 3 / MEGABYTE
    once, four_times = (_middle(found[times], "memory") for times in (1, 4))
    what = "64 px: memory of packing"
    return [
        row(f"{what} {number:,} images", once, "MB", "their pixels", 4 * once / pixels),
        row(f"{what} {4 * number:,} images", four_times, "MB", "their pixels", four_times / pixels),
    ]


def _forms(root: Path, files: str, size: int, number: int, rounds: int) -> list[dict]:
    """Encoded against pixels: packing, disk, and reading of random batches."""
    forms = ("pixels", "encoded")
    packing = _take_turns({form: (_pack, root, f"{files}.folder", size, form, 2) for form in forms}, rounds)
    reading = {(form, threads): (_read, root, f"{files}.folder", size, form, threads)
               for form, threads in (("pixels", 1), ("encoded", 1), ("encoded", 2))}  # fmt: skip
    read = _take_turns(reading, rounds)
    name, rows = f"{size} px from JPEG files", []
    pixels = [case.turn for case in packing["pixels"]]
    disk = packing["pixels"][0].disk
    for form in forms:
        turns, over = [case.turn for case in packing[form]], {}
        size_over, memory_over = {}, {}
        if form == "encoded":
            over = compared(turns, pixels, "pixels", inverse=True)
            size_over = {"ratio_to": "pixels", "ratio": packing[form][0].disk / disk}
            memory = _middle(packing[form], "memory") / _middle(packing["pixels"], "memory")
            memory_over = {"ratio_to": "pixels", "ratio": memory}
        what = f"{name}: packing {form}, 2 threads"
        rows.append(row(what, number / seconds(turns), "images/s", **over))
        rows.append(row(f"{what}: memory", _middle(packing[form], "memory"), "MB", **memory_over))
        rows.append(row(f"{name}: {form} on disk", packing[form][0].disk, "MB", **size_over))
    for (form, threads), done in read.items():
        turns, over = [case.turn for case in done], {}
        if form == "encoded":
            other, called = ("pixels", "pixels") if threads == 1 else ("encoded", "1 thread")
            over = compared(turns, [case.turn for case in read[other, 1]], called, inverse=True)
        what = f"{name}: reading {form} in random batches of {BATCH}"
        what += f", {_threads(threads)}" if form == "encoded" else ""
        rows.append(row(what, number / seconds(turns), "images/s", **over))
        rows.append(row(f"{what}: memory", _middle(done, "memory"), "MB"))
    return rows


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _middle(cases: list[Case], field: str) -> float:
    return median(getattr(case, field) for case in cases)


# --- processes ----------------------------------------------------------------------------------------------


def _take_turns(cases: dict, rounds: int) -> dict:
    """Let cases take turns, each in a process of its own; a round beforehand warms the files and is not counted."""
    context = multiprocessing.get_context("spawn")
    found: dict = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name in list(cases) if number % 2 else reversed(cases):
            answer = context.SimpleQueue()
            process = context.Process(target=_answer, args=(answer, *cases[name]))
            process.start()
            case = answer.get()
            process.join()
            if number:
                found[name].append(case)
    return found


def _answer(answer, function: Callable[..., Case], *arguments) -> None:
    answer.put(function(*arguments))


def _options(files: str, size: int, form: str):
    from spectral_priority.config.datasets import Dataset

    source = {"kind": "image-folder", "paths": [files], "held_out_split": None}
    return Dataset.model_validate({"size": size, "pack": form, "source": source})


def _pack(root: Path, files: str, size: int, form: str, threads: int) -> Case:
    from spectral_priority.data.pack import pack
    from spectral_priority.data.sources import open_source

    options, target = _options(files, size, form), root / f"{files}-{size}-{form}" / "images.h5"
    with _Watched() as watched:
        pack(open_source(options, root, threads), "made", options, target, {}, threads=threads)
    return Case(watched.turn, watched.memory, target.stat().st_size / MEGABYTE)


def _read(root: Path, files: str, size: int, form: str, threads: int) -> Case:
    from spectral_priority.data.images import PackedImages

    images = PackedImages(root / f"{files}-{size}-{form}" / "images.h5", threads)
    images.read(np.arange(1))  # loads the decoder
    mixed = np.random.default_rng(0).permutation(len(images))
    with _Watched() as watched:
        for start in range(0, len(mixed), BATCH):
            images.read(mixed[start : start + BATCH])
    return Case(watched.turn, watched.memory)


class _Watched:
    """Times what happens inside, and looks every few milliseconds how much memory of its own the process has."""

    def __enter__(self):
        self._before = self._most = _own_memory()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        self._begun = Turn(time.perf_counter(), time.process_time())
        return self

    def __exit__(self, *error: object):
        wall, processor = time.perf_counter(), time.process_time()
        self.turn = Turn(wall - self._begun.wall, processor - self._begun.processor)
        self._over.set()
        self._watcher.join()
        self.memory = self._most - self._before

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self._most = max(self._most, _own_memory())


def _own_memory() -> float:
    """Memory of this process that is no mapped file, in MB."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / MEGABYTE


# --- files --------------------------------------------------------------------------------------------------


def _write(path: Path, height: int, width: int, number: int) -> None:
    """Write the same JPEG files as a folder, a zip and a tar.xz."""
    with (
        zipfile.ZipFile(f"{path}.zip", "w") as zipped,
        tarfile.open(f"{path}.tar.xz", "w:xz", preset=1) as tar,
    ):
        for name, content in _jpegs(height, width, number):
            file = Path(f"{path}.folder", name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            zipped.writestr(name, content)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def _jpegs(height: int, width: int, number: int) -> Iterator[tuple[str, bytes]]:
    """Make JPEG files whose power falls with frequency as that of photographs does: noise of every scale, summed."""
    random = np.random.default_rng(0)
    for k in range(number):
        image = np.zeros((height, width, 3))
        for octave in range(1, 7):
            coarse = random.normal(128, 40, (2**octave, 2**octave, 3)).clip(0, 255).astype(np.uint8)
            image += (
                np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)) - 128.0
            )
        file = io.BytesIO()
        Image.fromarray((128 + image / 2).clip(0, 255).astype(np.uint8)).save(
            file, "JPEG", quality=JPEG_QUALITY
        )
        yield f"train/{k % 10}/{k:05d}.jpg", file.getvalue()


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
