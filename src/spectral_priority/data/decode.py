"""From the bytes of an image file to pixels of one size, with the facts that a frequency study must know about it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, __version__, features

from ..errors import InputError
from .resampling import Resampling

FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What is tried: no format that runs other programs or fetches other files."""
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")

STARTS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n": "PNG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
"""First bytes of formats, for messages."""
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
"""Markers of JPEG (ITU-T T.81, table B.1)."""
CHROMA = {
    (1, 1): "4:4:4",
    (1, 2): "4:4:0",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
"""How many pixels share a sample of chroma, (across, down) → what it is called."""


class Unreadable(Exception):
    """An image file that can't be used; the text is the reason."""


@dataclass(frozen=True)
class Decoded:
    """An image and what its file said.

    Attributes
    ----------
    pixels : ndarray (size, size, channel) uint8
    mode : str
        Colour mode of the file.
    quality : int
        Quality of the JPEG encoder by the IJG tables, −1 where there is none.
    height, width : int
        Size in the file, upright.
    format : str
        Format of the file by its content, not by its name: `JPEG`, `PNG`, …
    chroma : str
        Chroma subsampling of a JPEG file: `4:4:4` (none), `4:2:2`, `4:2:0`, …, `grey` for one without chroma, and
        nothing for other formats.
    part : str
        What the image's name has behind that of its file, where a file holds several images: `/slice-012`.
    group : str
        What the file says that the image belongs to, as `<kind>:<identity>`, such as a patient.
    """

    pixels: np.ndarray
    mode: str
    quality: int
    height: int
    width: int
    format: str
    chroma: str
    part: str = ""
    group: str = ""


def decode(
    content: bytes, size: int, channels: int, max_pixels: int, resampling: Resampling | None = None
) -> Decoded:
    """Decode an image file.

    Parameters
    ----------
    content : bytes
        The file. Rotation by EXIF is applied; of several frames or pages the first is taken; transparency is dropped,
        the colour below it kept; 16-bit grey is scaled to 8 bit, not clipped, and of 16-bit colour the upper byte is
        kept. Colour profiles and gamma are left alone. JPEG has no checksum: a file that is cut short or filled up
        with other bytes is noticed, one that is damaged inside decodes to wrong pixels.
    size : int
        Side of the square to make.
    channels : int
        3, where grey images get three equal channels; or 1, luma by ITU-R 601.
    max_pixels : int
        Most pixels in the file by its header, looked at before decoding.
    resampling : Resampling, optional
        How it becomes a square; none: `Resampling()`.

    Raises
    ------
    Unreadable
        With the reason.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("L", (40, 30), 128).save(file, "PNG")
    >>> decoded = decode(file.getvalue(), size=8, channels=3, max_pixels=10_000)
    >>> decoded.pixels.shape, int(decoded.pixels.max()), decoded.mode, decoded.width
    ((8, 8, 3), 128, 'L', 40)
    """
    with reasons(content), Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        check_pixels(*opened.size, max_pixels)
        facts = opened.format or "", jpeg_chroma(opened)
        mode, quality = opened.mode, jpeg_quality(opened)
        opened.load()
        _check_end(opened, content)
        ImageOps.exif_transpose(opened, in_place=True)
        image = _eight_bit(opened)
    width, height = image.size
    pixels = to_pixels(image, size, channels, max_pixels, resampling or Resampling())
    return Decoded(pixels, mode, quality, height, width, *facts)


@contextmanager
def reasons(content: bytes) -> Iterator[None]:
    """Turn whatever a decoder raises for a damaged file into `Unreadable`; decoders raise almost anything."""
    try:
        yield
    except (Unreadable, InputError):
        raise
    except Image.UnidentifiedImageError:
        begins = next((name for start, name in STARTS.items() if content.startswith(start)), None)
        raise Unreadable(
            f"begins as a {begins} file, but its header can't be read: damaged, or of another kind (12 bit)"
            if begins
            else "no image of a known format"
        ) from None
    except Image.DecompressionBombError:
        raise Unreadable("more pixels than Pillow opens") from None
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]) from None


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse an image with more pixels than allowed, by its header."""
    if width * height > max_pixels:
        raise Unreadable(f"{width} × {height} pixels, more than max_pixels = {max_pixels:,}")


def to_pixels(
    image: Image.Image, size: int, channels: int, max_pixels: int, resampling: Resampling
) -> np.ndarray:
    """Return an 8-bit image as pixels (size, size, channel) uint8.

    Raises
    ------
    Unreadable
        For an image so long that it would have more than `max_pixels` pixels while it is padded.
    """
    width, height = image.size
    if (most := resampling.most_pixels(height, width, size)) > max_pixels:
        raise Unreadable(
            f"{width} × {height} pixels, {most:,} while padded: more than max_pixels = {max_pixels:,}"
        )
    square = resampling.apply(image.convert("RGB" if channels == 3 else "L"), size)
    return np.asarray(square).reshape(size, size, channels)


def from_pixels(
    pixels: np.ndarray, size: int, channels: int, max_pixels: int, resampling: Resampling
) -> np.ndarray:
    """Make of pixels what `decode` makes of a file that holds them.

    Parameters
    ----------
    pixels : ndarray (y, x, channel) uint8
        1 channel, or 3.
    size, channels, max_pixels, resampling
        As for `decode`.

    Returns
    -------
    ndarray (size, size, channels) uint8

    Examples
    --------
    >>> from_pixels(np.full((6, 4, 1), 9, dtype=np.uint8), 2, 3, 100, Resampling()).tolist()
    [[[9, 9, 9], [9, 9, 9]], [[9, 9, 9], [9, 9, 9]]]
    """
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return to_pixels(image, size, channels, max_pixels, resampling)


def jpeg_quality(image: Image.Image) -> int:
    """Return the quality with which libjpeg (IJG) makes an image's luminance quantisation table; −1 for any other."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or 0 not in image.quantization:
        return -1
    table = tuple(image.quantization[0])
    if max(table) > 255:
        table = tuple(min(step, 255) for step in table)
    return _qualities().get(table, -1)


def jpeg_chroma(image: Image.Image) -> str:
    """Return the chroma subsampling of a JPEG file, by the sampling factors in its frame header (ITU-T T.81, B.2.2).

    J:a:b: of 4 × 2 pixels, a samples of chroma in the first row and b others in the second.

    Returns
    -------
    str
        Such as `4:2:0`; `grey` for one component; `other` for factors that have no such name; nothing for other
        formats.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return ""
    factors = [(across, down) for _, across, down, _ in image.layer]
    if len(factors) < 3:
        return "grey" if len(factors) == 1 else "other"
    (across, down), chroma = factors[0], set(factors[1:3])
    names = {CHROMA.get((across / x, down / y), "other") for x, y in chroma}
    return names.pop() if len(names) == 1 else "other"


def decoder() -> str:
    """Say what decodes here: other versions may give other pixels.

    >>> decoder().startswith("Pillow ")
    True
    """
    return f"Pillow {__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}"


def _check_end(image: Image.Image, content: bytes) -> None:
    """Refuse a JPEG file whose last scan has no end: what is missing was decoded from whatever stands in its place."""
    jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    if jpeg and content.rfind(END_OF_IMAGE) < content.rfind(START_OF_SCAN):
        raise Unreadable("a JPEG file without an end: cut short and filled up")


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise Unreadable("whole numbers outside 0 … 65535")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise Unreadable("floating-point pixels, whose range is not known")
    if image.mode == "P":  # by way of RGBA: a palette may have transparent colours
        return image.convert("RGBA")
    return image


@cache
def _qualities() -> dict[tuple[int, ...], int]:
    """Luminance tables of the IJG formula by quality (ITU-T T.81, table K.1, scaled)."""
    # fmt: off
    standard = (
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    )
    # fmt: on
    tables = {}
    for quality in range(1, 101):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        tables[tuple(min(max((step * scale + 50) // 100, 1), 255) for step in standard)] = quality
    return tables
