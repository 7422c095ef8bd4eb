"""DICOM files come out as eight-bit images whose white is much of what was measured, and patients stay together."""

import io
import sys

import numpy as np
import pytest
from made_images import encoded, noise, write_tar, write_zip
from made_medical import dicom

from spectral_priority.config.datasets import Dataset
from spectral_priority.config.medical import MedicalFiles
from spectral_priority.data.decode import Unreadable
from spectral_priority.data.dicom import decode_dicom
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.resampling import Resampling
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed (the extra `medical`)")

FULL = {"centre": 127.5, "width": 255}
RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)


def decoded(content, size=16, channels=1, max_pixels=10_000, **options):
    made = MedicalFiles.model_validate(options)
    return decode_dicom(content, size, channels, max_pixels, Resampling(), made)


def shown(content, **options):
    (image,) = decoded(content, **options)
    return image.pixels[..., 0].astype(int)


def test_without_a_window_the_smallest_value_is_black_and_the_largest_white():
    for pixels in (RAMP * 16, (RAMP.astype(np.int16) - 100) * 7, RAMP.astype(np.uint8)):
        assert np.abs(shown(dicom(pixels)) - RAMP).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_values_of_any_depth_go_through_the_window_asked_for(bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    values = (
        np.linspace(low, high, 256).astype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}").reshape(16, 16)
    )
    centre, width = low + 0.4 * (high - low), 0.5 * (high - low)
    expected = np.clip((values.astype(float) - centre) / width + 0.5, 0, 1) * 255
    content = dicom(values, bits=bits, WindowCenter=1, WindowWidth=2)
    found = shown(content, window={"centre": centre, "width": width})
    assert np.abs(found - expected).max() <= 0.51


def test_the_window_counts_in_the_units_of_the_file():
    hounsfield = RAMP.astype(float) * 4 - 500
    stored = ((hounsfield + 1000) / 0.5).astype(np.uint16)
    content = dicom(stored, RescaleSlope=0.5, RescaleIntercept=-1000)
    expected = np.clip((hounsfield - 40) / 400 + 0.5, 0, 1) * 255
    assert np.abs(shown(content, window={"centre": 40, "width": 400}) - expected).max() <= 0.51


def test_the_files_own_window_is_used_where_none_is_asked_for():
    content = dicom(RAMP, WindowCenter=[100.5, 7], WindowWidth=[101, 9])
    expected = np.clip((RAMP - 50.0) / 100, 0, 1) * 255
    assert np.abs(shown(content) - expected).max() <= 0.51
    content = dicom(RAMP, WindowCenter=100, WindowWidth=20, VOILUTFunction="SIGMOID")
    assert np.abs(shown(content) - 255 / (1 + np.exp(-0.2 * (RAMP - 100.0)))).max() <= 0.51


def test_the_files_own_table_is_used_before_its_window():
    item = pydicom.Dataset()
    item.LUTDescriptor, item.LUTData = [256, 0, 8], [255 - i // 2 for i in range(256)]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    content = dicom(RAMP, WindowCenter=1, WindowWidth=2, VOILUTSequence=[item])
    assert (shown(content) == 255 - RAMP // 2).all()


def test_monochrome1_is_inverted():
    content = dicom(RAMP, "MONOCHROME1")
    assert (shown(content) == 255 - RAMP).all()
    assert (shown(dicom(RAMP, "MONOCHROME1"), window={"centre": 127.5, "width": 255}) == 255 - RAMP).all()
    assert decoded(content)[0].mode == "MONOCHROME1"


def test_padding_beside_the_image_is_no_smallest_value():
    values = RAMP.astype(np.int16) + 100
    values[0] = -2000
    found = shown(dicom(values, PixelPaddingValue=-2000))
    assert (found[0] == 0).all()
    assert np.abs(found[1:] - (RAMP[1:] - 16) * 255 / 239).max() <= 0.51


def test_colours_are_kept():
    (image,) = decoded(dicom(noise(0), "RGB"), channels=3)
    assert (image.pixels == noise(0)).all() and (image.mode, image.format, image.chroma) == (
        "RGB",
        "DICOM",
        "",
    )
    full = pydicom.pixels.convert_color_space(noise(1), "RGB", "YBR_FULL")
    (image,) = decoded(dicom(full, "YBR_FULL"), channels=3)
    assert np.abs(image.pixels.astype(int) - noise(1)).max() <= 2


def test_a_palette_is_looked_up():
    colours = noise(3)[0].astype(np.uint16) * 256
    tables = {}
    for number, name in enumerate(("Red", "Green", "Blue")):
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [16, 0, 16]
        tables[f"{name}PaletteColorLookupTableData"] = colours[:, number].tobytes()
    index = (RAMP % 16).astype(np.uint8)
    (image,) = decoded(dicom(index, "PALETTE COLOR", **tables), channels=3)
    assert np.abs(image.pixels.astype(int) - (colours / 257)[index]).max() <= 0.51


def test_every_frame_is_an_image():
    frames = np.stack([np.roll(RAMP, number, axis=0) for number in range(4)])
    images = decoded(dicom(frames, WindowCenter=128, WindowWidth=256))
    assert [image.part for image in images] == ["/frame-000", "/frame-001", "/frame-002", "/frame-003"]
    assert (np.stack([image.pixels[..., 0] for image in images]) == frames).all()
    assert decoded(dicom(RAMP))[0].part == ""


def test_every_frame_has_its_own_scale_and_window():
    groups = []
    for intercept, centre in ((0, 128), (1000, 1128)):
        values, window, group = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        values.RescaleSlope, values.RescaleIntercept = 1, intercept
        window.WindowCenter, window.WindowWidth = centre, 256
        group.PixelValueTransformationSequence, group.FrameVOILUTSequence = [values], [window]
        groups.append(group)
    content = dicom(np.stack([RAMP, RAMP]), PerFrameFunctionalGroupsSequence=groups)
    assert all((image.pixels[..., 0] == RAMP).all() for image in decoded(content))


def test_run_length_compression_is_read():
    from pydicom.uid import RLELossless

    frames = np.stack([RAMP, RAMP.T]).astype(np.uint16)
    images = decoded(dicom(frames, syntax=RLELossless))
    assert (images[0].pixels[..., 0] == RAMP).all() and (images[1].pixels[..., 0] == RAMP.T).all()


def compressed(frames, syntax, **fields):
    """Put frames that are compressed already into a file."""
    data = pydicom.dcmread(io.BytesIO(dicom(RAMP.astype(np.uint8), **fields)))
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = pydicom.encaps.encapsulate(frames)
    data["PixelData"].VR = "OB"
    file = io.BytesIO()
    data.save_as(file)
    return file.getvalue()


def test_jpeg_and_jpeg_2000_inside_a_file_are_read():
    grey = np.tile(np.linspace(0, 255, 16).round().astype(np.uint8), (16, 1))
    jpeg = compressed([encoded(grey, "JPEG", quality=95)], pydicom.uid.JPEGBaseline8Bit)
    assert np.abs(shown(jpeg, window=FULL) - grey).max() <= 4
    lossless = compressed([encoded(grey, "JPEG2000", no_jp2=True)], pydicom.uid.JPEG2000Lossless)
    assert (shown(lossless, window=FULL) == grey).all()


def test_a_sign_that_file_and_codestream_state_differently_is_mended():
    signed = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}
    content = compressed(
        [encoded(RAMP * 100, "JPEG2000", no_jp2=True)], pydicom.uid.JPEG2000Lossless, **signed
    )
    assert (shown(content) == RAMP).all()


def test_a_compressed_frame_may_not_be_larger_than_the_file_says():
    bomb = compressed([encoded(np.zeros((900, 900), np.uint8), "JPEG")], pydicom.uid.JPEGBaseline8Bit)
    with pytest.raises(Unreadable, match="900 × 900 pixels, more than max_pixels = 10,000"):
        decoded(bomb)


def test_a_compression_that_no_decoder_is_there_for_is_named():
    if pydicom.pixels.get_decoder(pydicom.uid.JPEGLSLossless).is_available:
        pytest.skip("a decoder for JPEG-LS is installed")
    with pytest.raises(Unreadable, match=r"JPEG-LS Lossless.*missing dependencies"):
        decoded(compressed([b"\xff\xd8\xff\xf7"], pydicom.uid.JPEGLSLossless))


def test_a_frame_is_refused_by_its_header_before_it_is_decoded():
    content = dicom(RAMP, Rows=4000, Columns=4000)  # 256 pixels are there: they can't have been decoded
    with pytest.raises(Unreadable, match="4000 × 4000 pixels, more than max_pixels = 10,000"):
        decoded(content)


def test_what_can_not_be_read_is_said():
    whole = dicom(RAMP)
    with pytest.raises(Unreadable, match=r"fewer bytes|less than|expected|EOF"):
        decoded(whole[:-100])
    without = pydicom.dcmread(io.BytesIO(whole))
    del without.PixelData
    file = io.BytesIO()
    without.save_as(file)
    with pytest.raises(Unreadable, match=r"a DICOM file without pixels .OT"):
        decoded(file.getvalue())
    lossless = whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99\0", 1)
    with pytest.raises(Unreadable, match="deflated"):
        decoded(lossless)
    with pytest.raises(Unreadable):
        decoded(whole[:132] + b"\xff" * 40)


def packed(root, files, form="zip", name="out", **options):
    path = (write_zip if form == "zip" else write_tar)(root / f"{name}.{form}", files)
    source = {"kind": "image-folder", "paths": [path.name], **options.pop("source", {})}
    checked = Dataset.model_validate({"size": 16, "color": "grey", **options, "source": source})
    target = root / name / "images.h5"
    return pack(open_source(checked, root, 2), "made", checked, target, {}), PackedImages(target)


def scans():
    """Two patients with two scans each, one without a name, a series of frames, and a PNG."""
    files = {}
    for split, patients in (("train", ("anna", "bert", "")), ("val", ("anna", "carl"))):
        for number, patient in enumerate(patients):
            for scan in range(2):
                content = dicom(np.roll(RAMP, number + scan), patient=patient)
                files[f"{split}/{'ab'[scan]}/{number}.dcm"] = content
    files["train/a/frames.dcm"] = dicom(np.stack([RAMP, RAMP.T, RAMP]))
    files["train/a/other.png"] = encoded(noise(0))
    return files


def test_images_of_one_patient_have_one_group_and_no_name(tmp_path):
    report, images = packed(tmp_path, scans())
    group = dict(zip(images.source, images.fact("group"), strict=True))
    assert report["images"] == len(group) == 14 and report["unreadable"] == []
    assert group["train/a/0.dcm"] == group["train/b/0.dcm"] == group["val/a/0.dcm"] == "patient-00001"
    assert group["train/a/1.dcm"] == group["train/b/1.dcm"] == "patient-00002"
    assert group["val/b/1.dcm"] == "patient-00003"
    assert group["train/a/2.dcm"] == group["train/a/other.png"] == ""
    assert "1 groups have images in both splits of the data set: patient-00001" in report["warnings"]
    assert {group[f"train/a/frames.dcm/frame-00{i}"] for i in range(3)} == {"train/a/frames.dcm"}
    stored = images.path.read_bytes()
    assert not any(patient in stored for patient in (b"anna", b"bert", b"carl"))
    assert images.group[images.source.index("train/a/2.dcm")] == -1
    assert set(images.fact("format")) == {"DICOM", "PNG"}


def test_groups_are_the_same_of_every_archive(tmp_path):
    files = scans()
    _, one = packed(tmp_path, files)
    _, other = packed(tmp_path, dict(reversed(files.items())), "tar", "other")
    assert one.content_sha256 == other.content_sha256
    assert (one.fact("group") == other.fact("group")).all()


def test_without_a_patient_a_study_is_a_group_and_series_can_be_asked_for(tmp_path):
    files = {}
    for number, (study, series) in enumerate((("1.1", "1.1.1"), ("1.1", "1.1.2"), ("1.2", "1.2.1"))):
        for split in ("train", "val"):
            content = dicom(RAMP, patient="all", StudyInstanceUID=study, SeriesInstanceUID=series)
            files[f"{split}/a/{number}.dcm"] = content
    _, images = packed(tmp_path, files, source={"dicom_group": "series"})
    assert images.group.tolist() == [0, 1, 2, 0, 1, 2]
    report, images = packed(tmp_path, files, name="patients")
    assert len(set(images.group)) == 1
    assert "all images with a group belong to patient-00001: they can't be parted" in report["warnings"][0]
    nameless = {name: dicom(RAMP, StudyInstanceUID=f"1.{i % 2}") for i, name in enumerate(files)}
    _, images = packed(tmp_path, nameless, name="studies")
    assert len(set(images.group)) == 2 and images.group.min() == 0
    assert set(images.fact("group")) == {"study-00001", "study-00002"}


def test_damaged_scans_are_listed(tmp_path):
    files = scans()
    files["train/a/0.dcm"] = files["train/a/0.dcm"][:-200]
    files["train/b/0.dcm"] = b"no scan"
    report, images = packed(tmp_path, files, max_unreadable=0.5)
    assert {fault["source"] for fault in report["unreadable"]} == {"train/a/0.dcm", "train/b/0.dcm"}
    assert report["images"] == len(images) == 12


def test_an_encoded_pack_holds_no_scans(tmp_path):
    with pytest.raises(InputError, match=r"train/a/0.dcm: is a DICOM or NIfTI file.*choose pack: pixels"):
        packed(tmp_path, scans(), pack="encoded")


def test_without_the_package_a_scan_is_no_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match="the package pydicom is missing"):
        packed(tmp_path, scans(), max_unreadable=1.0)
    assert list((tmp_path / "out").iterdir()) == []
