"""Published sets under the names that they usually have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


def find_usual(what: str, forms: Sequence[Sequence[str]], data_root: Path) -> list[Path]:
    """Return the archives or folders of the first form of a set that is there as a whole.

    Parameters
    ----------
    what : str
        Name of the set, for the message.
    forms : sequence of sequences of str
        Names below data_root that belong together.
    data_root : path

    Raises
    ------
    InputError
        Saying what was looked for, and where.
    """
    for form in forms:
        paths = [data_root / name for name in form]
        if all(path.exists() for path in paths):
            return paths
    raise InputError(
        what,
        f"not found in {data_root.absolute()}",
        "; or ".join(" with ".join(form) for form in forms),
        "put it there, say where with --config data_root=<folder>, or name the files in source.paths",
    )
