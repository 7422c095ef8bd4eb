"""Is-a hierarchies of classes: read from a CSV of edges, built in, or told by nested labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import InputError
from .batches import Placement

TINY_IMAGENET = Path(__file__).parent / "tables" / "tiny_imagenet_wordnet.csv"
"""WordNet above the 200 classes of Tiny-ImageNet (tables/README.md tells where it is from)."""
IMAGENET = Path(__file__).parent / "tables" / "imagenet_wordnet.csv"
"""WordNet above the 1,000 classes of ILSVRC-2012, and their ILSVRC2012_ID, from the same place."""


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


def read_ilsvrc_ids(path: Path) -> dict[int, str]:
    """Read the WordNet id of every ILSVRC2012_ID, from a CSV with the columns `child` and `ilsvrc2012_id`.

    >>> read_ilsvrc_ids(IMAGENET)[1]
    'n02119789'
    """
    rows = _rows(path, ("child",))
    return {int(row["ilsvrc2012_id"]): row["child"] for row in rows if row.get("ilsvrc2012_id")}


def above(edges: Iterable[tuple[str, str]], classes: Iterable[str]) -> list[tuple[str, str]]:
    """Return the edges that lead up from some classes, in their order.

    >>> above([("thing", "animal"), ("thing", "car"), ("animal", "cat"), ("animal", "dog")], ["cat"])
    [('thing', 'animal'), ('animal', 'cat')]
    """
    edges = list(edges)
    parents: dict[str, list[str]] = {}
    for parent, child in edges:
        parents.setdefault(child, []).append(parent)
    kept, waiting = set(classes), list(classes)
    while waiting:
        new = [parent for parent in parents.get(waiting.pop(), ()) if parent not in kept]
        kept.update(new)
        waiting += new
    return [(parent, child) for parent, child in edges if child in kept]


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


def nested_edges(
    placement: Placement, columns: Sequence[str], where: object
) -> dict[str, list[tuple[str, str]]]:
    """Return the is-a edges that nested labels are, for every column but the first.

    Parameters
    ----------
    placement : Placement
        Labels and classes.
    columns : sequence of str
        Label columns from coarse to fine.
    where : object
        What to call the table in messages.

    Returns
    -------
    dict of list of (parent, child)
        Leaves are the classes of the column; nodes above them are called `<column>: <class>`, and the root `all`.

    Raises
    ------
    InputError
        For a class that lies in two classes of the column before.

    Examples
    --------
    >>> labels = {"kind": np.array([0, 0, 1]), "bird": np.array([1, 0, 2])}
    >>> birds = Placement(["a", "b", "c"], np.zeros(3), labels, {"kind": ["owl", "tit"], "bird": ["a", "b", "c"]})
    >>> nested_edges(birds, ["kind", "bird"], "birds.csv")["bird"][2:]
    [('kind: owl', 'a'), ('kind: owl', 'b'), ('kind: tit', 'c')]
    """
    higher = [("all", f"{columns[0]}: {name}") for name in placement.classes[columns[0]]]
    edges: dict[str, list[tuple[str, str]]] = {}
    for coarse, fine in pairwise(columns):
        pairs = np.unique(np.stack([placement.labels[fine], placement.labels[coarse]], axis=1), axis=0)
        parents, children = placement.classes[coarse], placement.classes[fine]
        twice = np.flatnonzero(np.bincount(pairs[:, 0], minlength=len(children)) > 1)
        if len(twice):
            first = [parents[parent] for child, parent in pairs if child == twice[0]]
            raise InputError(
                where,
                f"{len(twice)} classes of {fine} lie in several classes of {coarse}: {children[twice[0]]} in "
                f"{' and '.join(first)}",
                f"one class of {coarse} for every class of {fine}",
                "leave out nested, or give such classes names of their own",
            )
        down = [(f"{coarse}: {parents[parent]}", children[child]) for child, parent in pairs]
        edges[fine] = higher + down
        higher = higher + [(parent, f"{fine}: {child}") for parent, child in down]
    return edges


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
