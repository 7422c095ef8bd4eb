"""Superclasses: nodes of a hierarchy at one depth below a root, and the classes below each of them (BREEDS)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ..similarity.hierarchy import steps_from
from .split import generator


def members_at(
    classes: Sequence[str], edges: Iterable[tuple[str, str]], root: str, depth: int
) -> dict[str, list[int]]:
    """Return the classes below every node that lies a number of edges below a root.

    The depth of a node is the length of the shortest way from the root down to it. Where nodes have several parents, a
    class can lie below several of these nodes: it belongs to the one that is fewest edges above it, of equals to the
    first by name. A class that is such a node itself belongs to itself; a class that lies higher belongs to none.

    Parameters
    ----------
    classes : sequence of str
        Class names.
    edges : iterable of (parent, child)
        Is-a edges.
    root : str
        A node.
    depth : int
        At least 1.

    Returns
    -------
    dict of str to list of int
        Class numbers, ascending, by node; nodes by name.

    Notes
    -----
    Santurkar, Tsipras and Madry 2021, "BREEDS: Benchmarks for subpopulation shift" (arXiv 2008.04859). They count
    levels from the root of WordNet, and first rearrange it by hand, so that every class has one superclass.

    Examples
    --------
    >>> edges = [("thing", "animal"), ("thing", "car"), ("animal", "cat"), ("animal", "dog")]
    >>> members_at(["cat", "dog", "car"], edges, "thing", 1)
    {'animal': [0, 1], 'car': [2]}
    """
    parents, children = defaultdict(set), defaultdict(set)
    for parent, child in edges:
        parents[child].add(parent)
        children[parent].add(child)
    there = {node for node, steps in steps_from(root, children).items() if steps == depth}
    members = defaultdict(list)
    for number, name in enumerate(classes):
        above = [(steps, node) for node, steps in steps_from(name, parents).items() if node in there]
        if above:
            members[min(above)[1]].append(number)
    return dict(sorted(members.items()))


def sample_subclasses(
    members: dict[str, list[int]], enough: np.ndarray, count: int, seed: int, depth: int, draw: int
) -> dict[str, list[int]]:
    """Sample equally many subclasses of every superclass from those with enough images.

    Parameters
    ----------
    members : dict of str to list of int
        Class numbers by superclass.
    enough : ndarray (class,) bool
        Which classes have enough images.
    count : int
        Subclasses of each superclass; a superclass that has fewer is left out.
    seed, depth, draw : int
        What the sample of a superclass depends on, with its name.

    Returns
    -------
    dict of str to list of int
        In the order of the sample.
    """
    sampled = {}
    for node, below in members.items():
        pool = np.array([one for one in below if enough[one]], dtype=np.int64)
        if len(pool) >= count:
            order = generator(seed, "subclasses", depth, node, draw).permutation(len(pool))[:count]
            sampled[node] = [int(one) for one in pool[order]]
    return sampled
