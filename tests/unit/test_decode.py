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


@pytest.mark.parametrize(
    "form, sides",
    [("JPEG", ">HH"), ("GIF", "<HH"), ("BMP", "<ii"), ("TIFF", "<H"), ("PPM", ""), ("JPEG2000", ">I")],
)
def test_a_small_file_that_claims_to_be_huge_is_refused_in_every_format(form, sides):
    width, height, huge = 241, 239, 30_011
    bomb = encoded(noise(1, 256)[:height, :width], form)
    if form == "PPM":
        bomb = bomb.replace(b"241 239", b"%d %d" % (huge, huge), 1)
    else:
        order = (height, width) if form == "JPEG" else (width, height)
        for old in [order] if len(sides) > 2 else [(width,), (height,)]:
            bomb = bomb.replace(struct.pack(sides, *old), struct.pack(sides, *[huge] * len(old)))
    with pytest.raises(Unreadable, match=r"30011 × 30011 pixels, more than max_pixels|than Pillow opens"):
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


@pytest.mark.parametrize("fill", [b"", bytes(1000), b"\xaa" * 1000])
def test_a_jpeg_that_is_cut_short_and_filled_up_is_refused(fill):
    content = encoded(noise(3, 64), "JPEG")
    with pytest.raises(Unreadable, match=r"truncated|without an end"):
        rgb(content[: len(content) * 3 // 4] + fill)


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm():
    content = encoded(noise(3), "JPEG")
    assert (rgb(content + b"\0anything\xff\xc0" * 50).pixels == rgb(content).pixels).all()


def test_a_png_that_is_damaged_inside_is_refused():
    content = bytearray(encoded(noise(3, 64)))
    content[len(content) // 2] ^= 1
    with pytest.raises(Unreadable, match="broken"):
        rgb(bytes(content))


def test_twelve_bit_jpeg_is_refused_with_what_it_is():
    content = bytearray(encoded(noise(3), "JPEG"))
    content[content.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(Unreadable, match=r"begins as a JPEG file, but its header can't be read.*12 bit"):
        rgb(bytes(content))


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "MPO"])
def test_of_several_frames_or_pages_the_first_is_taken(form):
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 0, 250)))
    decoded = rgb(encoded(red, form, save_all=True, append_images=[blue]))
    assert np.abs(decoded.pixels.astype(int) - [250, 0, 0]).max() <= 6
    assert decoded.format == form


def test_a_progressive_jpeg_is_read_as_any_other():
    plain, progressive = (rgb(encoded(noise(2), "JPEG", progressive=given)) for given in (False, True))
    assert (plain.pixels == progressive.pixels).all()
    assert plain.quality == progressive.quality == 75


def test_cmyk_of_any_format_keeps_its_colours():
    red = Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK")
    assert (rgb(encoded(red, "TIFF")).pixels == [200, 30, 30]).all()


def png(rows, bits, colour):
    """Write a PNG of any depth, row by row as bytes; Pillow writes few of them."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, bits, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_goes_from_black_to_white(bits):
    values = np.arange(16) % 2**bits
    packed = np.packbits((values[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)).tobytes()
    assert (rgb(png([packed] * 16, bits, 0)).pixels[3, :, 0] == values * 255 // (2**bits - 1)).all()


@pytest.mark.parametrize("colour, channels", [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_colour_and_transparency_are_scaled(colour, channels):
    deep = np.zeros((16, 16, channels), dtype=">u2")
    deep[..., 0] = GREY.astype(np.uint16) * 257
    found = rgb(png([row.tobytes() for row in deep], 16, colour)).pixels
    assert (found[..., 0] == GREY).all()
    assert (found[..., 1] == (GREY if colour == 4 else 0)).all()


@pytest.mark.parametrize("values", [(-1, 255), (0, 65_536)])
def test_whole_numbers_of_another_range_are_refused(values):
    with pytest.raises(Unreadable, match="outside 0 … 65535"):
        rgb(encoded(np.array([values] * 2, dtype=np.int32), "TIFF"))


def test_other_files_are_refused():
    pages = b"<html><body>404 not found</body></html>"
    for content in (b"", bytes(5000), pages, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"):
        with pytest.raises(Unreadable, match="no image of a known format"):
            rgb(content)
