"""Rows of a CSV table, one at a time with their line numbers, and what is wrong with them, told by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError

SHOWN = 5
"""Lines named for a fault; the others are counted."""


def csv_rows(path: Path, columns: Sequence[str], separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Go through a table whose first line names its columns.

    Parameters
    ----------
    path : path
        The table, in UTF-8, with or without a byte-order mark.
    columns : sequence of str
        Columns that are wanted.
    separator : str
        Character that separates the cells.

    Yields
    ------
    line, cells : int, list of str
        Number of the row's line (of its last one, where a cell holds line breaks); the wanted cells without the spaces
        around them. Empty lines are left out.

    Raises
    ------
    InputError
        For a missing file or column, a row with another number of cells than the first line, and a file that is no
        text.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "birds.csv")
    ...     _ = path.write_text("file;size;bird\\na.png;3;crow\\n")
    ...     print(list(csv_rows(path, ["file", "bird"], ";")))
    [(2, ['a.png', 'crow'])]
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            header = [name.strip() for name in next(reader, [])]
            absent = [column for column in columns if column not in header]
            if absent:
                raise InputError(
                    path,
                    f"has no column {', '.join(absent)}",
                    f"its columns, which are: {', '.join(header) or 'none'}",
                    "name the right columns, and the separator of the table" if len(header) < 2 else "",
                )
            wanted = [header.index(column) for column in columns]
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"{path}, line {reader.line_num}",
                        f"has {len(row)} cells",
                        f"{len(header)} cells, as in the first line",
                        "put cells that hold the separator into double quotes",
                    )
                yield reader.line_num, [row[position].strip() for position in wanted]
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"can't be read as CSV in UTF-8 ({error})") from None


class Faults:
    """What is wrong with the rows of a table: every kind of fault with its first lines.

    Examples
    --------
    >>> faults = Faults("birds.csv")
    >>> faults.add("the cell of column bird is empty", 7)
    >>> faults.add("the cell of column bird is empty", 9)
    >>> try:
    ...     faults.check("a name in every cell")
    ... except InputError as error:
    ...     print(error.found)
    the cell of column bird is empty (2 rows: lines 7, 9)
    """

    def __init__(self, where: object):
        self.where = where
        self._lines: dict[str, list[int]] = {}
        self._count: dict[str, int] = {}

    def add(self, kind: str, line: int) -> None:
        """Take in one row's fault."""
        self._count[kind] = self._count.get(kind, 0) + 1
        lines = self._lines.setdefault(kind, [])
        if len(lines) < SHOWN:
            lines.append(line)

    def check(self, allowed: str, todo: str = "") -> None:
        """Refuse the table if there was any."""
        if not self._lines:
            return
        told = "; ".join(
            f"{kind} ({self._count[kind]} rows: lines {', '.join(map(str, lines))}"
            f"{' and more' if self._count[kind] > len(lines) else ''})"
            for kind, lines in list(self._lines.items())[:SHOWN]
        )
        raise InputError(self.where, told, allowed, todo)
