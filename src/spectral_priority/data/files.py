"""Files of folders and archives (zip, tar, tar.gz, tar.bz2, tar.xz), read as one stream; nothing is ever extracted.

An archive that holds an absolute path, a path with .., a link or a device is refused by that member's name, and one
that ends too early or is damaged is refused too: what was read so far is not a data set.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, NoReturn

from ..errors import InputError

MAX_BYTES = 1 << 30
"""Larger members are refused: no image file of a data set is."""
OPENERS: dict[bytes, Callable[[Path], BinaryIO]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]
    b"BZh": bz2.open,  # type: ignore[dict-item]
    b"\xfd7zXZ\x00": lzma.open,  # type: ignore[dict-item]
}
"""First bytes of the compressed files that a tar may be in."""
DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    gzip.BadGzipFile,
)
"""What reading a damaged archive raises."""
AGAIN = "copy or download it again"


def enter_none(member: str) -> bool:
    """Enter no archive inside an archive.

    >>> enter_none("n01440764.tar")
    False
    """
    return False


def read_files(
    path: Path, wanted: Callable[[str], bool], enters: Callable[[str], bool] = enter_none
) -> Iterator[tuple[str, bytes]]:
    """Go through the files of a folder or an archive once, each as a whole.

    Parameters, order and errors are those of `open_files`; files of more than `MAX_BYTES` are refused.

    Yields
    ------
    member, content : str, bytes
    """
    for member, file in open_files(path, wanted, enters):
        if file.size > MAX_BYTES:
            _refuse(path, member, f"has {file.size:,} bytes")
        yield member, file.read()


class Opened:
    """A file of a folder or an archive, to be read before the next one is asked for.

    Attributes
    ----------
    size : int
        Bytes that it is said to have.
    """

    def __init__(self, path: object, member: str, stream: IO[bytes], size: int):
        self._path, self._member, self._stream, self.size = path, member, stream, size

    def read(self, most: int = -1) -> bytes:
        """Read so many bytes, fewer only at the end; a damaged archive is refused by name."""
        try:
            return self._stream.read(most)
        except DAMAGES as error:
            raise _damaged(self._path, error) from error
        except NotImplementedError as error:
            _refuse(self._path, self._member, f"can't be decompressed ({error})")
        except OSError as error:
            raise InputError(
                f"{self._path}/{self._member}", f"can't be read ({error.strerror or error})"
            ) from None


def open_files(
    path: Path, wanted: Callable[[str], bool], enters: Callable[[str], bool] = enter_none
) -> Iterator[tuple[str, Opened]]:
    """Go through the files of a folder or an archive once, as streams.

    Parameters
    ----------
    path : path
        Folder or archive.
    wanted : callable
        Asked with every member's path (`train/n01443537/a.JPEG`, no leading `./`); files that are not wanted are
        skipped unread.
    enters : callable
        Asked with every member's path, in folders and tars: whether it is a tar whose members are to be gone through
        in its place. Those of `train/n01440764.tar` are called `train/n01440764/…`. Their own tars are not entered.

    Yields
    ------
    member, file : str, Opened
        In the archive's order; folders in the order of their names.

    Raises
    ------
    InputError
        Naming the path and the member: missing, unsupported, unsafe, damaged or cut short.
    """
    if path.is_dir():
        yield from _read_folder(path, wanted, enters)
        return
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except FileNotFoundError:
        raise InputError(path, "there is no such file or folder") from None
    except OSError as error:
        raise InputError(path, f"can't be read ({error.strerror})") from None
    try:
        if start.startswith(b"PK"):
            yield from _read_zip(path, wanted)
        elif start[257:262] == b"ustar" or path.suffix == ".tar":
            with path.open("rb") as stream:
                yield from _read_tar(path, stream, wanted, enters)
        else:
            opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
            if opener is None:
                raise InputError(
                    path, "is no archive that can be read", "a folder, zip, tar, tar.gz, tar.bz2 or tar.xz"
                )
            with opener(path) as stream:
                yield from _read_tar(path, stream, wanted, enters)
    except DAMAGES as error:
        raise _damaged(path, error) from error


def _read_folder(
    folder: Path, wanted: Callable[[str], bool], enters: Callable[[str], bool]
) -> Iterator[tuple[str, Opened]]:
    entered = set()
    for here, folders, files in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in entered:
            raise InputError(here, "is a link to a folder that was read before", "every folder once")
        entered.add((status.st_dev, status.st_ino))
        folders.sort()
        for name in sorted(files):
            file = Path(here, name)
            member = file.relative_to(folder).as_posix()
            entered_here = enters(member)
            if not (entered_here or wanted(member)):
                continue
            try:
                if not stat.S_ISREG(file.stat().st_mode):
                    raise InputError(file, "is no regular file")
                size = file.stat().st_size
                stream = file.open("rb")
            except OSError as error:
                raise InputError(file, f"can't be read ({error.strerror})") from None
            with stream:
                if entered_here:
                    yield from _read_inner(folder, member, stream, wanted)
                else:
                    yield member, Opened(folder, member, stream, size)


def _refuse_folder(error: OSError) -> None:
    raise InputError(error.filename, f"can't be read ({error.strerror})")


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Opened]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse(path, entry.filename, "is a link or a device")
            member = _safe(path, entry.filename)
            if entry.is_dir() or not wanted(member):
                continue
            if entry.flag_bits & 1:
                _refuse(path, entry.filename, "is encrypted")
            try:
                stream = archive.open(entry)
            except NotImplementedError as error:
                _refuse(path, entry.filename, f"can't be decompressed ({error})")
            with stream:
                yield member, Opened(path, member, stream, entry.file_size)


class _StrictHeader(tarfile.TarInfo):
    """A header that is damaged or missing is an error; tarfile would take it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_):
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def _read_tar(
    path: object,
    stream: IO[bytes],
    wanted: Callable[[str], bool],
    enters: Callable[[str], bool] = enter_none,
    inside: str = "",
) -> Iterator[tuple[str, Opened]]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictHeader) as archive:
        while (entry := archive.next()) is not None:
            archive.members.clear()  # tarfile keeps every header it has seen
            if not (entry.isreg() or entry.isdir()):
                _refuse(path, entry.name, "is a link or a device")
            member = inside + _safe(path, entry.name)
            if entry.isreg() and enters(member):
                inner = archive.extractfile(entry)
                assert inner is not None
                yield from _read_inner(path, member, inner, wanted)
                continue
            if entry.isdir() or not wanted(member):
                continue
            content = archive.extractfile(entry)
            assert content is not None
            yield member, Opened(path, member, content, entry.size)
        while stream.read(1 << 20):  # to the end, so that the compressed stream's checksum is compared
            pass


def _read_inner(
    path: Path, member: str, stream: IO[bytes], wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Opened]]:
    """Go through a tar that lies in a folder or another tar."""
    named = f"{path}: {member}"
    try:
        yield from _read_tar(named, stream, wanted, inside=member.rpartition(".")[0] + "/")
    except DAMAGES as error:
        raise _damaged(named, error) from error


def _safe(path: object, name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or ":" in parts[0]:
        _refuse(path, name, "leads out of the archive")
    return "/".join(part for part in parts if part not in ("", "."))


def _damaged(path: object, error: Exception) -> InputError:
    return InputError(path, f"is damaged or cut short ({error})", todo=AGAIN)


def _refuse(path: object, member: str, reason: str) -> NoReturn:
    raise InputError(
        f"{path}: member {member!r}",
        reason,
        "plain files below the archive's own folders",
        "make the archive anew",
    )
