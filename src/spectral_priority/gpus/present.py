"""The GPUs of this machine that a program may use, by their UUIDs, without torch or CUDA."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError

DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver lists GPUs, for machines without `nvidia-smi`."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
JOB_IDS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
"""Of schedulers that assign GPUs to their jobs."""
UUID = re.compile(r"UUID:\s*((GPU|MIG)-[^\s)]+)")
PATIENCE = 60.0
"""Seconds that `nvidia-smi` gets: it may have to wake the driver."""


def usable_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """List the GPUs that CUDA may use here.

    Parameters
    ----------
    environment : mapping
        Of which `CUDA_VISIBLE_DEVICES` counts; its numbers are those of `nvidia-smi`.

    Returns
    -------
    list of str
        UUIDs; of a GPU that is divided (MIG) those of its instances. Empty where there is none.

    Raises
    ------
    InputError
        Where `CUDA_VISIBLE_DEVICES` names a GPU that is not there.
    """
    visible = environment.get(VISIBLE)
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        return []
    present = list_gpus()
    if visible is None or not present:
        return [unit for units in present.values() for unit in units]
    chosen = [unit for name in visible.split(",") for unit in _named(name.strip(), present)]
    return list(dict.fromkeys(chosen))


def assigned_by_a_scheduler(number: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this is a job of a scheduler which gave it no more GPUs than it wants.

    A job that got more (an interactive one, in which a whole study runs) shares them out itself.

    >>> assigned_by_a_scheduler(1, {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "2"})
    True
    >>> assigned_by_a_scheduler(1, {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "2,3"})
    False
    >>> assigned_by_a_scheduler(1, {"CUDA_VISIBLE_DEVICES": "2"})
    False
    """
    given = [name for name in environment.get(VISIBLE, "").split(",") if name.strip()]
    return any(name in environment for name in JOB_IDS) and len(given) <= number


def list_gpus() -> dict[str, list[str]]:
    """List all GPUs in the order of `nvidia-smi`: UUID → UUIDs of its MIG instances, or itself."""
    if shutil.which("nvidia-smi"):
        try:
            said = subprocess.run(
                ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=PATIENCE, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            logging.warning("nvidia-smi lists no GPUs (%s): this program is assigned none", error)
            return {}
    else:
        said = "\n".join(path.read_text() for path in sorted(DRIVER.glob("*/information")))
    return _read_list(said)


def _read_list(said: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for uuid, kind in UUID.findall(said):
        if kind == "GPU":
            found[uuid] = []
        elif found:
            found[list(found)[-1]].append(uuid)
    return {uuid: instances or [uuid] for uuid, instances in found.items()}


def _named(name: str, present: Mapping[str, list[str]]) -> list[str]:
    """What one entry of `CUDA_VISIBLE_DEVICES` stands for: a number, or the beginning of a UUID."""
    gpus = list(present)
    if name.isdigit() and int(name) < len(gpus):
        return present[gpus[int(name)]]
    if name.startswith(("GPU-", "MIG-")):
        for uuid, instances in present.items():
            if uuid.startswith(name):
                return instances
            for instance in instances:
                if instance.startswith(name):
                    return [instance]
    raise InputError(
        VISIBLE,
        f"found {name!r}, which is none of this machine's GPUs",
        f"numbers from 0 to {len(gpus) - 1}, or UUIDs, as nvidia-smi -L prints them",
    )
