"""Programs that run at the same time on one machine get different GPUs.

Snakemake counts GPUs but assigns none, so each program takes its own: it locks a file that stands for the GPU and sets
`CUDA_VISIBLE_DEVICES`. The kernel lets go of the lock when the process ends, however it ends. The files lie in a folder
of the user's below the system's temporary folder (`TMPDIR`), so that all Snakemakes of the machine see them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ..errors import InputError
from ..store.atomic import explained
from .present import VISIBLE, assigned_by_a_scheduler, usable_gpus

RUNS_PER_GPU = "SPECTRAL_PRIORITY_RUNS_PER_GPU"
"""Environment variable: how many programs may share a GPU (default: 1)."""
SHARED = "SPECTRAL_PRIORITY_LEASE"
"""Environment variable: the locked files, for the processes that one program starts."""
RETRY = 1.0
"""Seconds between looks while all GPUs are in use."""
GUARD = "guard"

_held: dict[int, Path] = {}
"""Open files of this process's leases: closed, and so unlocked, when it ends."""


def lease_gpus(number: int = 1) -> tuple[str, ...]:
    """Take GPUs for this process until it ends, and set `CUDA_VISIBLE_DEVICES` to them; call it before importing torch.

    Waits while others use them. Does nothing where there are no GPUs, or a scheduler has assigned them.

    Parameters
    ----------
    number : int
        GPUs that this process uses.

    Returns
    -------
    tuple of str
        Their UUIDs; empty where nothing was done.

    Raises
    ------
    InputError
        Where there are fewer GPUs, or an environment variable can't be used.
    """
    if SHARED in os.environ:
        _join(json.loads(os.environ[SHARED]))
        return tuple(os.environ[VISIBLE].split(","))
    if "LOCAL_RANK" in os.environ or assigned_by_a_scheduler(number):
        return ()  # torchrun was started by hand, and tells its processes their GPUs by number
    gpus = usable_gpus()
    if not gpus:
        return ()
    if number > len(gpus):
        raise InputError(
            "gpus",
            f"this training wants {number}, but there are {len(gpus)} that it may use",
            f"at most {len(gpus)}",
            f"lower recipes.<name>.gpus in the study, or name more GPUs in {VISIBLE}",
        )
    try:
        taken = _wait_for(number, gpus, runs_per_gpu())
    except OSError as error:
        raise explained(error, tempfile.gettempdir()) from error
    os.environ[VISIBLE] = ",".join(taken)
    logging.info("runs on %s, of %d that may be used here", ", ".join(taken), len(gpus))
    return tuple(taken)


def share_with_children() -> None:
    """Let the programs that this process starts, or becomes, hold its lease as well (they call `lease_gpus`)."""
    for file in _held:
        os.set_inheritable(file, True)
    if _held:
        os.environ[SHARED] = json.dumps([str(path) for path in _held.values()])


def runs_per_gpu() -> int:
    """Read how many programs may share a GPU."""
    found = os.environ.get(RUNS_PER_GPU, "1")
    if not found.isdigit() or int(found) < 1:
        raise InputError(RUNS_PER_GPU, f"found {found!r}", "a whole number, 1 or more")
    return int(found)


def lease_folder() -> Path:
    """Return the folder of the leases, made where it is missing.

    Raises
    ------
    InputError
        Where it is not this user's alone: somebody else could have made it.
    """
    path = Path(tempfile.gettempdir()) / f"spectral-priority-gpus-{os.getuid()}-{socket.gethostname()}"
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    facts = path.lstat()  # of a link itself, not of what it points to
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise InputError(
            path,
            "is not a folder of yours alone",
            "a folder that you own, mode 700",
            "remove it, or set TMPDIR",
        )
    return path


def _wait_for(number: int, gpus: list[str], runs: int) -> list[str]:
    folder, told = lease_folder(), False
    while True:
        with _one_at_a_time(folder):
            taken, holders = _take(folder, number, gpus, runs)
        if taken:
            return taken
        if not told:
            logging.info("waiting for %d of %d GPUs; in use: %s", number, len(gpus), "; ".join(holders))
            told = True
        time.sleep(RETRY)


def _take(folder: Path, number: int, gpus: list[str], runs: int) -> tuple[list[str], list[str]]:
    """Lock so many GPUs, those with the fewest programs first; or none, and say who holds them."""
    taken: dict[str, tuple[int, Path]] = {}
    holders = []
    for place in range(runs):
        for gpu in gpus:
            if gpu in taken or len(taken) == number:
                continue
            path = folder / f"{gpu.replace('/', '-')}.{place}"
            file = _open(path)
            if _is_free(file):
                taken[gpu] = file, path
            else:
                holders.append(f"{gpu} by {os.pread(file, 200, 0).decode(errors='replace') or 'a process'}")
                os.close(file)
    if len(taken) < number:
        for file, _ in taken.values():
            os.close(file)
        return [], holders
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    for file, _ in taken.values():
        with contextlib.suppress(OSError):  # a full disk: the others then wait for "a process"
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()} since {since}".encode(), 0)
        fcntl.flock(file, fcntl.LOCK_SH)  # this process's children can hold it, too; takers need LOCK_EX
    _held.update(taken.values())
    return list(taken), holders


def _join(files: list[str]) -> None:
    """Hold what the process that started this one has locked: it may be killed alone."""
    for name in files:
        file = _open(Path(name))
        fcntl.flock(file, fcntl.LOCK_SH)
        _held[file] = Path(name)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _is_free(file: int) -> bool:
    """Lock a file where nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time look at all GPUs and take some."""
    file = _open(folder / GUARD)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
