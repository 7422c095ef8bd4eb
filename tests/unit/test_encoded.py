"""Encoded packs: the files' own bytes, and the same pixels as a pack of pixels for everything that reads them."""

import runpy
from argparse import Namespace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from made_images import encoded, noise, two_splits, write_folder, write_tar, write_zip
from PIL import Image
from test_fingerprint import modules_of
from tiny_training import make_task, same_results, train_in_process

from spectral_priority.config.datasets import Dataset
from spectral_priority.data import decode, images
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import write_manifest
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError
from spectral_priority.measures.probe import read_probe
from spectral_priority.training.batches import Subset

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
ANT, BEE = "train/ant/0.png", "train/bee/0.png"


def odd_files():
    """Files of several formats, modes and sizes."""
    turned = Image.Exif()
    turned[0x0112] = 6
    grey = Image.fromarray(noise(4)[..., 0])
    wide = Image.fromarray(np.hstack([noise(5, 40), noise(6, 40)]))
    files = two_splits()
    files["pictures/train/ant/a.jpg"] = encoded(noise(2, 50), "JPEG", quality=60)
    files["pictures/train/ant/b.jpg"] = encoded(wide, "JPEG", exif=turned)
    files["pictures/train/bee/a.jpeg"] = encoded(grey, "JPEG")
    files["pictures/train/bee/b.png"] = encoded(Image.fromarray(noise(3, 9)).quantize(16))
    files["pictures/val/bee/a.tif"] = encoded(noise(7, 33)[..., 0].astype(np.uint16) * 250, "TIFF")
    files["pictures/val/ant/a.jpg"] = encoded(Image.fromarray(noise(8, 20)).convert("CMYK"), "JPEG")
    return files


def packed(root, form, files=None, paths=("a.zip",), threads=1, name=None, **options):
    """Pack files as pixels or encoded; return the pack report and the images."""
    if files is not None:
        write_zip(root / "a.zip", files)
    source = {"kind": "image-folder", "paths": paths}
    checked = Dataset.model_validate({"size": 16, "pack": form, **options, "source": source})
    target = root / f"{name or form}-packed" / "images.h5"
    report = pack(open_source(checked, root, threads), "made", checked, target, {"code": "0"})
    return report, PackedImages(target, threads)


def both(root, files, threads=1, **options):
    """Pack the same files in both forms."""
    return tuple(packed(root, form, files, threads=threads, **options)[1] for form in ("pixels", "encoded"))


@pytest.mark.parametrize("color", ["rgb", "grey"])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_encoded_pack_reads_as_the_pixels_do(tmp_path, color, threads):
    pixels, files = both(tmp_path, odd_files(), threads, color=color)
    assert files.is_encoded and not pixels.is_encoded
    assert files.shape == pixels.shape == (16, 16, 16, 3 if color == "rgb" else 1)
    assert (len(files), files.size, files.channels) == (len(pixels), pixels.size, pixels.channels)
    for index in (np.arange(16), np.array([9, 3, 3, 15, 0]), np.array([7]), np.array([], dtype=int)):
        assert files.read(index).dtype == np.uint8
        np.testing.assert_array_equal(files.read(index), pixels.read(index))
        np.testing.assert_array_equal(files[index], pixels.pixels[index])


@pytest.mark.parametrize(
    "options",
    [{"crop": "stretch"}, {"crop": "pad", "filter": "box"}, {"crop_share": 0.875, "filter": "bilinear"}],
)
def test_both_forms_are_resampled_alike(tmp_path, options):
    usual = both(tmp_path, odd_files())[0].pixels.copy()
    pixels, files = both(tmp_path, odd_files(), **options)
    np.testing.assert_array_equal(files.read(np.arange(16)), pixels.pixels)
    assert pixels.attributes["resampling"] == files.attributes["resampling"]
    assert (pixels.pixels != usual).any()


def test_both_forms_hold_the_same_data_set(tmp_path):
    pixels, files = both(tmp_path, odd_files())
    assert files.content_sha256 == pixels.content_sha256
    assert (files.split == pixels.split).all() and files.classes == pixels.classes
    with h5py.File(pixels.path) as one, h5py.File(files.path) as other:
        for name in (
            "source",
            "mode",
            "format",
            "chroma",
            "encoder_quality",
            "original_height",
            "original_width",
            "label_class",
        ):
            assert one[name][:].tolist() == other[name][:].tolist(), name
        assert set(one.attrs) == set(other.attrs)
        different = {name for name in one.attrs if str(one.attrs[name]) != str(other.attrs[name])}
    assert different == {"options", "crc32"}, "the checksum is of the options too"


def test_the_files_lie_there_to_the_byte(tmp_path):
    files = odd_files()
    packed(tmp_path, "encoded", files)
    with xr.open_dataset(tmp_path / "encoded-packed" / "images.h5", engine="h5netcdf") as stored:
        content, start = stored["encoded"].values.tobytes(), stored["encoded_offset"].values
        found = {
            f"pictures/{name}": content[start[i] : start[i + 1]]
            for i, name in enumerate(stored["source"].values.tolist())
        }
    assert found == files


def test_an_encoded_pack_is_the_same_of_a_folder_and_of_every_archive(tmp_path):
    files = odd_files()
    write_folder(tmp_path / "folder", files)
    write_zip(tmp_path / "a.zip", dict(reversed(files.items())))
    write_tar(tmp_path / "a.tar.xz", files)
    contents = set()
    for number, paths in enumerate((["folder"], ["a.zip"], ["a.tar.xz"])):
        _, made = packed(tmp_path, "encoded", paths=paths, threads=1 + number, name=str(number))
        with h5py.File(made.path) as file:
            contents.add(file["encoded"][:].tobytes() + file["encoded_offset"][:].tobytes())
        np.testing.assert_array_equal(made.read(np.arange(3)), made.read(np.arange(3)))
    assert len(contents) == 1


def test_unreadable_files_are_left_out_of_an_encoded_pack_too(tmp_path):
    files = two_splits()
    files["pictures/" + ANT] = files["pictures/" + ANT][:60]
    with pytest.raises(InputError, match=f"1 of 10 image files can't be read: {ANT}"):
        packed(tmp_path, "encoded", files)
    report, made = packed(tmp_path, "encoded", files, max_unreadable=0.1)
    assert [fault["source"] for fault in report["unreadable"]] == [ANT]
    np.testing.assert_array_equal(made.read(np.array([0])), noise(2)[None])


def test_encoded_images_have_no_map_of_pixels(tmp_path):
    _, made = packed(tmp_path, "encoded", two_splits())
    assert not hasattr(made, "pixels")


@pytest.mark.parametrize("index", [[10], [-1], [0, 99]])
def test_an_image_that_is_not_there_is_refused(tmp_path, index):
    _, made = packed(tmp_path, "encoded", two_splits())
    with pytest.raises(IndexError, match="images 0 … 9; found"):
        made.read(np.array(index))


def place_of(made, number):
    """Offset of an encoded image in images.h5."""
    with h5py.File(made.path) as file:
        return file["encoded"].id.get_offset() + int(file["encoded_offset"][number])


@pytest.mark.parametrize("threads", [1, 2])
def test_damaged_bytes_are_refused_by_the_images_name(tmp_path, threads):
    files = {
        name: encoded(noise(i), "BMP") for i, name in enumerate(two_splits())
    }  # decodes whatever is damaged
    _, made = packed(tmp_path, "encoded", files, threads=threads)
    content = bytearray(made.path.read_bytes())
    content[place_of(made, 3) + 100] ^= 1
    made.path.write_bytes(content)
    damaged = PackedImages(made.path, threads)
    with pytest.raises(
        InputError, match=f"images.h5: image {BEE}: is damaged.*delete the file and pack again"
    ):
        damaged.read(np.arange(10))
    damaged.read(np.array([0, 1, 2, 4]))


def test_bytes_that_do_not_decode_any_more_are_refused(tmp_path):
    _, made = packed(tmp_path, "encoded", two_splits())
    content = bytearray(made.path.read_bytes())
    content[place_of(made, 3)] ^= 1
    made.path.write_bytes(content)
    with pytest.raises(InputError, match=f"image {BEE}: is damaged"):
        PackedImages(made.path).read(np.array([3]))


def test_a_decoder_with_other_pixels_is_noticed(tmp_path, monkeypatch):
    files = odd_files()
    _, made = packed(tmp_path, "encoded", files)
    monkeypatch.setattr(decode.Resampling, "apply", lambda self, image, size: image.resize((size, size)))
    monkeypatch.setattr(decode, "decoder", lambda: "Pillow 99")
    with pytest.raises(InputError, match=r"decodes to other pixels than when it was packed, by Pillow .*99"):
        made.read(np.arange(10))
    made.read(np.array([0]))  # of the right size: its pixels are the same

    def refuse(content, **how):
        raise decode.Unreadable("no image of a known format")

    monkeypatch.setattr(decode, "decode", refuse)
    with pytest.raises(InputError, match=r"can't be decoded .no image of a known format., by Pillow"):
        made.read(np.array([0]))


def test_a_pack_that_is_cut_short_or_mixed_up_is_refused(tmp_path):
    _, made = packed(tmp_path, "encoded", two_splits())
    content = made.path.read_bytes()
    with h5py.File(made.path, "r+") as file:
        file["encoded_offset"][2] = 0
    with pytest.raises(InputError, match=r"places of its images are not in order.*pack again"):
        PackedImages(made.path)
    made.path.write_bytes(content[: place_of(made, 5)])
    with pytest.raises(InputError, match=r"images\.h5: is (damaged|cut short).*pack again"):
        PackedImages(made.path)


def many_files(count=48):
    """JPEG files of three classes: stripes of different width."""
    line, rng = np.arange(24), np.random.default_rng(0)
    files = {}
    for number in range(count):
        wave = np.sin(2 * np.pi * (2 + 2 * (number % 3)) * line / 24 + rng.uniform(0, 6))
        image = 127 + 60 * wave[None, :] + rng.normal(0, 20, (24, 24))
        split = "val" if number >= count * 3 // 4 else "train"
        name = f"{split}/{'abc'[number % 3]}/{number:03d}.jpg"
        files[name] = encoded(image.clip(0, 255).astype(np.uint8), "JPEG")
    return files


def run(name, **given):
    """Run a program's main function in this process."""
    main = runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"]
    main(Namespace(expect_code=None, threads=2, **given))


def test_every_program_before_training_makes_the_same_of_both_forms(tmp_path):
    tier = (
        '{"kind": "count", "dataset": "made", "label": "class", "counts": [2], "floor": 2,'
        ' "images": {"train": 16, "validation": 4, "probe": 4}}'
    )
    results = []
    for made in both(tmp_path, many_files(), color="grey"):
        place = made.path.parent
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(images, "BLOCK_BYTES", 5 * 256)  # several blocks
            run("reference", images=made.path, options='{"components": 4}', output=place / "reference.h5")
        for kind in ("hierarchy", "feature", "spectral"):
            run(
                "similarity", images=made.path, label="class", kind=kind,
                reference=place / "reference.h5", output=place / f"{kind}.csv",
            )  # fmt: skip
        run("spectra", images=made.path, label="class", psd=place / "psd.h5", adcs=place / "adcs.h5")
        run(
            "tier", images=made.path, tier="count-2-d0", family="count", level="2", draw=0, options=tier,
            similarity=None, duplicates=None, of_manifest=None, of_indices=None,
            manifest=place / "tier.json", indices=place / "tier.npz",
        )  # fmt: skip
        run(
            "complexity", images=made.path, reference=place / "reference.h5", options='{"images": 10}',
            hierarchy_similarity=place / "hierarchy.csv", spectral_similarity=place / "spectral.csv",
            manifest=place / "tier.json", indices=place / "tier.npz", output=place / "complexity.csv",
            class_mean_psd=place / "class-mean-psd.h5", pinson=place / "pinson.h5",
        )  # fmt: skip
        results.append({path.name: path for path in place.iterdir() if path.name != "images.h5"})
    pixels, files = results
    assert sorted(pixels) == sorted(files) and len(pixels) == 11
    for name, path in pixels.items():
        if path.suffix == ".h5":
            with xr.open_dataset(path) as one, xr.open_dataset(files[name]) as other:
                xr.testing.assert_identical(one, other)
        else:
            assert path.read_bytes() == files[name].read_bytes(), name


@pytest.fixture
def tasks(tmp_path):
    """The same small training on both forms."""
    made = []
    for form in both(tmp_path, many_files(72), color="grey", size=8):
        label = form.labels("class").astype(np.int64)
        index = {"train": np.arange(54), "validation": np.arange(54, 63), "probe": np.arange(63, 72)}
        facts = {
            "tier": "t", "seed": 0, "number_of_classes": 3, "data_sha256": form.content_sha256,
            "classes": [{"name": name, "title": "", "members": [name]} for name in "abc"],
        }  # fmt: skip
        place = form.path.parent / "tier.json", form.path.parent / "tier.npz"
        write_manifest(*place, facts, index, {part: label[where] for part, where in index.items()})
        made.append(make_task(form.path.parent, steps=6, batch_size=8))
    return made


def test_a_training_on_encoded_images_ends_with_the_same_weights(tasks, tmp_path):
    pixels, files = tasks
    assert files.images.is_encoded and files.fingerprint("0", "cpu") == pixels.fingerprint("0", "cpu")
    ends = [train_in_process(task, tmp_path / str(number)) for number, task in enumerate(tasks)]
    assert same_results(*ends)


def test_batches_and_probes_of_encoded_images_are_the_same(tasks):
    pixels, files = tasks
    subsets = [Subset(task.images, np.arange(5, 40), np.zeros(35), torch.device("cpu")) for task in tasks]
    assert torch.equal(*(subset.cut(np.array([3, 0, 30]))[0] for subset in subsets))
    assert subsets[0].is_cheap and not subsets[1].is_cheap
    probes = [read_probe(task.images, task.manifest, task.recipe, 10) for task in (pixels, files)]
    np.testing.assert_array_equal(probes[0].images, probes[1].images)
    np.testing.assert_array_equal(probes[0].training, probes[1].training)


def test_an_edit_of_the_decoder_costs_no_training():
    """Whatever it does, readers take only the pixels that were packed."""
    assert "data.encoded" in modules_of("train") and "data.decode" not in modules_of("train")
    assert "data.decode" in modules_of("pack")
