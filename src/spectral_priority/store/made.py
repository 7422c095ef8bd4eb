"""What a program made, told at the end of its log: size, times and SHA-256 of each result.

A line of the log is `made {"path": …}`. The log is the place because Snakemake removes it together with the results
when a job starts again, and because no further file is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .checksum import file_sha256

BEGINNING = "made "


@dataclass(frozen=True)
class Made:
    """A result as it was when its program ended.

    Attributes
    ----------
    path : str
        As the program was told, from Snakemake's working directory.
    size : int
        Bytes.
    mtime_ns, ctime_ns : int
        When it was changed: content; content or attributes. Of a file that another changes, `ctime_ns` always differs.
    sha256 : str
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str


def made_now(path: str | Path) -> Made:
    """Look at a file and its content.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.txt"
    >>> file.write_text("result")
    6
    >>> made_now(file).size, made_now(file).sha256[:8]
    (6, 'f6a214f7')
    """
    sha256, status = file_sha256(path), Path(path).stat()
    return Made(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, sha256)


def tell_made(log: Path, paths: Iterable[Path]) -> None:
    """Append to a log what files are now; those that are gone again are left out."""
    with log.open("a", encoding="utf-8") as file:
        for path in dict.fromkeys(paths):
            if path.is_file():
                file.write(BEGINNING + json.dumps(asdict(made_now(path))) + "\n")


def read_made(log: Path) -> Iterator[Made]:
    """Go through what a log tells; lines that are damaged are passed over."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith(BEGINNING + "{"):
            try:
                yield Made(**json.loads(line.removeprefix(BEGINNING)))
            except (ValueError, TypeError):
                continue
