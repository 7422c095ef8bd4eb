"""DICOM and NIfTI files among image files: what they are called, who decodes them, what their images belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..config.medical import MedicalFiles
from .batches import Placement
from .decode import Decoded
from .dicom import decode_dicom, is_dicom
from .nifti import decode_nifti, is_nifti
from .resampling import Resampling

SUFFIXES = frozenset((".dcm", ".dicom", ".nii", ".nii.gz"))


def is_medical(content: bytes) -> bool:
    """Tell a DICOM or NIfTI file by its content."""
    return is_dicom(content) or is_nifti(content)


def decode_medical(
    content: bytes, size: int, channels: int, max_pixels: int, resampling: Resampling, options: MedicalFiles
) -> list[Decoded]:
    """Decode a DICOM or NIfTI file; parameters and errors are those of `decode_dicom` and `decode_nifti`."""
    decode = decode_dicom if is_dicom(content) else decode_nifti
    return decode(content, size, channels, max_pixels, resampling, options)


class Belonging:
    """Of which file an image is a part, and of which patient, for files that hold several images or tell.

    Examples
    --------
    >>> belonging = Belonging()
    >>> belonging.note("a.nii", "/slice-000", "")
    'a.nii/slice-000'
    >>> belonging.file_of(["a.nii/slice-000", "b.png"])
    ['a.nii', 'b.png']
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def note(self, file: str, part: str, group: str) -> str:
        """Take in an image of a file; return its name."""
        if part or group:
            self._known[file + part] = (file, group)
        return file + part

    def update(self, other: Belonging) -> None:
        """Take in what another one knows."""
        self._known.update(other._known)

    def file_of(self, keys: Sequence[str]) -> list[str]:
        """Return the file of each image."""
        return [self._known[key][0] if key in self._known else key for key in keys]

    def complete(self, placement: Placement, keys: Sequence[str]) -> Placement:
        """Name the images of a placement that was made for their files, and add what they belong to.

        Groups of the data set itself, such as patients in a table, come first.
        """
        numbers = _numbers(sorted(key for key in keys if key in self._known), self._known)
        for i, key in enumerate(keys):
            placement.source[i] += key.removeprefix(self._known.get(key, (key, ""))[0])
        given = placement.group or [""] * len(keys)
        ours = [self._group(key, numbers) for key in keys]
        placement.group = [theirs or own for theirs, own in zip(given, ours, strict=True)]
        return placement

    def _group(self, key: str, numbers: Mapping[str, str]) -> str:
        file, group = self._known.get(key, ("", ""))
        return numbers.get(group, file)


def _numbers(keys: Sequence[str], known: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Number patients, studies and series in the order of the images' names: the same of a folder and of an archive."""
    numbers: dict[str, str] = {}
    for key in keys:
        group = known[key][1]
        if group and group not in numbers:
            numbers[group] = f"{group.partition(':')[0]}-{len(numbers) + 1:05d}"
    return numbers
