"""Memory of each measure of images: of a probe, and of one that is four times as large.

Each measurement has a process of its own. Counted is by how much its resident memory rises, at the peak, over what it
was before, when the probe's images (uint8) lay there and the measure had looked at one batch already. A measure that
held all images as it shows them to the model would take at least 1 × their size as float32.
"""

from __future__ import annotations

import multiprocessing
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from interleaved import row
from results import print_rows

TITLE = "Memory of measures against the size of the probe, small_cnn of the demo on RGB, batches of 32"

BATCH, NUMBER, LARGER = 32, 1024, 4
MEASURES = {
    "gradient": {},
    "band-accuracy": {"energy_rings": 4},
    "critical-band": {},
    "fourier-heatmap": {"most_images": NUMBER * LARGER, "largest": 1},
    "paths": {"pairs": 20},
    "fprinciple": {"most_images": NUMBER // 2},
    "dfm": {},
    "shortcuts": {},
    "gradient-svd": {"permutations": 0},
}
"""With options that keep them short; fprinciple holds distances of all pairs of its images, whose number it bounds."""
EVERY_FREQUENCY = ("dfm", "shortcuts")
"""On images of 16 pixels, and half as many."""
MEGABYTE = 1e6


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: without the measures that try every frequency."""
    rows = []
    for name, options in MEASURES.items():
        if quick and name in EVERY_FREQUENCY:
            continue
        size, number = (16, NUMBER // 2) if name in EVERY_FREQUENCY else (32, NUMBER)
        few, many = (_in_a_process(name, options, size, count) for count in (number, LARGER * number))
        added, over = (LARGER - 1) * number * size**2 * 3 * 4 / MEGABYTE, "the added images as float32"
        rows += [
            row(f"{name}: {number} images of {size} px", few, "MB"),
            row(f"{name}: so much more for {LARGER * number}", many - few, "MB", over, (many - few) / added),
        ]
    return rows


def _in_a_process(name: str, options: dict, size: int, number: int) -> float:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_growth, name, options, size, number).result()


def _growth(name: str, options: dict, size: int, number: int) -> float:
    """Measure in this process; return by how many MB its memory rose."""
    import torch
    from made_data import CLASSES, demo_options, made_probe

    from spectral_priority.config.recipe import Recipe
    from spectral_priority.measures.registry import load_measure, measure_options
    from spectral_priority.models import build_model

    torch.set_num_threads(1)
    model = build_model(Recipe(**demo_options()), len(CLASSES), 3, size)
    probe, taken = made_probe(number, size, channels=3), load_measure(name)
    options = measure_options(name, {"batch_size": BATCH, **options})
    taken(model, made_probe(BATCH, size, channels=3), options)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    taken(model, probe, options)
    return _status("VmHWM") - before


def _status(field: str) -> float:
    """Return a field of this process's status, in MB."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / MEGABYTE


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
