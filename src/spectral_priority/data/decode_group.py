"""Some files at a time, decoded by one thread into one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..config.medical import MedicalFiles
from ..errors import InputError
from .batches import Batch
from .decode import Decoded, Unreadable, decode
from .medical_files import Belonging, decode_medical, is_medical


def decode_file(
    key: str, content: bytes, how: Mapping[str, Any], medical: MedicalFiles | None, kept: bool
) -> list[Decoded]:
    """Decode a file; of most comes one image.

    Parameters
    ----------
    key : str
        Its name, for messages.
    content : bytes
    how : mapping
        Size, channels, max_pixels and resampling, as `decode` takes them.
    medical : MedicalFiles or None
        What is taken of DICOM and NIfTI files; None: they are no images.
    kept : bool
        Whether the file's own bytes are to be packed.

    Raises
    ------
    Unreadable
        With the reason.
    InputError
        For a DICOM or NIfTI file whose bytes are to be packed, or whose package is missing.
    """
    if medical is None or not is_medical(content):
        return [decode(content, **how)]
    if kept:
        raise InputError(
            f"image {key}",
            "is a DICOM or NIfTI file, of which pack: encoded keeps none",
            "image files of one image each",
            "choose pack: pixels",
        )
    return decode_medical(content, **how, options=medical)


def decode_group(
    decoded: Callable[[str, bytes], list[Decoded]], files: list[tuple[str, bytes]], kept: bool
) -> tuple[Batch, list[dict[str, str]], Belonging]:
    """Decode files; return the readable images as a batch, other files with the reason, and what belongs together."""
    good: list[tuple[str, bytes, Decoded]] = []
    unreadable, belonging = [], Belonging()
    for key, content in files:
        try:
            images = decoded(key, content)
        except Unreadable as reason:
            unreadable.append({"source": key, "reason": str(reason)})
            continue
        good += [(belonging.note(key, image.part, image.group), content, image) for image in images]
    images = [image for _, _, image in good]
    batch = Batch(
        [key for key, _, _ in good],
        np.array([image.pixels for image in images], dtype=np.uint8),
        [image.mode for image in images],
        [image.quality for image in images],
        [image.height for image in images],
        [image.width for image in images],
        [content for _, content, _ in good] if kept else [],
        [image.format for image in images],
        [image.chroma for image in images],
    )
    return batch, unreadable, belonging
