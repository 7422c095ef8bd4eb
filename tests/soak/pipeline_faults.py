"""What can befall a study: kinds of faults, each of which changes files or stops processes of one round."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL = 0.02
BUSY_SECONDS = 10.0
"""How long to try to make a disk read-only, which it refuses while a file is being written."""
DAY = 86_400


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    name : str
    starts : tuple of str
        What its rounds may begin with (`tiny_study.begin`).
    strike : callable
        Does it, given the round's folder, the running process (None for faults between two runs) and random numbers;
        returns in words what was done.
    between : bool
        Whether it strikes between two runs, not during one.
    disk : str
        `full` or `read-only`: results/ is a small disk of its own.
    """

    name: str
    starts: tuple[str, ...]
    strike: Callable[[Path, subprocess.Popen | None, random.Random], str]
    between: bool = False
    disk: str = ""


# --- processes ----------------------------------------------------------------------------------------------


def _kill(number: signal.Signals, whom: str) -> Callable[..., str]:
    def strike(folder: Path, process: subprocess.Popen, draw: random.Random) -> str:
        if whom == "main":
            process.send_signal(number)
            return f"{number.name} to Snakemake"
        if whom == "group":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            return f"{number.name} to Snakemake and its programs"
        child = _program(process, draw)
        if child is None:
            process.send_signal(number)
            return f"{number.name} to Snakemake, for no program was running"
        with contextlib.suppress(psutil.NoSuchProcess):
            child.send_signal(number)
        return f"{number.name} to {_named(child)}"

    return strike


def _program(process: subprocess.Popen, draw: random.Random) -> psutil.Process | None:
    """One of the running programs below Snakemake; waits a little for one."""
    end = time.monotonic() + 5
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
            children = [child for child in children if _named(child).endswith(".py")]
            if children:
                return draw.choice(children)
        time.sleep(POLL)
    return None


def _named(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return next((Path(word).name for word in process.cmdline() if word.endswith(".py")), "a shell")
    return "a program that ended"


# --- disks --------------------------------------------------------------------------------------------------


def can_mount(folder: Path) -> bool:
    """Tell whether small disks can be mounted here (root, outside most containers)."""
    place = folder / "mounted"
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if done.returncode == 0:
        subprocess.run(["umount", str(place)], check=True)
    return done.returncode == 0


def mount(place: Path) -> None:
    """Put a disk of its own at a folder."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)


def unmount(place: Path) -> None:
    """Take the disk away, with all on it."""
    subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def mend(place: Path) -> None:
    """Make the disk large and writable again."""
    subprocess.run(["mount", "-o", "remount,rw,size=64m", str(place)], check=True)


def _fill(folder: Path, process: subprocess.Popen | None, draw: random.Random) -> str:
    used = subprocess.run(["du", "-sk", folder / "results"], capture_output=True, text=True, check=True)
    size = int(used.stdout.split()[0]) + draw.choice([0, 8, 24, 64, 128, 256])
    subprocess.run(["mount", "-o", f"remount,size={size}k", str(folder / "results")], check=True)
    return f"a disk of {size} KiB"


def _make_read_only(folder: Path, process: subprocess.Popen | None, draw: random.Random) -> str:
    end = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < end:
        words = ["mount", "-o", "remount,ro", str(folder / "results")]
        if subprocess.run(words, capture_output=True).returncode == 0:
            return "results/ read-only"
        time.sleep(POLL)
    return "results/ stayed writable: always a file was being written"


# --- files --------------------------------------------------------------------------------------------------


def _files(folder: Path, draw: random.Random) -> list[Path]:
    """Files of results/ in a random order; some of them hard links of one, as they are in a study."""
    skipped = ("logs", "benchmarks", "damaged")
    found = [
        path for path in sorted((folder / "results").rglob("*")) if path.is_file() and path.stat().st_size
    ]
    found = [path for path in found if path.relative_to(folder / "results").parts[0] not in skipped]
    draw.shuffle(found)
    return found


def _change(how: str, keeps_time: bool = False) -> Callable[..., str]:
    def strike(folder: Path, process: subprocess.Popen | None, draw: random.Random) -> str:
        told = []
        for path in _files(folder, draw)[: draw.choice([1, 1, 2, 4])]:
            status, content = path.stat(), bytearray(path.read_bytes())
            if how == "cut short":
                content = content[: draw.randrange(len(content))]
            elif how == "flipped":
                content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            elif how == "another file":
                others = [other for other in _files(folder, draw) if other.suffix == path.suffix]
                others = [other for other in others if other.read_bytes() != content]
                content = bytearray(others[0].read_bytes() if others else b"of another program")
            path.write_bytes(content)  # in place, so hard links of it change too
            if keeps_time:
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            told.append(path.relative_to(folder / "results").as_posix())
        return f"{how}{' (its time kept)' if keeps_time else ''}: {', '.join(told)}"

    return strike


def _shift(folder: Path, process: subprocess.Popen | None, draw: random.Random) -> str:
    shift = draw.choice([-400, -1, 1, 400]) * DAY
    files = [path for path in _files(folder, draw) if draw.random() < draw.choice([0.1, 0.5, 1.0])]
    for path in files:
        status = path.stat()
        os.utime(path, (status.st_atime + shift, status.st_mtime + shift))
    return f"times of {len(files)} files {shift // DAY:+d} days"


def _replace_by_folder(folder: Path, process: subprocess.Popen | None, draw: random.Random) -> str:
    files = [path for path in _files(folder, draw) if "state" not in path.parts]
    files[0].unlink()
    files[0].mkdir()
    return f"a folder in the place of {files[0].relative_to(folder / 'results').as_posix()}"


ANY, MADE = ("empty", "half", "half"), ("half", "whole", "whole")
KINDS = [
    *(
        Kind(f"{number.name} to {whom}", ANY, _kill(number, whom))
        for whom in ("main", "group", "program")
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
        if (whom, number) != ("program", signal.SIGINT)
    ),
    Kind("full disk", ("half",), _fill, disk="full"),
    Kind("read-only results", ("half",), _make_read_only, disk="read-only"),
    Kind("file cut short", MADE, _change("cut short"), between=True),
    Kind("bit flipped", MADE, _change("flipped"), between=True),
    Kind("bit flipped, time kept", MADE, _change("flipped", keeps_time=True), between=True),
    Kind("another file in its place", MADE, _change("another file"), between=True),
    Kind("folder in its place", MADE, _replace_by_folder, between=True),
    Kind("changed clock", MADE, _shift, between=True),
]
