"""How alike the classes of a data set are: in its hierarchy, in the reference space, in their spectra (METHODS 7).

A similarity is a matrix (class, class): symmetric, 1 on the diagonal, higher = more alike, NaN where it can't be had.
"""

from .hierarchy import path_similarity, wu_palmer
from .matrix import mean_between, read_similarity, write_similarity
from .points import class_means, closeness, log_spectra

__all__ = [
    "class_means",
    "closeness",
    "log_spectra",
    "mean_between",
    "path_similarity",
    "read_similarity",
    "write_similarity",
    "wu_palmer",
]
