"""Complexity of a task, one function per measure (METHODS 7). No trained model is involved.

Kernels take arrays: features are images in the one reference space, shares are radial shares of image power. Where a
measure does not exist for a task (no hierarchy, a single class, images that are all the same), its value is NaN, an
empty cell of complexity.csv, and the log says why. `table.py` lists the measures with their units and directions.
"""

from .class_overlap import gbc
from .class_pairs import class_similarity
from .estimate import Estimate
from .image_spectra import ClassAmplitudes, adcs_share, psd_centroid, psd_slope, spectrum_centroid
from .intrinsic_dimension import intrinsic_dimension
from .label_frequency import QUANTILES, label_low_ratios
from .labels import classes, label_entropy, log2_classes
from .neighbours import Nearest, n3, nearest
from .scatter import fisher_ratio, h_score, within_class_diversity
from .silhouettes import silhouette
from .spectral_gradient import csg
from .table import MEASURES, Meaning, table

__all__ = [
    "MEASURES",
    "QUANTILES",
    "ClassAmplitudes",
    "Estimate",
    "Meaning",
    "Nearest",
    "adcs_share",
    "class_similarity",
    "classes",
    "csg",
    "fisher_ratio",
    "gbc",
    "h_score",
    "intrinsic_dimension",
    "label_entropy",
    "label_low_ratios",
    "log2_classes",
    "n3",
    "nearest",
    "psd_centroid",
    "psd_slope",
    "silhouette",
    "spectrum_centroid",
    "table",
    "within_class_diversity",
]
