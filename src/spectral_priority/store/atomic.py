"""A file appears under its final name whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError

HOST = socket.gethostname()
WRITTEN: dict[Path, None] = {}
"""Files that this process gave their names, in order."""


@contextlib.contextmanager
def atomic(target: str | Path) -> Iterator[Path]:
    """Give a path beside `target` to write to; on success it is synced and moved over the target.

    On any error the target is left as it was and the partial file is removed.

    Raises
    ------
    InputError
        Where the disk is full or the folder can't be written, naming the target.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with atomic(folder / "a.txt") as path:
    ...     _ = path.write_text("whole")
    >>> [file.name for file in folder.iterdir()]
    ['a.txt']
    """
    target = Path(target)
    partial = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_partials_of_the_dead(target)
        owner = f"{HOST}.{os.getpid()}."
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.{owner}", suffix=".partial", dir=target.parent
        )
        os.close(handle)
        partial = Path(name)
        partial.chmod(0o666 & ~_umask())
        yield partial
        sync(partial)
        partial.replace(target)
        sync(target.parent)
        WRITTEN[target] = None
    except OSError as error:
        mended = explained(error, target)
        if mended is error:
            raise
        raise mended from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def remove_partials(target: Path) -> None:
    """Remove what processes of any machine that were killed left beside a file; for who alone may write it."""
    for partial in _partials(target, "*"):
        partial.unlink(missing_ok=True)


def _partials(target: Path, owner: str) -> Iterator[Path]:
    return target.parent.glob(f".{glob.escape(target.name)}.{owner}.partial")


def _remove_partials_of_the_dead(target: Path) -> None:
    """Remove what processes of this machine that were killed while writing the same file left beside it."""
    for partial in _partials(target, f"{HOST}.*"):
        pid = int(partial.name.rsplit(".", 3)[1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            partial.unlink(missing_ok=True)
        except PermissionError:  # alive, of another user
            continue


def explained(error: OSError, target: Path) -> Exception:
    """Turn a full disk or an unwritable folder into an InputError; any other error stays what it is.

    Libraries wrap the number of the system's error (HDF5 puts it into its text), so the text is looked at too.
    """
    text = str(error).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "no space left" in text or "errno = 28" in text:
        return InputError(target, "the disk is full", todo="free some space and give the same command again")
    if error.errno == errno.EFBIG:
        return InputError(target, "would become larger than its disk or this user's limit allows")
    if (
        error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
        or "permission denied" in text
    ):
        reason = error.strerror or str(error)
        return InputError(target, f"can't be written ({reason})", "a folder that this user may write to")
    return error


def check_writable(folder: str | Path) -> None:
    """Make a folder where it is missing, and refuse one that can't be written to, or whose disk is full."""
    with atomic(Path(folder) / ".writable") as path:
        path.write_text("yes")
    (Path(folder) / ".writable").unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, survive a power cut."""
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(target: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: str | Path, value: Any) -> None:
    """Write JSON atomically, indented, keys in the order given."""
    write_text(target, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON; a damaged file is refused by name."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except (ValueError, OSError) as error:
        raise InputError(
            path, f"can't be read as JSON ({error})", todo="delete it and make it again"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
