"""Byte strings set aside in the order of their arrival, to be read again in any other order."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable
from pathlib import Path


class Spool:
    """Records in a nameless temporary file, which is gone whatever ends the program.

    They are read, not mapped: memory stays as it is however many there are.

    Parameters
    ----------
    folder : path
        Where the file lies: as large as all records together.

    Examples
    --------
    >>> with Spool(Path(tempfile.gettempdir())) as spool:
    ...     spool.extend([b"one", b"three"])
    ...     spool.read(1), spool.length(0)
    (b'three', 3)
    """

    def __init__(self, folder: Path):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._start = array("q", [0])

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._start) - 1

    def extend(self, records: Iterable[bytes | memoryview]) -> None:
        """Add records."""
        for record in records:
            self._file.write(record)
            self._start.append(self._start[-1] + memoryview(record).nbytes)

    def length(self, number: int) -> int:
        """Return the number of bytes of a record."""
        return self._start[number + 1] - self._start[number]

    def read(self, number: int) -> bytes:
        """Return a record."""
        self._file.flush()
        return os.pread(self._file.fileno(), self.length(number), self._start[number])
