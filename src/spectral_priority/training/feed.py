"""Batches of the steps to come, read in the background while the present one is trained on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from .batches import Subset

AHEAD = 3
"""Batches that are read before they are asked for."""


class Feed:
    """The images of every step, in time.

    Where a batch is a cheap cut (images that lie on the device, or mapped pixels on the CPU) it is made when asked for;
    where it must be decoded or copied to the device, a thread makes the next few.

    Parameters
    ----------
    subset : Subset
    positions : function
        Step → positions in the subset.
    steps : int
        Of the training: none beyond is read.
    """

    def __init__(self, subset: Subset, positions: Callable[[int], np.ndarray], steps: int):
        self.subset, self.positions, self.steps = subset, positions, steps
        self._reader = None if subset.is_cheap else ThreadPoolExecutor(1, "feed")
        # Copies to the device run beside its computations, in a stream of their own.
        beside = self._reader is not None and subset.device.type == "cuda"
        self._stream = torch.cuda.Stream(subset.device) if beside else None
        self._waiting: dict[int, Future] = {}

    def take(self, step: int) -> tuple[np.ndarray, Tensor, Tensor]:
        """Return positions, raw images (sample, y, x, channel) uint8 and labels of a step."""
        if self._reader is None:
            return self._read(step)
        for ahead in range(step, min(step + AHEAD + 1, self.steps)):
            if ahead not in self._waiting:
                self._waiting[ahead] = self._reader.submit(self._read, ahead)
        positions, raw, labels = self._waiting.pop(step).result()
        if self._stream is not None:
            present = torch.cuda.current_stream(self.subset.device)
            present.wait_stream(self._stream)
            for tensor in (raw, labels):
                tensor.record_stream(present)
        return positions, raw, labels

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    def _read(self, step: int) -> tuple[np.ndarray, Tensor, Tensor]:
        positions = self.positions(step)
        with torch.cuda.stream(self._stream) if self._stream else nullcontext():
            return positions, *self.subset.cut(positions)
