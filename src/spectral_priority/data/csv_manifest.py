"""Images that a CSV table lists: read into an image table, and refused by line where a row can't be meant."""

from __future__ import annotations

from pathlib import Path

from ..config.image_sources import CsvManifest
from .batches import Placement
from .csv_rows import SHOWN, Faults, csv_rows
from .hierarchy import check_covers, nested_edges, read_edges
from .image_table import LEFT_OUT, ImageTable
from .images import HELD_OUT, TRAIN

SEPARATORS = {",": ",", ";": ";", "tab": "\t"}


class CsvManifestLayout:
    """The layout that a CSV table tells; the table is read at once.

    Parameters
    ----------
    options : CsvManifest
    data_root : path
        Folder that paths start from.

    Raises
    ------
    InputError
        Naming the lines: a missing column, an empty cell, an unknown value of the split, a file that is listed twice
        with different labels.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "birds.csv").write_text("path,bird\\na/1.png,crow\\n")
    ...     options = CsvManifest(kind="csv-manifest", table="birds.csv", images=["a"], labels=["bird"])
    ...     layout = CsvManifestLayout(options, Path(folder))
    >>> layout.key(Path("a"), "1.png"), layout.key(Path("a"), "2.png")
    ('a/1.png', None)
    """

    def __init__(self, options: CsvManifest, data_root: Path):
        self.options, self.data_root = options, data_root
        self.where = data_root / options.table
        self.table = ImageTable(options.labels)
        self._read()

    def key(self, path: Path, member: str) -> str | None:
        """Return the path by which the table lists an image."""
        return self.table.find(path, member)

    def reads(self, member: str) -> bool:
        """No other file is read."""
        return False

    def note(self, member: str, content: bytes) -> None:
        """No other file is read."""

    def place(self, keys: list[str]) -> Placement:
        """Tell split, classes and group by the table."""
        placement = self.table.place(keys)
        if self.options.nested:
            placement.hierarchy = nested_edges(placement, self.options.labels, self.where)
        if self.options.hierarchy:
            path, finest = self.data_root / self.options.hierarchy, self.options.labels[-1]
            edges = read_edges(path)
            check_covers(edges, placement.classes[finest], path)
            placement.hierarchy = {finest: edges}
        if self.table.repeated:
            placement.warnings.append(
                f"{self.options.table}: {self.table.repeated} rows repeat an earlier one"
            )
        groups: tuple[set[str], set[str]] = (set(), set())
        for group, split in zip(placement.group, placement.split.tolist(), strict=False):
            groups[split].add(group)
        shared = sorted((groups[TRAIN] & groups[HELD_OUT]) - {""})
        if shared:
            placement.warnings.append(
                f"{len(shared)} groups of column {self.options.group} have images in both splits: "
                + ", ".join(shared[:SHOWN])
            )
        return placement

    def _read(self) -> None:
        options, faults = self.options, Faults(self.where)
        needed = [options.path, *options.labels, *([options.split] if options.split else [])]
        columns = [*needed, *([options.group] if options.group else [])]
        values = {
            **dict.fromkeys(options.train_values, TRAIN),
            **dict.fromkeys(options.held_out_values, HELD_OUT),
            **dict.fromkeys(options.left_out_values, LEFT_OUT),
        }
        for line, cells in csv_rows(self.where, columns, SEPARATORS[options.separator]):
            row = dict(zip(columns, cells, strict=True))
            value = row[options.split] if options.split else options.train_values[0]
            for column in needed:
                if not row[column]:
                    faults.add(f"the cell of column {column} is empty", line)
            if value and value not in values:
                faults.add(f"column {options.split} says {value!r}", line)
            elif all(row[column] for column in needed):
                self.table.add(
                    row[options.path] + options.suffix,
                    values[value],
                    [row[label] for label in options.labels],
                    row[options.group] if options.group else "",
                    where=self.where,
                    line=line,
                )
        faults.check(
            "no empty cell but in the column of the group; in the column of the split only "
            + ", ".join(map(repr, values)),
            "mend the rows, or name the values in train_values, held_out_values and left_out_values",
        )
