"""Every kind of image file comes out as pixels of one size, or with the reason why not."""

import io
import struct
import zlib

import numpy as np
import pytest
from made_images import encoded, noise
from PIL import Image

from spectral_priority.data.decode import Unreadable, decode, jpeg_chroma
from spectral_priority.fourier import half_plane_power, radial_sum, ring_sizes

GREY = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))


def rgb(content, size=16):
    return decode(content, size, channels=3, max_pixels=10_000)


def test_pixels_of_a_lossless_image_of_the_right_size_are_untouched():
    assert (rgb(encoded(noise(0))).pixels == noise(0)).all()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_grey_comes_out_as_three_equal_channels(mode):
    decoded = rgb(encoded(Image.fromarray(GREY).convert(mode)))
    assert decoded.pixels.shape == (16, 16, 3) and decoded.mode == mode
    assert (decoded.pixels == decoded.pixels[..., :1]).all()
    if mode != "1":
        assert (decoded.pixels[..., 0] == GREY).all()


def test_a_palette_with_transparency_keeps_its_colours():
    image = Image.fromarray(noise(1)).quantize(32)
    expected = np.asarray(image.convert("RGB"))
    assert (rgb(encoded(image, transparency=3)).pixels == expected).all()


def test_cmyk_keeps_its_colours():
    red = Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK")
    decoded = rgb(encoded(red, "JPEG", quality=95))
    assert decoded.mode == "CMYK"
    assert np.abs(decoded.pixels.astype(int) - [200, 30, 30]).max() <= 4


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(form):
    deep = GREY.astype(np.uint16) * 257
    assert (rgb(encoded(deep, form)).pixels[..., 0] == GREY).all()


def test_floating_point_pixels_are_refused_because_their_range_is_unknown():
    with pytest.raises(Unreadable, match="range is not known"):
        rgb(encoded(GREY.astype(np.float32), "TIFF"))


def test_rotation_by_exif_is_applied():
    wide = np.zeros((16, 32, 3), dtype=np.uint8)
    wide[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise: what is left comes to the top
    decoded = rgb(encoded(wide, "JPEG", quality=100, exif=exif))
    assert (decoded.height, decoded.width) == (32, 16)
    assert decoded.pixels[:6].mean() > 240 and decoded.pixels[-6:].mean() < 15


def test_the_centre_is_cropped():
    wide = np.zeros((16, 48, 3), dtype=np.uint8)
    wide[:, 16:32] = 200
    assert (rgb(encoded(wide)).pixels == 200).all()


def test_resampling_is_anti_aliased():
    x = np.arange(128)
    fine = np.tile(127.5 + 127 * np.cos(2 * np.pi * 40 * x / 128), (128, 1)).round().astype(np.uint8)
    small = decode(encoded(fine), 32, channels=1, max_pixels=10**6).pixels[..., 0]
    assert (
        small.std() < 0.05 * fine.std()
    )  # 40 cycles can't be shown at 32 px; picking every fourth pixel would show 8
    coarse = np.tile(127.5 + 100 * np.cos(2 * np.pi * 8 * x / 128), (128, 1)).round().astype(np.uint8)
    small = decode(encoded(coarse), 32, channels=1, max_pixels=10**6).pixels[..., 0]
    density = radial_sum(half_plane_power(small / 255.0)) / ring_sizes(small.shape[-1])
    assert density.argmax() + 1 == 8
    assert small.std() > 0.8 * coarse.std()


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_found(quality):
    assert rgb(encoded(noise(2), "JPEG", quality=quality)).quality == quality


def test_no_quality_where_the_tables_are_others():
    assert rgb(encoded(noise(2))).quality == -1
    assert rgb(encoded(noise(2), "JPEG", qtables=[[7] * 64, [9] * 64])).quality == -1


@pytest.mark.parametrize("chroma", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_chroma_subsampling_of_a_jpeg_is_found(chroma):
    for more in ({}, {"progressive": True}):
        decoded = rgb(encoded(noise(2), "JPEG", subsampling=chroma, **more))
        assert (decoded.chroma, decoded.format) == (chroma, "JPEG")
    assert (
        rgb(encoded(Image.fromarray(noise(2)).convert("CMYK"), "JPEG", subsampling=chroma)).chroma == chroma
    )


@pytest.mark.parametrize(
    "luma, chroma, name",
    [
        (0x41, 0x11, "4:1:1"),
        (0x42, 0x11, "4:1:0"),
        (0x12, 0x11, "4:4:0"),
        (0x22, 0x22, "4:4:4"),
        (0x22, 0x12, "4:2:2"),
        (0x31, 0x11, "other"),
    ],
)
def test_chroma_is_named_by_the_factors_in_the_frame_header(luma, chroma, name):
    content = bytearray(encoded(noise(2), "JPEG"))
    frame = content.index(b"\xff\xc0")  # marker, length, precision, height, width, components of three bytes
    content[frame + 11 : frame + 20 : 3] = bytes([luma, chroma, chroma])
    with Image.open(io.BytesIO(content)) as opened:
        assert jpeg_chroma(opened) == name


def test_files_without_chroma_say_so():
    grey = rgb(encoded(noise(2)[..., 0], "JPEG"))
    assert (grey.chroma, grey.format) == ("grey", "JPEG")
    lossless = rgb(encoded(noise(2)))
    assert (lossless.chroma, lossless.format) == ("", "PNG")


@pytest.mark.parametrize(
    "side, reason", [(8_000, "8000 × 8000 pixels, more than max"), (60_000, "than Pillow opens")]
)
def test_an_image_bomb_is_refused_by_its_header(side, reason):
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    bomb += struct.pack(">I", 1 << 20) + b"IDAT"  # there are no pixels: they can't have been decoded
    with pytest.raises(Unreadable, match=reason):
        rgb(bomb)


def test_the_limit_of_pixels_is_the_one_given():
    image = encoded(Image.new("L", (100, 100)))
    assert rgb(image).width == 100
    with pytest.raises(Unreadable, match="100 × 100 pixels, more than max_pixels = 9,999"):
        decode(image, 16, channels=3, max_pixels=9_999)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_truncated_image_is_refused(form):
    content = encoded(noise(3), form)
    with pytest.raises(Unreadable, match=r"truncated|Truncated|broken"):
        rgb(content[: len(content) // 2])


def test_other_files_are_refused():
    for content in (b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"):
        with pytest.raises(Unreadable, match="no image of a known format"):
            rgb(content)
