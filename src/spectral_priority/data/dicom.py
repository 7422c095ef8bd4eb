"""DICOM files: each frame an image of eight bits, by the window asked for or the file's own.

Only pixels and the few fields that say what they mean are looked at. Nothing in a file is run, and no name, date or
number of a patient goes further than `Decoded.group`, which packing replaces by a number of its own.
"""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from ..config.medical import MedicalFiles
from .decode import Decoded, Unreadable, check_pixels, reasons, to_pixels
from .extras import needed
from .resampling import Resampling
from .windows import between, dicom_window, eight_bit

DEFLATED = b"1.2.840.10008.1.2.1.99"
"""Transfer syntax of files that are compressed as a whole, to no known size: refused."""
HEAD = 4096
"""Bytes in which a file's transfer syntax stands."""


def is_dicom(content: bytes) -> bool:
    """Tell a DICOM file by its first bytes (PS3.10, 7.1)."""
    return content[128:132] == b"DICM"


def decode_dicom(
    content: bytes, size: int, channels: int, max_pixels: int, resampling: Resampling, options: MedicalFiles
) -> list[Decoded]:
    """Decode a DICOM file.

    Parameters
    ----------
    content : bytes
        The file: grey of any depth, signed or not; MONOCHROME1 is inverted; palettes, RGB and YBR. Compressed pixels
        need a decoder that pydicom finds (baseline JPEG, JPEG 2000 and RLE without any further package).
    size, channels, max_pixels, resampling
        As `decode.decode` takes them; `max_pixels` is of a frame.
    options : MedicalFiles

    Returns
    -------
    list of Decoded
        One per frame; `part` is `/frame-000`, … where there are several.

    Raises
    ------
    Unreadable
        With the reason.
    InputError
        Where pydicom is missing.
    """
    pydicom = needed("pydicom", "DICOM files")
    with reasons(content):
        if DEFLATED in content[132:HEAD]:
            raise Unreadable(
                "deflated DICOM files are not read: their size is known only when it is too late"
            )
        data = pydicom.dcmread(io.BytesIO(content))
        if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            raise Unreadable(f"a DICOM file without pixels ({data.get('Modality', 'no modality')})")
        height, width = int(data.Rows), int(data.Columns)
        check_pixels(width, height, max_pixels)
        _check_compressed(data, max_pixels)
        mode, group = str(data.PhotometricInterpretation), group_of(data, options.dicom_group)
        number_of_frames, found = _number_of_frames(data), []
        for number in range(number_of_frames):
            # Frame by frame, by index: pydicom's iterator can't mend signs that a codestream states otherwise.
            frame = import_module("pydicom.pixels").pixel_array(data, index=number)
            shown = _grey(data, frame, number, options) if is_grey(data) else _colour(data, frame)
            pixels = to_pixels(Image.fromarray(shown), size, channels, max_pixels, resampling)
            part = f"/frame-{number:03d}" if number_of_frames > 1 else ""
            found.append(Decoded(pixels, mode, -1, height, width, "DICOM", "", part, group))
        return found


def group_of(data: Any, by: str) -> str:
    """Return what a file belongs to as `<kind>:<identity>`, by patient (else study), or by series; else nothing."""
    fields = {"patient": "PatientID", "study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
    for kind in ("patient", "study", "series") if by == "patient" else ("series",):
        identity = str(data.get(fields[kind]) or "").strip()
        if identity:
            return f"{kind}:{identity}"
    return ""


def _check_compressed(data: Any, max_pixels: int) -> None:
    """Look at the headers of compressed frames, which may claim more pixels than the file does."""
    if not data.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    frames = import_module("pydicom.encaps").generate_frames
    for frame in frames(data.PixelData, number_of_frames=_number_of_frames(data)):
        try:
            with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as opened:
                check_pixels(*opened.size, max_pixels)
        except Image.UnidentifiedImageError:
            continue  # run-length codes and others have no size of their own


def _number_of_frames(data: Any) -> int:
    return int(data.get("NumberOfFrames") or 1)


def is_grey(data: Any) -> bool:
    """Tell whether the values of a file are amounts of one quantity."""
    return str(data.PhotometricInterpretation) in ("MONOCHROME1", "MONOCHROME2")


def _colour(data: Any, frame: np.ndarray) -> np.ndarray:
    """Return a frame of colours as RGB uint8; YBR was converted while decoding."""
    bits = int(data.BitsStored)
    if str(data.PhotometricInterpretation) == "PALETTE COLOR":
        frame = import_module("pydicom.pixels").apply_color_lut(frame, data)
        bits = 8 * frame.dtype.itemsize
    if frame.ndim != 3 or frame.shape[2] < 3 or frame.dtype.kind not in "iu":
        raise Unreadable(f"colours of the kind {data.PhotometricInterpretation} are not known")
    most = 2**bits - 1
    return eight_bit(np.ascontiguousarray(frame[..., :3]), lambda stored: between(stored, 0, most))


def _grey(data: Any, frame: np.ndarray, number: int, options: MedicalFiles) -> np.ndarray:
    """Return a frame of amounts as uint8: rescaled, seen through the window, MONOCHROME1 inverted."""
    low, high = _ends(data, frame)
    ends = sorted(_rescaled(data, np.array([low, high], dtype=np.float64), number))

    def shown(stored: np.ndarray) -> np.ndarray:
        found = _seen(data, _rescaled(data, stored, number), number, options, ends)
        return 1 - found if data.PhotometricInterpretation == "MONOCHROME1" else found

    return eight_bit(frame, shown)


def _ends(data: Any, frame: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest stored value; padding beside the image is left out."""
    padding = data.get("PixelPaddingValue")
    other = frame[frame != padding] if padding is not None else frame
    other = other if other.size else frame
    return float(other.min()), float(other.max())


def _rescaled(data: Any, stored: np.ndarray, number: int) -> np.ndarray:
    """Return values in the unit of the file, such as Hounsfield units (PS3.3, C.11.1)."""
    if data.get("ModalityLUTSequence"):
        lut = import_module("pydicom.pixels").apply_modality_lut
        return lut(stored.astype(np.int32), data).astype(np.float64)
    slope = _of_frame(data, number, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _of_frame(data, number, "PixelValueTransformationSequence", "RescaleIntercept")
    return stored * float(1 if slope is None else slope) + float(intercept or 0)


def _seen(data: Any, values: np.ndarray, number: int, options: MedicalFiles, ends: list[float]) -> np.ndarray:
    """Return values on 0 … 1: by the window asked for, by the file's table or its first window, or by its ends."""
    if options.window:
        half = options.window.width / 2
        return between(values, options.window.centre - half, options.window.centre + half)
    if data.get("VOILUTSequence"):
        table = import_module("pydicom.pixels").apply_voi(np.rint(values).astype(np.int32), data)
        return table / (2.0 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    centre, width, function = (
        _first(_of_frame(data, number, "FrameVOILUTSequence", name))
        for name in ("WindowCenter", "WindowWidth", "VOILUTFunction")
    )
    if centre is None or width is None:
        return between(values, *ends)
    return dicom_window(values, float(centre), float(width), str(function or "LINEAR"))


def _first(value: Any) -> Any:
    """Return the first of several values, such as of several windows."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    return value[0] if len(value) else None


def _of_frame(data: Any, number: int, group: str, name: str) -> Any:
    """Return what is said of a frame: by itself, of all frames, or of the file (PS3.3, C.7.6.16)."""
    for sequence, place in (
        ("PerFrameFunctionalGroupsSequence", number),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        items = data.get(sequence)
        if items and place < len(items) and items[place].get(group):
            found = items[place].get(group)[0].get(name)
            if found is not None:
                return found
    return data.get(name)
