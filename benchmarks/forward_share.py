"""Which share of a measure's time the model's own forward passes take, at the default batch size.

Told in two ways. Inside: the time from the model's call to its return, over the time of the very same measurement;
other work on the machine disturbs it little. Alone: the measure takes turns with as many passes on pixels of the same
shapes that lie ready, in the measure's precision and without gradients. What is missing to 1 is everything else:
reading and transforming images, making what the model sees, statistics of the answers, backward passes where there
are some.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from interleaved import Turn, compared, row, seconds, take_turns
from made_data import CLASSES, demo_options, made_probe
from results import print_rows
from torch import nn

from spectral_priority.config.recipe import Recipe
from spectral_priority.measures.measured_model import measuring
from spectral_priority.measures.probe import Probe
from spectral_priority.measures.registry import load_measure, measure_options
from spectral_priority.models import build_model

TITLE = "Share of a measure's time that the model's forward passes take, images of 32 px, default options"

SIZE = 32
DEMO, RESNET = "small_cnn of the demo, grey", "resnet18 with CIFAR stem, RGB"
IMAGES = {
    DEMO: {
        "fourier-heatmap": 32,
        "critical-band": 512,
        "band-accuracy": 1024,
        "dfm": 160,
        "shortcuts": 160,
        "shortcuts, search: patches": 32,
        "fprinciple": 1024,
        "paths": 256,
    },
    RESNET: {
        "fourier-heatmap": 2,
        "critical-band": 32,
        "band-accuracy": 64,
        "dfm": 2,
        "shortcuts": 2,
    },
}
"""By model and measure: so many that a turn takes some seconds, in full batches of passes; the demo's probe has 160."""


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: the demo's model alone, fewer turns."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    models = {DEMO: (Recipe(**demo_options()), 1, 9), RESNET: (Recipe(model="resnet18", stem="cifar"), 3, 5)}
    rows = []
    for name, (recipe, channels, turns) in models.items():
        if quick and name != DEMO:
            continue
        model = build_model(recipe, len(CLASSES), channels, SIZE).to(device)
        for case, number in IMAGES[name].items():
            probe = made_probe(number, SIZE, channels)
            rows += _share(f"{name}: {case}", case, model, probe, 3 if quick else turns)
    return rows


def _share(what: str, case: str, model: nn.Module, probe: Probe, turns: int) -> list[dict]:
    """Time a measure, its forward passes as it makes them, and the same passes alone."""
    name, _, option = case.partition(", ")
    options = measure_options(name, dict([option.split(": ")] if option else []))
    taken, inside = load_measure(name), []

    def measure() -> None:
        with forward_time(model) as spent:
            taken(model, probe, options)
        inside.append(Turn(*spent))

    passes = forward_passes(model, lambda: taken(model, probe, options))
    times = take_turns({"measure": measure, "passes": _alone(model, passes)}, turns)
    images, over = sum(len(pixels) * number for pixels, number in passes), "the measure's time"
    return [
        row(
            f"{what}: {title}",
            images / seconds(of_case),
            "images/s",
            **compared(of_case, times["measure"], over),
        )
        for title, of_case in (
            ("passes inside it", inside[-turns:]),
            ("the same passes alone", times["passes"]),
        )
    ]


@contextmanager
def forward_time(model: nn.Module) -> Iterator[list[float]]:
    """Give the seconds that a model's forward passes take from now on, by the clock and of processor time."""
    spent, begun = [0.0, 0.0], [0.0, 0.0]

    def clocks() -> tuple[float, float]:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def before(*_: object) -> None:
        begun[:] = clocks()

    def after(*_: object) -> None:
        spent[:] = [total + now - then for total, now, then in zip(spent, clocks(), begun, strict=True)]

    hooks = [model.register_forward_pre_hook(before), model.register_forward_hook(after)]
    try:
        yield spent
    finally:
        for hook in hooks:
            hook.remove()


def forward_passes(model: nn.Module, measure: Callable[[], object]) -> list[tuple[torch.Tensor, int]]:
    """Return pixels of every shape that a measure gives to a model, and how often it gives such."""
    seen: dict[torch.Size, torch.Tensor] = {}
    counts: Counter[torch.Size] = Counter()

    def note(_: nn.Module, given: tuple[torch.Tensor]) -> None:
        counts[given[0].shape] += 1
        seen.setdefault(given[0].shape, given[0].detach().clone())

    hook = model.register_forward_pre_hook(note)
    measure()
    hook.remove()
    return [(pixels, counts[shape]) for shape, pixels in seen.items()]


def _alone(model: nn.Module, passes: list[tuple[torch.Tensor, int]]) -> Callable[[], None]:
    def alone() -> None:
        with measuring(model) as measured, torch.no_grad():
            for pixels, number in passes:
                for _ in range(number):
                    measured(pixels)

    return alone


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
