"""A program that uses several GPUs: one process for each, started by torchrun."""

from __future__ import annotations

import logging
import os
import sys

from .lease import lease_gpus, share_with_children


def is_started_for_each() -> bool:
    """Tell whether torchrun has started this process."""
    return "RANK" in os.environ


def start_for_each(number: int) -> None:
    """Take so many GPUs, then become torchrun, which starts this very command once for each of them.

    Parameters
    ----------
    number : int
        Processes to start.
    """
    lease_gpus(number)
    share_with_children()
    logging.info("starting %d processes, one for each GPU", number)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={number}", "--"]
    os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])
