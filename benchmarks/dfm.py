"""`dfm` against one pass over the images per frequency, and the two searches of `shortcuts`: their times and agreement.

The released program of dominant-frequency maps goes through all images again for every frequency: each is read and
decoded, transformed, robbed of the frequency and its partner, transformed back, and classified. Such passes are timed
for a few frequencies and scaled to all. They read either PNG files that lie in memory, image by image, as a data loader
does it, or pixels of a whole batch at once, the most that can be done while each pass starts anew.

The searches look at the same images of a small network that was trained for it. Their masks are compared at the same
kept share, and tried on other images.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from interleaved import Turn, compared, row, seconds, take_turns
from made_data import CLASSES, LABEL, demo_options, made_probe, make_task, pack_images
from PIL import Image
from results import print_rows
from torch import nn

import spectral_priority as sp
from spectral_priority import half_plane
from spectral_priority.config.measures import DominantFrequencyMap
from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import HELD_OUT, PackedImages
from spectral_priority.models import build_model, load_weights
from spectral_priority.training.checkpoints import open_checkpoints
from spectral_priority.training.finished import CHECKPOINTS
from spectral_priority.training.lock import Lock
from spectral_priority.training.run import run_training

TITLE = "dfm against a pass per frequency, and the two searches of shortcuts; small_cnn of the demo, 32 px"

SIZE, BATCH = 32, DominantFrequencyMap().batch_size
FREQUENCIES = 8
"""Passes that are timed of the other ways."""
SHARES = (0.8, 0.5)
"""Of the patches that a candidate keeps at each of the search's stages; the first is the default."""
CHOSEN, OTHERS = 64, 256
"""Images that frequencies are chosen by, and others that masks are tried on."""
OURS = "dfm"


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: fewer turns, fewer images, the default share of patches only."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = _against_passes(32 if quick else 128, device, 2 if quick else 7)
    return rows + _searches(device, CHOSEN // 2 if quick else CHOSEN, SHARES[: 1 if quick else None], quick)


def _against_passes(number: int, device: torch.device, turns: int) -> list[dict]:
    """Time `dfm`, and other ways to the same loss increases."""
    probe = made_probe(number, SIZE, channels=1)
    model = build_model(Recipe(**demo_options()), len(CLASSES), 1, SIZE).to(device).eval()
    pairs = half_plane.frequency_pairs(SIZE)
    files = [_png(image) for image in probe.images]
    ways = {
        "a pass per frequency over PNG files, image by image": lambda keeps: _from_files(files, keeps),
        "a pass per frequency over pixels, a batch at once": lambda keeps: _from_pixels(probe.images, keeps),
    }

    def passes(filtered: Callable[[torch.Tensor], Iterator[torch.Tensor]]) -> None:
        for u, v in pairs[:: len(pairs) // FREQUENCIES][:FREQUENCIES]:
            keeps = torch.ones(SIZE, SIZE)
            keeps[u, v] = keeps[-u % SIZE, -v % SIZE] = 0
            for labels, seen in zip(labels_of_batch, filtered(keeps), strict=True):
                with torch.no_grad():
                    nn.functional.cross_entropy(model(seen.to(device)), labels, reduction="none").cpu()

    labels_of_batch = torch.from_numpy(probe.labels).to(device).split(BATCH)
    cases: dict[str, Callable[[], object]] = {
        OURS: lambda: sp.dominant_frequency_map(model, probe.images, probe.labels)
    }
    times: dict[str, list[Turn]] = take_turns(
        cases | {name: partial(passes, way) for name, way in ways.items()}, turns
    )
    rows = []
    for name, of_case in times.items():
        part = 1 if name == OURS else len(pairs) / FREQUENCIES
        scaled = [Turn(*(part * clock for clock in turn)) for turn in of_case]
        more = {} if name == OURS else compared(scaled, times[OURS], f"time of {OURS}")
        rows.append(row(name, len(pairs) * number / seconds(scaled), "removals/s", **more))
    return rows


def _png(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image.squeeze()).save(file, "PNG")
    return file.getvalue()


def _from_files(files: list[bytes], keeps: torch.Tensor) -> Iterator[torch.Tensor]:
    """Batches of images that are decoded and filtered one by one."""
    for start in range(0, len(files), BATCH):
        seen = []
        for file in files[start : start + BATCH]:
            pixels = torch.from_numpy(np.array(Image.open(BytesIO(file)))).float().div_(255)
            seen.append(torch.fft.ifft2(torch.fft.fft2(pixels) * keeps).real[None])
        yield torch.stack(seen)


def _from_pixels(images: np.ndarray, keeps: torch.Tensor) -> Iterator[torch.Tensor]:
    """Batches of images that are read and filtered together."""
    for start in range(0, len(images), BATCH):
        pixels = torch.from_numpy(images[start : start + BATCH]).movedim(-1, 1).float().div_(255)
        yield torch.fft.irfft2(torch.fft.rfft2(pixels) * keeps[:, : SIZE // 2 + 1], s=(SIZE, SIZE))


def _searches(device: torch.device, number: int, shares: tuple[float, ...], quick: bool) -> list[dict]:
    """Time and compare the searches on a network that was trained on the demo's images."""
    with tempfile.TemporaryDirectory() as folder:
        images = pack_images(Path(folder), SIZE, "grey", train=3840, held_out=2 * (CHOSEN + OTHERS))
        model = _trained(images, Path(folder, "work")).to(device)
        held_out = np.flatnonzero(images.split == HELD_OUT)
        pixels, labels = images.read(held_out), images.labels(LABEL)[held_out]
    few, others = (
        (pixels[part], labels[part]) for part in (slice(0, number), slice(CHOSEN, CHOSEN + OTHERS))
    )
    rows = []
    for share in shares:
        rows += _compared_searches(model, few, others, share, 1 if quick else 3)
    return rows


def _trained(images: PackedImages, work: Path) -> nn.Module:
    """Train as the demo does; a fixed seed."""
    task = make_task(images, Recipe(**demo_options()))
    with Lock(work) as lock:
        finished = run_training(task, "benchmark", lock)
    checkpoints = open_checkpoints(finished.folder / CHECKPOINTS)
    model = build_model(task.recipe, len(images.classes[LABEL]), images.channels, images.size)
    load_weights(model, checkpoints.load(max(checkpoints.steps)))
    return model


def _compared_searches(
    model: nn.Module, few: tuple, others: tuple, patch_share: float, turns: int
) -> list[dict]:
    """Time both searches; compare their masks after the last stage and the rates that these have on other images."""
    patches = sp.frequency_shortcuts(model, *few, search="patches", patch_share=patch_share)
    percent = 100 * float(patches.kept_share[:, -1].mean())
    ranked = sp.frequency_shortcuts(model, *few, top=[percent])
    times = take_turns(
        {
            "ranking": lambda: sp.frequency_shortcuts(model, *few, top=[percent]),
            "patches": lambda: sp.frequency_shortcuts(model, *few, search="patches", patch_share=patch_share),
        },
        turns,
    )
    what = f"{patch_share:.0%} of the patches per stage, {percent:.0f} % of the frequencies kept at last"
    rows = [
        row("shortcuts, search by ranking", seconds(times["ranking"]), "s"),
        row(
            f"shortcuts, search over patches, {what}",
            seconds(times["patches"]),
            "s",
            **compared(times["patches"], times["ranking"], "time of the ranking"),
        ),
    ]
    agreement, by_chance = overlap(ranked.kept[:, 0], patches.kept[:, -1])
    rows.append(
        row("same frequencies in both masks (Jaccard)", agreement, "1", "chance", agreement / by_chance)
    )
    for name, found in {"ranking": ranked, "patches": patches.isel(mask=[-1])}.items():
        tried = sp.frequency_shortcuts(model, *others, masks=found)
        for rate in ("tpr", "fpr"):
            value, clean = float(tried[f"mean_{rate}"][0]), float(tried[f"clean_{rate}"].mean())
            rows.append(
                row(f"{name}: {rate.upper()} on other images", value, "1", "all frequencies", value / clean)
            )
    return rows


def overlap(one: xr.DataArray, other: xr.DataArray) -> tuple[float, float]:
    """Return the Jaccard index of masks (class, u, v), mean over classes, and what it is by chance at these shares."""
    pairs = half_plane.frequency_pairs(one.sizes["u"]).T
    first, second = (mask.values.astype(bool)[:, *pairs] for mask in (one, other))
    both, either = (first & second).sum(axis=1), (first | second).sum(axis=1)
    shares = first.mean(axis=1), second.mean(axis=1)
    chance = shares[0] * shares[1] / (shares[0] + shares[1] - shares[0] * shares[1])
    return float((both / either).mean()), float(chance.mean())


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
