"""Put aside what is no longer as it was made, before Snakemake takes it for up to date.

The log of each program tells the size, times and SHA-256 of what it made (store/made.py). A file whose size and times
are as told is taken as it is; any other is read. One with other content (cut short, overwritten, edited by hand) is
moved to results/damaged/, where nothing reads it, and the same command makes it anew. One with the same content
(copied, touched, or from a machine with another clock) gets its time back, so that nothing is made again because of it.
No result is left with a time in the future, for Snakemake refuses whatever is made from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import InputError
from ..store.atomic import write_json
from ..store.checksum import file_sha256
from ..store.made import Made, read_made

RESULTS, ASIDE = Path("results"), Path("results/damaged")
SEEN = Path("results/state/seen.json")
"""Times and SHA-256 of files that were read here because they were not as told, so that each is read once."""


def put_aside_damaged(folder: Path, studies: Iterable[str]) -> list[Path]:
    """Look at every result that a log of some studies tells of, and put aside those with other content.

    Parameters
    ----------
    folder : path
        The working directory of Snakemake, which holds results/.
    studies : iterable of str
        Folders of results/logs/.

    Returns
    -------
    list of Path
        What was put aside, as its log called it.

    Raises
    ------
    InputError
        Where a damaged file can't be moved.
    """
    seen, present = _read_seen(folder / SEEN), time.time_ns()
    before, aside = dict(seen), []
    for told in _told(folder, studies):
        path = folder / told.path
        try:
            status = path.stat()
        except OSError:
            continue  # removed: Snakemake makes it again where it is needed
        now = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, told.sha256]
        expected = [told.size, told.mtime_ns, told.ctime_ns, told.sha256]
        if status.st_mtime_ns <= present and now in (expected, seen.get(told.path)):
            continue
        if not path.is_file() or status.st_size != told.size or file_sha256(path) != told.sha256:
            _move(path, folder / ASIDE / Path(told.path).relative_to(RESULTS))
            aside.append(Path(told.path))
            continue
        with contextlib.suppress(OSError):
            os.utime(path, ns=(status.st_atime_ns, min(told.mtime_ns, present)))
        status = path.stat()
        seen[told.path] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, told.sha256]
    if seen != before:
        with contextlib.suppress(InputError):  # a full disk: they are read again the next time
            write_json(folder / SEEN, seen)
    return aside


def missing_since(folder: Path) -> set[str]:
    """Return the results that were put aside and have not been made again, as paths from a folder."""
    aside = folder / ASIDE
    entries = (path for path in aside.rglob("*") if path.is_file() or not any(path.iterdir()))
    put = (RESULTS / path.relative_to(aside) for path in entries)
    return {path.as_posix() for path in put if not (folder / path).exists()}


def remove_if_other(folder: Path, name: str, text: str) -> None:
    """Remove a file that says anything but a text, or is from the future; a folder in its place is put aside.

    Raises
    ------
    InputError
        Where a folder can't be moved.
    """
    path = folder / name
    if path.is_dir():
        _move(path, folder / ASIDE / Path(name).relative_to(RESULTS))
    elif path.exists() and (path.read_bytes() != text.encode() or path.stat().st_mtime_ns > time.time_ns()):
        with contextlib.suppress(OSError):
            path.unlink()


def _told(folder: Path, studies: Iterable[str]) -> Iterator[Made]:
    for study in studies:
        for log in sorted((folder / RESULTS / "logs" / study).rglob("*.log")):
            last = {made.path: made for made in read_made(log)}  # a program started twice appends to its log
            for made in last.values():
                path = Path(made.path)
                if not path.is_absolute() and path.parts[:1] == RESULTS.parts and ".." not in path.parts:
                    yield made


def _read_seen(path: Path) -> dict[str, list]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _move(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        path.rename(target)
    except OSError as error:
        raise InputError(
            path,
            f"is not as it was made, and can't be moved to {target} ({error.strerror})",
            todo="delete it and give the same command again",
        ) from None
