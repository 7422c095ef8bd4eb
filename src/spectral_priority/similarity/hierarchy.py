"""How near the classes are to each other in an is-a hierarchy."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..errors import InputError
from .matrix import unknown

_VIRTUAL_ROOT = None


def wu_palmer(
    classes: Sequence[str], edges: Iterable[tuple[str, str]], where: str = "hierarchy"
) -> np.ndarray:
    """Return the Wu–Palmer similarity of classes in an is-a hierarchy.

    For a common ancestor c of classes a and b, 2·depth(c) ÷ (up(a, c) + up(b, c) + 2·depth(c)); the similarity is the
    largest over all common ancestors. depth(c) is the number of nodes on the shortest path from the root to c (the root
    has 1), up(a, c) the number of edges on the shortest path from a up to c. In a tree this is
    2·depth(c) ÷ (depth(a) + depth(b)) at the lowest common ancestor; written with paths it also stays at most 1 where a
    node has several parents (WordNet). Where the classes' ancestors have several roots, a virtual root joins them.

    Parameters
    ----------
    classes : sequence of str
        Class names, in the order of the result.
    edges : iterable of (parent, child)
        Is-a edges. None at all: NaN off the diagonal.
    where : str
        What to call the hierarchy in messages.

    Returns
    -------
    ndarray (class, class) float64

    Raises
    ------
    InputError
        For a class that the hierarchy doesn't hold, and for edges that go in a circle.

    Notes
    -----
    Wu and Palmer 1994, "Verb semantics and lexical selection".

    Examples
    --------
    >>> edges = [("thing", "animal"), ("animal", "cat"), ("animal", "dog"), ("thing", "car")]
    >>> wu_palmer(["cat", "dog", "car"], edges).round(3).tolist()
    [[1.0, 0.667, 0.4], [0.667, 1.0, 0.4], [0.4, 0.4, 1.0]]
    """
    found = _climb(classes, edges, where)
    number = len(classes)
    if found is None:
        return unknown(number)
    similarity = np.zeros((number, number))
    for members, up, depth in found:
        block = np.ix_(members, members)
        both = up[:, None] + up[None, :] + 2.0 * depth
        similarity[block] = np.maximum(similarity[block], 2.0 * depth / both)
    np.fill_diagonal(similarity, 1.0)
    return similarity


def path_similarity(
    classes: Sequence[str], edges: Iterable[tuple[str, str]], where: str = "hierarchy"
) -> np.ndarray:
    """Return the path similarity of classes in an is-a hierarchy: 1 ÷ (1 + edges on the shortest path between them).

    A path goes from one class up to a common ancestor and down to the other. Unlike Wu–Palmer it doesn't look at how
    deep the ancestor lies. Where the classes' ancestors have several roots, a virtual root joins them.

    Parameters
    ----------
    classes : sequence of str
        Class names, in the order of the result.
    edges : iterable of (parent, child)
        Is-a edges. None at all: NaN off the diagonal.
    where : str
        What to call the hierarchy in messages.

    Returns
    -------
    ndarray (class, class) float64

    Raises
    ------
    InputError
        For a class that the hierarchy doesn't hold, and for edges that go in a circle.

    Notes
    -----
    Rada et al. 1989, "Development and application of a metric on semantic nets" (edges as a distance); Pedersen,
    Patwardhan and Michelizzi 2004, "WordNet::Similarity" (measure `path`, one over the nodes on the shortest path).

    Examples
    --------
    >>> edges = [("thing", "animal"), ("animal", "cat"), ("animal", "dog"), ("thing", "car")]
    >>> path_similarity(["cat", "dog", "car"], edges).round(3).tolist()
    [[1.0, 0.333, 0.25], [0.333, 1.0, 0.25], [0.25, 0.25, 1.0]]
    """
    found = _climb(classes, edges, where)
    if found is None:
        return unknown(len(classes))
    similarity = np.zeros((len(classes), len(classes)))
    for members, up, _ in found:
        block = np.ix_(members, members)
        similarity[block] = np.maximum(similarity[block], 1.0 / (1.0 + up[:, None] + up[None, :]))
    np.fill_diagonal(similarity, 1.0)
    return similarity


def _climb(
    classes: Sequence[str], edges: Iterable[tuple[str, str]], where: str
) -> list[tuple[np.ndarray, np.ndarray, int]] | None:
    """For every ancestor: the classes below it, the edges of each up to it, and its depth; None without edges."""
    parents: dict[str | None, set] = defaultdict(set)
    nodes: set = set()
    for parent, child in edges:
        parents[child].add(parent)
        nodes |= {parent, child}
    if not nodes:
        logging.warning("%s: the data set has no hierarchy, so its similarity is left empty", where)
        return None
    missing = [name for name in classes if name not in nodes]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(
            where,
            f"does not hold the classes {shown}",
            "a hierarchy with every class in it",
            "add an edge (parent, child) for each of them",
        )
    kept = _ancestors(classes, parents)
    roots = [node for node in kept if not parents[node]]
    _check_no_circle(kept, parents, where)
    if len(roots) > 1:
        for root in roots:
            parents[root] = {_VIRTUAL_ROOT}
        kept.add(_VIRTUAL_ROOT)
        roots = [_VIRTUAL_ROOT]
    children = defaultdict(set)
    for node in kept:
        for parent in parents[node]:
            children[parent].add(node)
    depth = {node: steps + 1 for node, steps in steps_from(roots[0], children).items()}

    below: dict = defaultdict(list)  # ancestor → (class number, edges up to the ancestor)
    for position, name in enumerate(classes):
        for ancestor, steps in steps_from(name, parents).items():
            below[ancestor].append((position, steps))
    return [(*np.array(found).T, depth[ancestor]) for ancestor, found in below.items()]


def _ancestors(classes: Sequence[str], parents: dict) -> set:
    """The classes and everything above them."""
    found, waiting = set(classes), list(classes)
    while waiting:
        for parent in parents[waiting.pop()]:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _check_no_circle(nodes: set, parents: dict, where: str) -> None:
    """Refuse edges that go in a circle: take away nodes with no parent left until nothing is left."""
    open_parents = {node: len(parents[node]) for node in nodes}
    children = defaultdict(list)
    for node in nodes:
        for parent in parents[node]:
            children[parent].append(node)
    free = [node for node in nodes if not open_parents[node]]
    while free:
        node = free.pop()
        del open_parents[node]
        for child in children[node]:
            open_parents[child] -= 1
            if not open_parents[child]:
                free.append(child)
    if open_parents:
        raise InputError(
            where,
            f"goes in a circle through {', '.join(sorted(map(str, open_parents))[:5])}",
            "is-a edges that lead from a root down to the classes",
        )


def steps_from(start: str | None, neighbours: Mapping) -> dict:
    """Return the smallest number of edges from a node to every node that can be reached.

    >>> steps_from("cat", {"cat": ["animal"], "animal": ["thing"]})
    {'cat': 0, 'animal': 1, 'thing': 2}
    """
    steps, waiting = {start: 0}, deque([start])
    while waiting:
        node = waiting.popleft()
        for other in neighbours.get(node, ()):
            if other not in steps:
                steps[other] = steps[node] + 1
                waiting.append(other)
    return steps
