"""Is-a hierarchies of classes: read from a CSV of edges, or built in."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError

TINY_IMAGENET = Path(__file__).parent / "tables" / "tiny_imagenet_wordnet.csv"
"""WordNet above the 200 classes of Tiny-ImageNet (tables/README.md tells where it is from)."""


def read_edges(path: Path) -> list[tuple[str, str]]:
    """Read is-a edges from a CSV with the columns `parent` and `child`.

    Returns
    -------
    list of (parent, child)
        In the order of the file.

    Raises
    ------
    InputError
        For a missing file or column, or an empty cell, with its line.

    Examples
    --------
    >>> read_edges(TINY_IMAGENET)[0]
    ('n00001740', 'n00001930')
    """
    return [(row["parent"], row["child"]) for row in _rows(path, ("parent", "child"))]


def read_titles(path: Path) -> dict[str, str]:
    """Read what people call each child, from a CSV with the columns `child` and `title`.

    >>> read_titles(TINY_IMAGENET)["n02124075"]
    'Egyptian cat'
    """
    return {row["child"]: row["title"] for row in _rows(path, ("child", "title"))}


def leaves(edges: Iterable[tuple[str, str]]) -> set[str]:
    """Return the nodes that are nobody's parent.

    >>> sorted(leaves([("animal", "cat"), ("animal", "dog"), ("thing", "animal")]))
    ['cat', 'dog']
    """
    edges = list(edges)
    return {child for _, child in edges} - {parent for parent, _ in edges}


def check_covers(edges: Iterable[tuple[str, str]], classes: Iterable[str], where: object) -> None:
    """Refuse a hierarchy in which a class is missing."""
    nodes = {child for _, child in edges}
    missing = [name for name in classes if name not in nodes]
    if missing:
        raise InputError(
            where,
            f"has no edge to {len(missing)} of the classes ({', '.join(missing[:5])})",
            "every class as a child",
            "add its edge, or leave the hierarchy out",
        )


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            absent = [column for column in columns if column not in (reader.fieldnames or [])]
            if absent:
                raise InputError(
                    path, f"has no column {', '.join(absent)}", f"the columns {', '.join(columns)}"
                )
            rows = []
            for row in reader:
                if not all(row[column] for column in columns):
                    raise InputError(
                        f"{path}, line {reader.line_num}", "a cell is empty", "a name in every cell"
                    )
                rows.append(row)
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"can't be read as CSV ({error})") from None
    return rows
