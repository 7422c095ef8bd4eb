"""Starts a daemon in the foreground, waits until it answers, and ends it by its process id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

TAIL = 40


class DaemonError(AssertionError):
    """A daemon did not start; the message ends with its log."""


class Daemon:
    """One daemon, in a process group of its own, with everything it prints in a log."""

    def __init__(self, name: str, command: list[str], log: Path, environment: Mapping[str, str]):
        self.name, self.command, self.log, self.environment = name, command, log, dict(environment)
        self.process: subprocess.Popen | None = None

    def start(self, answers: Callable[[], bool], seconds: float = 60.0) -> None:
        """Start it and wait until `answers` is true; fail with its log where it ends or stays silent."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        while not answers():
            if self.process.poll() is not None:
                raise DaemonError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > end:
                raise DaemonError(f"{self.name} did not answer within {seconds:.0f} s:\n{self.tail()}")
            time.sleep(0.1)

    def runs(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 15.0) -> None:
        """End it with a signal, and with SIGKILL where that does not help."""
        if not self.runs():
            return
        self.process.send_signal(number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-TAIL:])


def free_ports(number: int) -> list[int]:
    """Return ports of this host that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]


def listens(port: int) -> bool:
    """Whether something on this host accepts connections at a port."""
    with socket.socket() as opened:
        opened.settimeout(1.0)
        return opened.connect_ex(("127.0.0.1", port)) == 0


def processes_below(folder: Path) -> dict[int, str]:
    """Return processes that name a folder in their command line or environment: process id → command.

    Dead ones that nobody has waited for yet have neither, and so are none of them.
    """
    wanted, found = os.fsencode(folder), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if command and (wanted in command or wanted in (entry / "environ").read_bytes()):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def parent_of(process: int) -> int:
    """Return the id of the process that started another one."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def kill(processes: Iterable[int]) -> None:
    """End processes by their ids, at once; those that have ended already are no error."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
