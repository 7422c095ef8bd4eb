"""Packing many images: a hundred thousand of a tar beside ten thousand, in speed and in memory.

They are made: 64 px JPEG files, few different ones under many names. Processes and memory are those of packing.py.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
from pathlib import Path
from statistics import median

from interleaved import Turn, compared, row, seconds
from packing import MEGABYTE, _jpegs, _pack, _take_turns
from results import print_rows

TITLE = "Packing many images of a tar, as pixels and encoded: speed and memory against their number"

NUMBERS, QUICK_NUMBERS = (10_000, 100_000), (1_000, 10_000)
SIDE = 64
DIFFERENT = 200
"""Images that are made; the others are the same under other names."""
FORMS = ("pixels", "encoded")


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: a tenth of the images, in one turn."""
    numbers = QUICK_NUMBERS if quick else NUMBERS
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        contents = [content for _, content in _jpegs(SIDE, SIDE, DIFFERENT)]
        for number in numbers:
            _write(root / f"{number}.tar", contents, number)
        cases = {
            (form, number): (_pack, root, f"{number}.tar", SIDE, form, 2)
            for form in FORMS
            for number in numbers
        }
        found = _take_turns(cases, 1 if quick else 2)
    rows = []
    for form in FORMS:
        rows += _rows(form, *((number, found[form, number]) for number in numbers))
    return rows


def _rows(form: str, few: tuple, many: tuple) -> list[dict]:
    """Speed and memory of both numbers of images, and what each further image costs."""
    made, memory, turns = [], {}, {}
    for number, cases in (few, many):
        memory[number] = median(case.memory for case in cases)
        turns[number] = [Turn(*(part / number for part in case.turn)) for case in cases]
        what = f"packing {number:,} images as {form}, 2 threads"
        more = {}
        if number != few[0]:
            more = compared(turns[number], turns[few[0]], f"{few[0]:,} images", inverse=True)
        made.append(row(what, 1 / seconds(turns[number]), "images/s", **more))
        pixels = number * SIDE**2 * 3 / MEGABYTE
        share = memory[number] / pixels
        made.append(row(f"{what}: memory", memory[number], "MB", "their pixels", share))
    further = MEGABYTE * (memory[many[0]] - memory[few[0]]) / (many[0] - few[0])
    what = f"packing as {form}: memory of each further image"
    made.append(row(what, further, "bytes", "its pixels", further / (SIDE**2 * 3)))
    return made


def _write(path: Path, contents: list[bytes], number: int) -> None:
    with tarfile.open(path, "w") as archive:
        for i in range(number):
            entry, content = tarfile.TarInfo(f"train/{i % 100:02d}/{i:06d}.jpg"), contents[i % len(contents)]
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
