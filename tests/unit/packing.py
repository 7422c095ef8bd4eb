"""Packing a source below a folder, or being refused and leaving nothing behind."""

import pytest

from spectral_priority.config.datasets import Dataset
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError


def packed(root, source, name="out", threads=2, **options):
    """Pack a source below a data root; return the pack report and the images."""
    checked = Dataset.model_validate({"size": 16, **options, "source": source})
    target = root / f"{name}-packed" / "images.h5"
    report = pack(open_source(checked, root, threads), "made", checked, target, {"code": "0"})
    return report, PackedImages(target)


def refused(root, source, match, name="out", **options):
    with pytest.raises(InputError, match=match) as error:
        packed(root, source, name, **options)
    folder = root / f"{name}-packed"
    left = [path.name for path in folder.glob("*")] if folder.exists() else []
    assert left == [], "something was left behind"
    return str(error.value)
