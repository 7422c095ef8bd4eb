"""Memory of a training against the size of its packed images: they are mapped, not copied, and processes share them."""

from __future__ import annotations

import multiprocessing
import re
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Barrier

from interleaved import row
from made_data import make_task, pack_images
from results import print_rows

TITLE = "Memory of a training against the size of its packed images"

SIZE, BATCH, SMALLER = 64, 256, 10
PATIENCE = 600
"""Seconds that a process waits for the other."""
MEGABYTE = 1e6


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: 0.1 GB of images instead of 0.3."""
    number = 8192 if quick else 25_600
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "large"), Path(folder, "small")
        pack_images(large, SIZE, "rgb", train=number)
        pack_images(small, SIZE, "rgb", train=number // SMALLER)
        steps = number // BATCH  # an epoch of the large set
        (alone,) = _trainings(large, 1, steps)
        (of_small,) = _trainings(small, 1, steps)
        both = _trainings(large, 2, steps)
    packed = number * SIZE**2 * 3 / MEGABYTE
    copied = alone["own"] - of_small["own"]
    shared = sum(one["share of set"] for one in both) / 2
    over, mapped = "the packed images", "what it maps alone"
    return [
        row("packed training images", packed, "MB"),
        row("a training: all its memory at its peak", alone["peak"], "MB", over, alone["peak"] / packed),
        row("a training: pages of the images that it maps", alone["set"], "MB", over, alone["set"] / packed),
        row("a training: memory of its own at its peak", alone["own"], "MB", over, alone["own"] / packed),
        row(f"the same on a set {SMALLER} times smaller", of_small["own"], "MB"),
        row("so much of its own memory grows with the set", copied, "MB", over, copied / packed),
        row("two trainings at once: share of the mapped pages of each", shared, "MB", mapped, shared / alone["set"]),
    ]  # fmt: skip


def _trainings(folder: Path, number: int, steps: int) -> list[dict[str, float]]:
    """Train in so many processes at once, each through the whole set; return what each one's memory was."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(number, context) as processes:
        barrier = manager.Barrier(number, timeout=PATIENCE)
        return list(
            processes.map(_train, [folder] * number, [steps] * number, range(number), [barrier] * number)
        )


def _train(folder: Path, steps: int, number: int, barrier: Barrier) -> dict[str, float]:
    """Train; before the last step look at the memory."""
    from spectral_priority.config.recipe import Recipe
    from spectral_priority.data.images import PackedImages
    from spectral_priority.training.lock import Lock
    from spectral_priority.training.run import run_training

    images = PackedImages(folder / "images.h5")
    plan = {"early": [0], "every_epochs": steps}
    recipe = Recipe(width=4, batch_size=BATCH, steps=steps, checkpoints=plan, evaluation_images=256)
    found = {"own": 0.0}

    def look(steps_made: int) -> None:
        found["own"] = max(found["own"], _status("RssAnon"))
        if steps_made == steps - 1:
            barrier.wait()
            mapped = _mapping(images.path)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
            found.update({"peak": peak, "set": mapped["Rss"], "share of set": mapped["Pss"]})
            barrier.wait()  # nobody leaves before all have looked

    with Lock(folder / f"work{number}") as lock:
        run_training(make_task(images, recipe), "benchmark", lock, stop=look)
    return found


def _status(field: str) -> float:
    """Return a field of this process's status, in MB."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / MEGABYTE


def _mapping(file: Path) -> dict[str, float]:
    """Return what this process has of a mapped file in memory, in MB: `Rss`, and `Pss` where sharers split pages."""
    total = {"Rss": 0.0, "Pss": 0.0}
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(str(file))
        elif inside and line.partition(":")[0] in total:
            name, _, rest = line.partition(":")
            total[name] += int(rest.split()[0]) * 1024 / MEGABYTE
    return total


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
