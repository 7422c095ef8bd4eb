"""One process at a time works in a folder: a lock with its holder's name and a heartbeat, for shared disks.

A killed Snakemake can leave its cluster job running, and the next start must not train the same run beside it. Locks of
the operating system alone don't tell who holds them, and not every shared file system has them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from ..errors import InputError
from ..store.atomic import explained, write_json

HEARTBEAT, DEAD_AFTER, RETRY = 10.0, 180.0, 5.0
"""Seconds between heartbeats, without one until a lock counts as abandoned, and between looks while waiting."""


class Lock:
    """Hold a folder for this process, as a context manager.

    A lock is taken over where its process is known to be dead (same machine), or its last heartbeat is older than three
    minutes, by the file system's clock, not by ours.

    Parameters
    ----------
    folder : path
        Made where it is missing.
    wait_minutes : float
        How long to wait for another process that holds it.

    Raises
    ------
    InputError
        On entering, where another process still holds the folder: names it.
    """

    def __init__(self, folder: str | Path, wait_minutes: float = 0.0):
        self.folder, self.wait_minutes = Path(folder), wait_minutes
        self.path, self.guard = self.folder / "lock", self.folder / "lock.guard"
        self.token = uuid.uuid4().hex
        self.took_over: dict[str, Any] | None = None
        self._lost = False
        self._looked = time.time()
        self._stop = threading.Event()

    def __enter__(self) -> Lock:
        give_up, told = time.monotonic() + 60 * self.wait_minutes, False
        while not self._take(last_try=time.monotonic() >= give_up):
            if not told:
                logging.info("waiting for %s", _described(_read(self.path)))
                told = True
            time.sleep(RETRY)
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError), _one_at_a_time(self.guard):
            if _read(self.path).get("token") == self.token:
                self.path.unlink()

    def check(self) -> None:
        """Refuse to go on where another process has taken the lock over (this one slept for minutes)."""
        if time.time() - self._looked > 2 * HEARTBEAT:  # it has just woken up
            self._look()
        if self._lost:
            holder = _read(self.path)
            if not holder:
                raise InputError(
                    self.path, "was removed", todo="see that nobody else works here; start again"
                )
            raise InputError(
                self.path,
                f"was taken over by {_described(holder)}, as this process gave no sign for minutes",
                todo="let the other process finish",
            )

    def _take(self, last_try: bool) -> bool:
        """Take the lock where it is free or abandoned; on the last try, refuse where it is not."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(self.guard):
                touched = self._touched()
                if touched is not None:
                    holder, age = _read(self.path), self._now() - touched
                    if not _abandoned(holder, age):
                        if last_try:
                            raise _refusal(self.path, holder, age)
                        return False
                    self.took_over = holder
                write_json(self.path, {**_this_process(), "token": self.token})
        except OSError as error:
            raise explained(error, self.path) from error
        return True

    def _touched(self) -> float | None:
        try:
            return self.path.stat().st_mtime
        except FileNotFoundError:
            return None

    def _now(self) -> float:
        """Return the time that the file system gives a file touched now: clocks of machines differ."""
        os.utime(self.guard)
        return self.guard.stat().st_mtime

    def _beat(self) -> None:
        while not self._lost and not self._stop.wait(HEARTBEAT):
            self._look()

    def _look(self) -> None:
        """Note where the lock is another's, or gone; otherwise give a sign of life."""
        try:
            ours = self.token.encode() in self.path.read_bytes()
            if ours:
                os.utime(self.path)
        except FileNotFoundError:
            ours = False
        except OSError:
            return  # a hiccup of the disk: the next look tells
        self._lost, self._looked = not ours, time.time()


@dataclass(frozen=True)
class Seen:
    """A lock as someone else sees it.

    Attributes
    ----------
    holder : dict
        `host`, `pid`, `job`, `since`; empty where the lock can't be read.
    age : float
        Seconds since its last sign of life, by this machine's clock.
    abandoned : bool
        Whether a new start would take it over.
    """

    holder: dict[str, Any]
    age: float
    abandoned: bool


def last_seen(folder: Path) -> Seen | None:
    """Look at a folder's lock without touching it; None where nobody holds it."""
    try:
        age = time.time() - (folder / "lock").stat().st_mtime
    except OSError:
        return None
    holder = _read(folder / "lock")
    return Seen(holder, age, _abandoned(holder, age))


def _abandoned(holder: dict[str, Any], age: float) -> bool:
    here = _this_process()
    neighbour = all(holder.get(key) == here[key] for key in ("host", "namespace"))
    return age > DEAD_AFTER or (neighbour and not _alive(holder["pid"]))


def _refusal(path: Path, holder: dict[str, Any], age: float) -> InputError:
    return InputError(
        path,
        f"{_described(holder)}, works on this, its last sign of life {max(0, age):.0f} s ago",
        "one process at a time",
        f"wait for it or stop it; {DEAD_AFTER:.0f} s after its last sign of life a new start takes over",
    )


@contextlib.contextmanager
def _one_at_a_time(guard: Path) -> Iterator[None]:
    """Let one process at a time look at a lock and take it; the kernel lets go of it when the process dies."""
    with guard.open("a") as file:
        with contextlib.suppress(OSError):  # file systems without flock: two takers in the same millisecond
            fcntl.flock(file, fcntl.LOCK_EX)  # are then found by the heartbeat
        yield


def _this_process() -> dict[str, Any]:
    try:
        namespace = str(
            Path("/proc/self/ns/pid").readlink()
        )  # in another container, numbers name other processes
    except OSError:
        namespace = ""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "namespace": namespace,
    }


def _read(path: Path) -> dict[str, Any]:
    """Return what a lock says; nothing where it is gone or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _described(holder: dict[str, Any]) -> str:
    job = f", job {holder['job']}" if holder.get("job") else ""
    return f"process {holder.get('pid', '?')} on {holder.get('host', '?')}{job}, since {holder.get('since', '?')}"


def _alive(pid: int) -> bool:
    """A process that ended but that nobody has asked after yet (a zombie) is dead too."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
