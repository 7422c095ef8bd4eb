"""SVHN, cropped digits (Netzer et al. 2011): MATLAB files with X (row, column, channel, image) and y.

In y the digit 0 is called 10. A file is read as a whole, for MATLAB's format is compressed as one: about 230 MB for
training and 1.6 GB for the extra images, while they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..image_arrays import Block
from ..records import numbered
from .labelled import LabelledImages


def read_svhn(paths: list[Path], images: LabelledImages) -> Iterator[Block]:
    """Read files called `<split>_32x32.mat`.

    Parameters
    ----------
    paths : list of path
    images : LabelledImages
        Gets the labels.

    Raises
    ------
    InputError
        For a file that is damaged or holds anything else.
    """
    from scipy.io import loadmat

    for path in paths:
        part = path.name.partition("_")[0]
        try:
            found = loadmat(path, variable_names=["X", "y"])
        except Exception as error:  # SciPy raises almost anything for a damaged file
            reason = " ".join(str(error).split())[:100]
            raise InputError(
                path, f"is no MATLAB file that can be read ({reason})", todo="get it again"
            ) from None
        pixels, labels = (np.asarray(found.get(name, np.zeros(0))) for name in ("X", "y"))
        if (
            pixels.dtype != np.uint8
            or pixels.ndim != 4
            or pixels.shape[2] != 3
            or labels.dtype.kind not in "iuf"
        ):
            raise InputError(
                path,
                "holds no images",
                "X (row, column, 3, image) of bytes, and y of numbers",
                "get it again",
            )
        digits = labels.reshape(-1).astype(np.int64)
        images.note(part, "class", np.where(digits == 10, 0, digits), path)
        yield numbered(part, 0, pixels.shape[3]), pixels.transpose(3, 0, 1, 2)
