"""How far a program is: a bar when a person watches, now and then a plain line otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

PLAIN = "SPECTRAL_PRIORITY_PLAIN"
"""Set by the workflow: several programs share one terminal, where bars would overwrite each other."""


class _Lines:
    """A stream for tqdm on which every refresh is a line of its own."""

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text:
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def bar(label: str, total: int | None, unit: str = "it", initial: int = 0) -> tqdm:
    """Return a progress bar to call `update(n)` and `close()` on (also a context manager).

    Parameters
    ----------
    label : str
        What is going on, such as `train labels-shape-d0/base/seed0`.
    total : int or None
        Number of steps, None where it is not known.
    """
    if sys.stderr.isatty() and PLAIN not in os.environ:
        return tqdm(total=total, desc=label, unit=unit, initial=initial, dynamic_ncols=True, smoothing=0.1)
    form = "{desc}: {n_fmt}/{total_fmt} {unit}, {elapsed} gone, {remaining} left{postfix}"
    if total is None:
        form = "{desc}: {n_fmt} {unit}, {elapsed} gone{postfix}"
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        initial=initial,
        file=_Lines(),
        bar_format=form,
        mininterval=10,
        miniters=1,
    )


def track(items: Iterable[Item], label: str, total: int | None = None, unit: str = "it") -> Iterator[Item]:
    """Go through items, showing how far."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(label, total, unit) as shown:
        for item in items:
            yield item
            shown.update()
