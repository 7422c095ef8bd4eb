"""Finished results, kept by fingerprint in a work folder and published from there.

Snakemake runs a job again whenever a job before it ran, even where its output came out identical. The result that is
kept here, under a fingerprint of everything that it depends on, is then published again in no time. No rule declares
the work folder, so Snakemake never deletes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .atomic import atomic, explained, read_json, sync, write_json
from .checksum import file_sha256

NEWEST = 2
"""Finished results that are kept per work folder."""
CHECKSUMS = "checksums.json"


class Finished:
    """One finished result: a folder of files, whole or not there.

    Parameters
    ----------
    work : path
        The work folder of one training, or of one measure of it.
    fingerprint : str
        Of everything that the result depends on.

    Examples
    --------
    >>> import tempfile
    >>> work = Path(tempfile.mkdtemp())
    >>> finished = Finished(work, "0123abcd")
    >>> finished.is_whole()
    False
    >>> finished.keep(lambda folder: (folder / "a.txt").write_text("result"))
    >>> finished.publish("a.txt", work / "published.txt")
    >>> finished.is_whole(), (work / "published.txt").read_text()
    (True, 'result')
    """

    def __init__(self, work: Path, fingerprint: str):
        self.folder = work / "finished" / fingerprint

    def keep(self, write: Callable[[Path], object]) -> None:
        """Make the folder with what `write` puts into the folder that it is given; drop all but the newest results."""
        partial = self.folder.with_name(self.folder.name + ".partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            write(partial)
            write_json(
                partial / CHECKSUMS, {file.name: file_sha256(file) for file in sorted(partial.iterdir())}
            )
            shutil.rmtree(self.folder, ignore_errors=True)
            partial.rename(self.folder)
            for folder in (self.folder.parent, self.folder.parent.parent):
                sync(folder)
            for left in self.folder.parent.glob("*.partial"):  # by one that was killed here
                shutil.rmtree(left, ignore_errors=True)
            by_age = sorted(self.folder.parent.iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
            for old in by_age[:-NEWEST]:
                shutil.rmtree(old)
        except OSError as error:
            mended = explained(error, self.folder)
            if mended is error:
                raise
            raise mended from error

    def is_whole(self) -> bool:
        """Tell whether the result is there and unchanged (editing a published file changes its hard link too)."""
        try:
            checksums = read_json(self.folder / CHECKSUMS)
            return all(file_sha256(self.folder / name) == checksum for name, checksum in checksums.items())
        except (InputError, OSError):
            return False

    def publish(self, name: str, target: Path) -> None:
        """Give a kept file its place in the results, as a hard link where the file system can.

        Its time is set to now: a result older than its inputs would be asked for again, for ever.
        """
        with atomic(target) as path:
            path.unlink()
            try:
                os.link(self.folder / name, path)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(self.folder / name, path)
            os.utime(path)
        os.utime(self.folder)  # the newest again, for `keep`
