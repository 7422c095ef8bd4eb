"""What spectra of weight gradients cost over a plain backward pass, by kind of layer.

Each model holds layers of one kind and a small head. Plain is one forward and one backward pass to all weights, as a
training step has it. Recording gives the gradients of groups from the same pass, as `group_gradients` does inside a
training; the measure adds the singular values, their errors and, apart, the test of groups.
"""

from __future__ import annotations

import torch
from interleaved import compared, row, seconds, take_turns
from torch import nn

import spectral_priority as sp
from spectral_priority.measures.measured_model import full_precision

TITLE = "Spectra of weight gradients over a plain forward and backward pass"

GROUPS = 4
NUMBER = 64
"""Images."""


def models() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Return by kind of layer a model of it, and the shape of an image or volume."""
    torch.manual_seed(0)
    widths = {1: 64, 2: 32, 3: 16}
    sides = {1: (256,), 2: (32, 32), 3: (16, 16, 16)}
    made: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "Linear, 16 rows per group": (
            nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 512), nn.ReLU(), nn.Linear(512, 10)),
            (3, 32, 32),
        )
    }
    for dimensions, width in widths.items():
        kind = getattr(nn, f"Conv{dimensions}d")
        pool = getattr(nn, f"AdaptiveAvgPool{dimensions}d")(1)
        layers = [kind(1, width, 3, padding=1), nn.ReLU(), kind(width, 2 * width, 3, padding=1), nn.ReLU()]
        shape = (1, *sides[dimensions])
        flat = [nn.Flatten(2)] if dimensions == 1 else []
        shape = (1, 16, 16) if dimensions == 1 else shape
        made[f"Conv{dimensions}d"] = (
            nn.Sequential(*flat, *layers, pool, nn.Flatten(), nn.Linear(2 * width, 10)),
            shape,
        )
    return made


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: fewer turns."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = []
    for kind, (model, shape) in models().items():
        rows += _of_kind(kind, model.to(device), shape, device, 3 if quick else 9)
    return rows


def _of_kind(
    kind: str, model: nn.Module, shape: tuple[int, ...], device: torch.device, turns: int
) -> list[dict]:
    images = torch.rand(NUMBER, *shape, device=device)
    labels = torch.arange(NUMBER) % GROUPS
    on_device = labels.to(device)

    def step() -> None:
        model.zero_grad()
        with full_precision():
            nn.functional.cross_entropy(model(images), on_device).backward()

    def recorded() -> None:
        with sp.group_gradients(model, labels):
            step()

    cases = {
        "plain": step,
        f"gradients of {GROUPS} groups": recorded,
        "measure without test": lambda: sp.gradient_svd(model, images, labels, permutations=0),
        "measure": lambda: sp.gradient_svd(model, images, labels),
    }
    times = take_turns(cases, turns)
    return [
        row(
            f"{kind}: {name}",
            1000 * seconds(of_case),
            "ms",
            **(compared(of_case, times["plain"], "plain pass") if name != "plain" else {}),
        )
        for name, of_case in times.items()
    ]
