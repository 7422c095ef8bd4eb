"""From the bytes of an image file to pixels of one size, with the facts that a frequency study must know about it.

Resampling is the same for every image (`RESAMPLING`, stored with the pack): centre crop to a square, then Pillow's
Lanczos filter, which is anti-aliased. JPEG's own fast downscaling is not used: it has another frequency response.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, __version__, features

RESAMPLING = "centre crop to a square, then Pillow Lanczos; images of the right size are left as they are"
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What is tried: no format that runs other programs or fetches other files."""
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


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
    """

    pixels: np.ndarray
    mode: str
    quality: int
    height: int
    width: int


def decode(content: bytes, size: int, channels: int, max_pixels: int) -> Decoded:
    """Decode an image file.

    Parameters
    ----------
    content : bytes
        The file. Rotation by EXIF is applied; of several frames the first is taken; transparency is dropped, the colour
        below it kept; 16-bit grey is scaled to 8 bit, not clipped.
    size : int
        Side of the square to make.
    channels : int
        3, where grey images get three equal channels; or 1, luma by ITU-R 601.
    max_pixels : int
        Most pixels in the file by its header, looked at before decoding.

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
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise Unreadable(f"{width} × {height} pixels, more than max_pixels = {max_pixels:,}")
            mode, quality = opened.mode, jpeg_quality(opened)
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            image = _eight_bit(opened).convert("RGB" if channels == 3 else "L")
    except Unreadable:
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable("no image of a known format") from None
    except Image.DecompressionBombError:
        raise Unreadable("more pixels than Pillow opens") from None
    except Exception as error:  # Pillow raises almost anything for a damaged file
        raise Unreadable(f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]) from None
    width, height = image.size
    pixels = np.asarray(_resample(image, size))
    return Decoded(pixels.reshape(size, size, channels), mode, quality, height, width)


def from_pixels(pixels: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Make of pixels what `decode` makes of a file that holds them.

    Parameters
    ----------
    pixels : ndarray (y, x, channel) uint8
        1 channel, or 3.
    size, channels : int
        As for `decode`.

    Returns
    -------
    ndarray (size, size, channels) uint8

    Examples
    --------
    >>> from_pixels(np.full((4, 6, 1), 7, dtype=np.uint8), size=2, channels=3).tolist()
    [[[7, 7, 7], [7, 7, 7]], [[7, 7, 7], [7, 7, 7]]]
    """
    if pixels.shape == (size, size, channels):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    fitted = np.asarray(_resample(image.convert("RGB" if channels == 3 else "L"), size))
    return fitted.reshape(size, size, channels)


def jpeg_quality(image: Image.Image) -> int:
    """Return the quality with which libjpeg (IJG) makes an image's luminance quantisation table; −1 for any other."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or 0 not in image.quantization:
        return -1
    table = tuple(image.quantization[0])
    if max(table) > 255:
        table = tuple(min(step, 255) for step in table)
    return _qualities().get(table, -1)


def decoder() -> str:
    """Say what decodes here: other versions may give other pixels.

    >>> decoder().startswith("Pillow ")
    True
    """
    return f"Pillow {__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}"


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


def _resample(image: Image.Image, size: int) -> Image.Image:
    if image.size == (size, size):
        return image
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.LANCZOS)


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
