"""A similarity of classes as a matrix: its mean over a task's classes, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..store.tables import read_csv, write_csv


def mean_between(similarity: np.ndarray, groups: Sequence[Sequence[int]]) -> tuple[float, int]:
    """Average a similarity over all pairs of classes that lie in different groups.

    With one class per group this is the mean pairwise similarity.

    Returns
    -------
    mean, pairs
        NaN where there is no such pair or one of them has no similarity.

    Examples
    --------
    >>> similarity = np.array([[1, 0.8, 0.2], [0.8, 1, 0.4], [0.2, 0.4, 1]])
    >>> mean, pairs = mean_between(similarity, [[0, 1], [2]])
    >>> round(mean, 3), pairs
    (0.3, 2)
    """
    members = np.concatenate([np.asarray(group, dtype=np.int64) for group in groups])
    group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    different = np.triu(group[:, None] != group[None, :])
    pairs = int(different.sum())
    values = similarity[np.ix_(members, members)][different]
    return (float(values.mean()) if pairs else float("nan")), pairs


def write_similarity(target: str | Path, classes: Sequence[str], similarity: np.ndarray) -> None:
    """Write a similarity as CSV: a column `class`, then one column per class; NaN as an empty cell."""
    import pandas as pd  # here, for a tier that asks for no similarity needs none of it

    frame = pd.DataFrame(similarity, columns=list(classes))
    frame.insert(0, "class", list(classes), allow_duplicates=True)
    write_csv(target, frame)


def read_similarity(path: str | Path, classes: Sequence[str]) -> np.ndarray:
    """Read a similarity of these classes, (class, class) float64.

    Raises
    ------
    InputError
        Where the file holds other classes, or is no symmetric matrix.
    """
    frame = read_csv(path, ["class"])
    found = list(frame.columns[1:])
    if found != list(classes) or len(frame) != len(found):
        raise InputError(
            path,
            f"holds {len(found)} classes ({', '.join(found[:3])}, …)",
            f"the {len(classes)} classes of the label ({', '.join(list(classes)[:3])}, …), in their order",
            "delete it; the similarity rule makes it again",
        )
    try:
        similarity = frame.iloc[:, 1:].to_numpy(dtype=np.float64)
    except ValueError as error:
        raise InputError(path, f"has a cell that is no number ({error})") from None
    if not np.allclose(similarity, similarity.T, atol=1e-9, equal_nan=True):
        raise InputError(path, "is not symmetric", "a similarity of classes")
    return similarity


def unknown(number: int) -> np.ndarray:
    """Return the similarity of classes about which nothing is known: NaN off the diagonal."""
    similarity = np.full((number, number), np.nan)
    np.fill_diagonal(similarity, 1.0)
    return similarity
