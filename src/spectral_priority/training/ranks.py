"""Several processes, one for each GPU, that share the batches of one training (torchrun starts them).

The first process is the only one that writes: it holds the lock, evaluates, saves and publishes. The others follow it
step by step. With one process everything here does nothing.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from datetime import timedelta

import torch
from torch import Tensor, nn

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the first one evaluates alone."""


class Ranks:
    """The processes of a training.

    Parameters
    ----------
    device : torch.device
        This process's.
    number, rank : int
        How many processes there are, and which this one is.
    """

    def __init__(self, device: torch.device, number: int = 1, rank: int = 0):
        self.device, self.number, self.rank = device, number, rank
        self._control = None
        if self.number > 1:
            distributed = torch.distributed
            backend = "nccl" if device.type == "cuda" else "gloo"
            distributed.init_process_group(backend, timeout=PATIENCE)
            self._control = distributed.new_group(backend="gloo", timeout=PATIENCE)

    def close(self) -> None:
        """Leave the others."""
        if self.number > 1:
            torch.distributed.destroy_process_group()

    def told(self, word: object) -> object:
        """Return the first process's word in every process."""
        if self.number == 1:
            return word
        words = [word]
        torch.distributed.broadcast_object_list(words, src=0, group=self._control)
        return words[0]

    @torch.no_grad()
    def copy_from_first(self, tensors: Mapping[str, Tensor]) -> None:
        """Give every process the first one's tensors."""
        if self.number > 1:
            for _, tensor in sorted(tensors.items()):
                torch.distributed.broadcast(tensor, src=0)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over the processes."""
        if self.number > 1:
            values = values.clone()
            torch.distributed.all_reduce(values)
            values /= self.number
        return values

    def share(self, batch: int) -> slice:
        """Return this process's part of a batch of so many images."""
        part = batch // self.number
        return slice(self.rank * part, (self.rank + 1) * part)

    def joined(self, step: nn.Module) -> nn.Module:
        """Wrap the module that computes a step's loss, so that gradients are averaged over the processes."""
        if self.number == 1:
            return step
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(step, device_ids=devices, broadcast_buffers=False)

    def synchronised(self, model: nn.Module) -> nn.Module:
        """Return a model on the same tensors whose batch normalisation sees the whole batch, not this process's part.

        The model itself stays as it is, for the first process evaluates it alone.
        """
        if self.number == 1 or self.device.type != "cuda":
            return model
        tensors = [*model.parameters(), *model.buffers()]
        twin = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
        return nn.SyncBatchNorm.convert_sync_batchnorm(twin)


def sharing(device: torch.device) -> tuple[int, int]:
    """Return how many processes share a training and which this one is; on the CPU the first one trains alone.

    >>> sharing(torch.device("cpu"))
    (1, 0)
    """
    if device.type == "cpu":
        return 1, 0
    return int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
