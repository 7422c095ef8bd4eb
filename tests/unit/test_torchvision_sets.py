"""Published sets: pixels, labels and splits are those of the files, whatever form they lie in, and nothing is run."""

import os
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import made_sets
import numpy as np
import pytest
from made_images import write_folder, write_zip
from pydantic import ValidationError

from spectral_priority.config.datasets import Dataset
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.data.torchvision_sets import find as finding
from spectral_priority.data.torchvision_sets import published as publishing
from spectral_priority.data.torchvision_sets.labelled import read_classes
from spectral_priority.data.torchvision_sets.plain_pickle import read_plain
from spectral_priority.errors import InputError

FINE = [row for row in read_classes("cifar100") if row["label"] == "class"]
COARSE = [row["class"] for row in read_classes("cifar100") if row["label"] == "superclass"]
SUPERCLASS_OF = [COARSE.index(row["superclass"]) for row in FINE]


def packed(root, name, size=32, out="out", verify=False, threads=2, **options):
    """Pack a set below a data root; return the report and the images."""
    source = {"kind": "torchvision", "name": name, "download": False, "verify": verify}
    extra = {key: options.pop(key) for key in ("extra", "download") if key in options}
    checked = Dataset.model_validate({"size": size, **options, "source": {**source, **extra}})
    target = root / f"{out}-packed" / "images.h5"
    report = pack(open_source(checked, root, threads), "made", checked, target, {})
    return report, PackedImages(target)


def holds(images, held, column="class", place=1):
    """Every image of the pack has the pixels and the label that were written to the files."""
    numbers = {"train": 0, "test": 1, "extra": 0}
    expected = {
        f"{part}/{i:06d}": (values[0][i], values[place][i], numbers[part.split("/")[0]])
        for part, values in held.items()
        for i in range(len(values[0]))
    }
    sources = images.source
    assert sorted(sources) == sorted(expected)
    for position, name in enumerate(sources):
        pixels, label, split = expected[name]
        np.testing.assert_array_equal(
            images.pixels[position], np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        )
        assert images.labels(column)[position] == label and images.split[position] == split, name


def refused(root, name, match, **options):
    with pytest.raises(InputError, match=match) as error:
        packed(root, name, **options)
    left = [path.name for path in (root / "out-packed").glob("*")] if (root / "out-packed").exists() else []
    assert left == [], "something was left behind"
    return str(error.value)


# --- what the files hold ------------------------------------------------------------------------------------


def test_cifar10_is_the_same_in_all_its_forms(tmp_path):
    hashes = set()
    for form, archive in (("python", "cifar-10-python.tar.gz"), ("binary", "cifar-10-binary.tar.gz")):
        files, held = made_sets.cifar10(form)
        roots = [tmp_path / form / str(number) for number in range(3)]
        made_sets.tar(roots[0] / archive, files)
        made_sets.tar(roots[1] / "cifar10" / archive, files, order=-1)
        write_folder(roots[2], files)
        for number, root in enumerate(roots):
            report, images = packed(root, "cifar10", threads=1 + number)
            holds(images, held)
            assert (report["train"], report["held_out"]) == (20, 4)
            hashes.add(images.content_sha256)
    assert len(hashes) == 1
    assert images.classes == {"class": [row["class"] for row in read_classes("cifar10")]}
    assert images.classes["class"][3] == "cat"
    assert set(images.fact("mode")) == {"RGB"} and set(images.fact("encoder_quality")) == {-1}


@pytest.mark.parametrize("form", ["python", "binary"])
def test_cifar100_has_classes_superclasses_and_the_hierarchy_between_them(tmp_path, form):
    files, held = made_sets.cifar100(form, SUPERCLASS_OF)
    made_sets.tar(tmp_path / f"cifar-100-{form}.tar.gz", files)
    _, images = packed(tmp_path, "cifar100")
    holds(images, held)
    holds(images, held, "superclass", 2)
    parent = {child: above for above, child in images.hierarchy("class")}
    for fine, coarse in zip(images.labels("class"), images.labels("superclass"), strict=True):
        name, above = images.classes["class"][fine], images.classes["superclass"][coarse]
        assert parent[name] == above and parent[above] == "cifar100"
    assert parent["dolphin"] == "aquatic_mammals" and images.titles["aquarium_fish"] == "aquarium fish"
    assert len(images.classes["class"]) == 100 and len(images.classes["superclass"]) == 20


@pytest.mark.parametrize("name, folder", [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_and_fashion_mnist_are_read_from_idx_files(tmp_path, name, folder, zipped):
    files, held = made_sets.mnist(zipped)
    for number, place in enumerate((f"{folder}/raw", f"{name}/{folder}/raw", f"{name}/raw", name)):
        root = tmp_path / str(number)
        write_folder(root / place, files)
        _, images = packed(root, name, size=28)
        holds(images, held)
    assert set(images.fact("mode")) == {"L"}
    _, grey = packed(root, name, size=28, color="grey", out="grey")
    assert grey.pixels.shape == (40, 28, 28, 1) and (grey.pixels == images.pixels[..., :1]).all()
    assert images.titles[images.classes["class"][9]] == ("Ankle boot" if "fashion" in name else "nine")


def test_the_files_of_mnist_are_not_taken_for_fashion_mnist(tmp_path):
    write_folder(tmp_path / "MNIST" / "raw", made_sets.mnist(True)[0])
    write_folder(tmp_path, made_sets.mnist(True)[0])
    refused(tmp_path, "fashion-mnist", "the data set fashion-mnist: not found in")


@pytest.mark.parametrize("order", [1, -1])
def test_stl10_is_read_column_by_column_without_its_unlabelled_images(tmp_path, order):
    files, held = made_sets.stl10()
    made_sets.tar(tmp_path / "stl10_binary.tar.gz", files, order)
    report, images = packed(tmp_path, "stl10", size=96)
    holds(images, held)
    assert (report["train"], report["held_out"]) == (20, 10)
    write_folder(tmp_path / "stl10", files)
    _, again = packed(tmp_path, "stl10", size=96, out="again")
    assert again.content_sha256 == images.content_sha256


def test_svhn_calls_ten_zero_and_takes_extra_images_when_asked(tmp_path):
    held = made_sets.svhn(tmp_path, ("train", "test", "extra"))
    _, images = packed(tmp_path, "svhn", extra=True)
    holds(images, held)
    _, images = packed(tmp_path, "svhn", out="fewer")
    del held["extra"]
    holds(images, held)
    with pytest.raises(ValidationError, match="mnist has no extra images; only svhn has"):
        Dataset.model_validate({"source": {"kind": "torchvision", "name": "mnist", "extra": True}})


def test_eurosat_is_jpeg_files_in_a_folder_per_class_without_a_split(tmp_path):
    classes = [row["class"] for row in read_classes("eurosat")]
    files, hashes = made_sets.eurosat(classes), set()
    (tmp_path / "a" / "eurosat").mkdir(parents=True)
    write_zip(tmp_path / "a" / "eurosat" / "EuroSAT.zip", files)
    write_folder(tmp_path / "b" / "eurosat", files)
    for number, root in enumerate((tmp_path / "a", tmp_path / "b")):
        report, images = packed(root, "eurosat", size=64, pack=("pixels", "encoded")[number])
        assert (report["train"], report["held_out"], report["classes"]) == (20, 0, {"class": 10})
        hashes.add(images.content_sha256)
    assert len(hashes) == 1 and set(images.fact("encoder_quality")) == {75}
    assert images.classes["class"] == sorted(classes) and images.titles["SeaLake"] == "sea or lake"
    with pytest.raises(ValidationError, match="the images of svhn have no files of their own; choose pixels"):
        Dataset.model_validate({"pack": "encoded", "source": {"kind": "torchvision", "name": "svhn"}})


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion-mnist", "stl10", "svhn"])
def test_torchvision_reads_the_same_images_from_the_same_files(tmp_path, monkeypatch, name):
    from torchvision import datasets

    write = {
        "cifar10": lambda: write_folder(tmp_path, made_sets.cifar10("python")[0]),
        "cifar100": lambda: write_folder(tmp_path, made_sets.cifar100("python", SUPERCLASS_OF)[0]),
        "mnist": lambda: write_folder(tmp_path / "MNIST" / "raw", made_sets.mnist(False)[0]),
        "fashion-mnist": lambda: write_folder(tmp_path / "FashionMNIST" / "raw", made_sets.mnist(False)[0]),
        "stl10": lambda: write_folder(tmp_path, made_sets.stl10()[0]),
        "svhn": lambda: made_sets.svhn(tmp_path),
    }
    write[name]()
    of = {
        "cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "mnist": datasets.MNIST,
        "fashion-mnist": datasets.FashionMNIST, "stl10": datasets.STL10, "svhn": datasets.SVHN,
    }[name]  # fmt: skip
    monkeypatch.setattr(of, "_check_integrity", lambda self: True, raising=False)
    monkeypatch.setattr(of, "_load_meta", lambda self: None, raising=False)
    size = {"stl10": 96}.get(name, 28 if "mnist" in name else 32)
    _, images = packed(tmp_path, name, size=size)
    found = sorted(
        (int(images.split[i]), image.tobytes(), int(images.labels("class")[i]))
        for i, image in enumerate(images.pixels)
    )
    expected = []
    for split in (0, 1):
        arguments = {"split": ("train", "test")[split]} if name in ("stl10", "svhn") else {"train": not split}
        expected += [
            (split, np.asarray(image.convert("RGB")).tobytes(), int(label))
            for image, label in of(tmp_path, **arguments)
        ]
    assert found == sorted(expected)


@pytest.mark.parametrize("color", ["rgb", "grey"])
def test_pixels_are_fitted_as_those_of_a_file_are(tmp_path, color):
    files, held = made_sets.cifar10("binary")
    made_sets.tar(tmp_path / "cifar-10-binary.tar.gz", files)
    _, images = packed(tmp_path, "cifar10", size=20, color=color)
    pngs = {
        f"{'val' if part == 'test' else 'train'}/{label}/{part.replace('/', '-')}-{i}.png": made_sets.encoded(
            image
        )
        for part, (pictures, labels) in held.items()
        for i, (image, label) in enumerate(zip(pictures, labels, strict=True))
    }
    write_zip(tmp_path / "a.zip", pngs)
    options = Dataset.model_validate({"size": 20, "color": color, "source": {"kind": "image-folder",
                                                                             "paths": ["a.zip"]}})  # fmt: skip
    pack(open_source(options, tmp_path, 1), "png", options, tmp_path / "png" / "images.h5", {})
    png = PackedImages(tmp_path / "png" / "images.h5")

    def sorted_pixels(pack_):
        return sorted(image.tobytes() for image in pack_.pixels)

    assert sorted_pixels(images) == sorted_pixels(png)


def test_blocks_may_be_cut_anywhere(tmp_path, monkeypatch):
    from spectral_priority.data import image_arrays, records

    files, held = made_sets.cifar10("binary")
    made_sets.tar(tmp_path / "cifar-10-binary.tar.gz", files)
    monkeypatch.setattr(image_arrays, "BLOCK_BYTES", 1)
    monkeypatch.setattr(records, "CHUNK_BYTES", 3 * 3073)
    _, images = packed(tmp_path, "cifar10")
    holds(images, held)


# --- pickles ------------------------------------------------------------------------------------------------


class Evil:
    """What a pickle may ask for."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def test_a_malicious_batch_is_refused_by_name_and_nothing_of_it_runs(tmp_path):
    mark = tmp_path / "it ran"
    command = Evil(os.system, f"touch '{mark}'")
    for value in (command, {"data": command, "labels": []}, Evil(exec, f"open({str(mark)!r}, 'w')"),
                  Evil(Path, "a"), Evil(getattr, "a", "upper")):  # fmt: skip
        for protocol in (0, 2, 5):
            content = pickle.dumps(value, protocol)
            root = tmp_path / "root"
            files, _ = made_sets.cifar10("python")
            files["cifar-10-batches-py/data_batch_3"] = content
            made_sets.tar(root / "cifar-10-python.tar.gz", files)
            text = refused(root, "cifar10", "is a pickle that names")
            assert "data_batch_3" in text and "nothing of it was run" in text
    assert not mark.exists()
    subprocess.run(["touch", mark], check=True)  # the command would have worked
    assert mark.exists()


def test_stand_ins_of_a_pickle_can_not_be_changed_or_called_otherwise():
    build = b"b."
    for head in (b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"):
        with pytest.raises(InputError, match="no pickle that can be read"):
            read_plain(b"\x80\x02" + head + b"N}U\x0c__defaults__U\x01xs\x86" + build, "batch")
    with pytest.raises(InputError, match="an array of a kind of its own"):
        read_plain(b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R.", "batch")
    for content in (b"", b"no pickle", pickle.dumps([1]), pickle.dumps({"a": 1})[:-3]):
        with pytest.raises(InputError, match="is no pickle that can be read"):
            read_plain(content, "batch")
    for content in (pickle.PERSID + b"x\n.", b"\x80\x02" + pickle.EXT1 + b"\x01."):
        with pytest.raises(InputError):
            read_plain(content, "batch")


def test_arrays_of_anything_but_bytes_are_refused():
    whole = made_sets.python2({"data": made_sets.planes(made_sets.random_images(0, 2, 32))})
    assert read_plain(whole, "batch")[b"data"].shape == (2, 3072)
    for array in (
        np.zeros((2, 3072)),
        np.array([{}, []], dtype=object),
        np.asfortranarray(np.zeros((2, 3), "u1")),
    ):
        with pytest.raises(InputError, match="an array"):
            read_plain(made_sets.python2({"data": array}), "batch")
    with pytest.raises(InputError, match="is no pickle that can be read"):
        read_plain(whole.replace((3072).to_bytes(2, "little"), (3073).to_bytes(2, "little"), 1), "batch")


# --- files that are damaged, missing or others ---------------------------------------------------------------


def test_other_content_than_the_published_one_is_refused_or_said(tmp_path):
    path = made_sets.tar(tmp_path / "cifar-10-python.tar.gz", made_sets.cifar10("python")[0])
    found, expected = finding.md5(path), "c58f30108f718f92721af3b95e74349a"
    text = refused(tmp_path, "cifar10", f"has MD5 {found}", verify=True)
    assert expected in text and str(path) in text and "verify: false" in text
    report, _ = packed(tmp_path, "cifar10")
    said = f"cifar-10-python.tar.gz is not the published file: MD5 {found}, not {expected}"
    assert said in report["warnings"]


def test_the_published_content_is_taken_without_a_word(tmp_path, monkeypatch):
    root = tmp_path
    write_folder(root, made_sets.cifar10("python")[0])
    told = {file: publishing.Published(finding.md5(root / "cifar-10-batches-py" / file))
            for file in finding.CIFAR10_BATCHES}  # fmt: skip
    monkeypatch.setattr(finding, "published", lambda name: told)
    report, _ = packed(root, "cifar10", verify=True, out="whole")
    assert not any("MD5" in text or "checksum" in text for text in report["warnings"])
    (root / "cifar-10-batches-py" / "data_batch_2").unlink()
    refused(root, "cifar10", "data_batch_2: there is no such file", verify=True)


def test_what_was_unpacked_without_a_published_checksum_is_said(tmp_path):
    write_folder(tmp_path / "MNIST" / "raw", made_sets.mnist(False)[0])
    report, _ = packed(tmp_path, "mnist", size=28, verify=True)
    assert sum("no checksum of" in text for text in report["warnings"]) == 4


def test_damaged_files_are_refused_by_name(tmp_path):
    files, _ = made_sets.cifar10("binary")
    short = {
        **files,
        "cifar-10-batches-bin/test_batch.bin": files["cifar-10-batches-bin/test_batch.bin"][:-5],
    }
    strange = {**files, "cifar-10-batches-bin/data_batch_4.bin": bytes([10]) + bytes(3072)}
    absent = {name: content for name, content in files.items() if "data_batch_1" not in name}
    for changed, match in ((short, "test_batch.bin: ends after 3068 bytes of a record"),
                           (strange, "data_batch_4.bin: found the label 10 of an image"),
                           (absent, "has no data_batch_1.bin")):  # fmt: skip
        made_sets.tar(tmp_path / "cifar-10-binary.tar.gz", changed)
        refused(tmp_path, "cifar10", match)
    path = made_sets.tar(tmp_path / "cifar-10-binary.tar.gz", files)
    path.write_bytes(path.read_bytes()[:-2000])
    refused(tmp_path, "cifar10", "cifar-10-binary.tar.gz: is damaged or cut short")

    files, _ = made_sets.cifar100("binary", SUPERCLASS_OF[::-1])
    made_sets.tar(tmp_path / "cifar-100-binary.tar.gz", files)
    refused(tmp_path, "cifar100", "images have a superclass that is not their class's")

    files, _ = made_sets.stl10()
    files["stl10_binary/train_y.bin"] = files["stl10_binary/train_y.bin"][:-1]
    made_sets.tar(tmp_path / "stl10_binary.tar.gz", files)
    refused(tmp_path, "stl10", "stl10, train: 20 images and 19 labels", size=96)

    made_sets.svhn(tmp_path)
    (tmp_path / "train_32x32.mat").write_bytes(b"no MATLAB")
    refused(tmp_path, "svhn", "train_32x32.mat: is no MATLAB file")

    for changed, match in (
        (lambda content: content[:-9], "train-images-idx3-ubyte: ends after 775 bytes"),
        (lambda content: content[:-784], "train-images-idx3-ubyte: holds 29 of 30 records"),
        (lambda content: b"\x00\x00\x09" + content[3:], "is no such IDX file"),
        (lambda content: content[:4] + b"\xff" * 4 + content[8:], "holds 30 of 4,294,967,295"),
    ):
        files, _ = made_sets.mnist(False)
        files["train-images-idx3-ubyte"] = changed(files["train-images-idx3-ubyte"])
        write_folder(tmp_path / "MNIST" / "raw", files)
        refused(tmp_path, "mnist", match, size=28)
    files, _ = made_sets.mnist(True)
    files["t10k-labels-idx1-ubyte.gz"] = files["t10k-labels-idx1-ubyte.gz"][:-6]
    write_folder(tmp_path / "MNIST" / "raw", files)
    refused(tmp_path, "mnist", "t10k-labels-idx1-ubyte.gz: is damaged or cut short", size=28)


@pytest.mark.parametrize(
    "name", ["cifar10", "cifar100", "mnist", "fashion-mnist", "stl10", "svhn", "eurosat"]
)
def test_what_is_missing_is_said_with_address_checksum_and_place(tmp_path, name):
    text = refused(tmp_path, name, f"the data set {name}: not found in")
    assert re.search(r"https?://\S+ ?.*, MD5 [0-9a-f]{32}", text) and str(tmp_path / name) in text
    assert "download: true" in text and "data_root" in text


def test_a_failed_download_says_file_address_checksum_and_place_and_leaves_nothing(tmp_path, monkeypatch):
    """A port of this machine where nobody answers stands for no network."""
    nowhere = publishing.Published("0" * 32, ("http://127.0.0.1:9/a.mat", "http://127.0.0.1:9/b/a.mat"))
    monkeypatch.setattr(
        finding, "published", lambda name: dict.fromkeys(["train_32x32.mat", "test_32x32.mat"], nowhere)
    )
    text = refused(tmp_path, "svhn", "can't be downloaded from", download=True)
    for part in (str(tmp_path / "svhn" / "train_32x32.mat"), *nowhere.urls, nowhere.md5, "put it there"):
        assert part in text
    assert list((tmp_path / "svhn").iterdir()) == []


@pytest.fixture
def server(tmp_path):
    """A folder served on this machine."""
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_missing_files_are_downloaded_compared_and_then_found(tmp_path, monkeypatch, server):
    folder, address = server
    held = made_sets.svhn(folder)
    files = {name: publishing.Published(finding.md5(folder / name), (f"{address}/lost/{name}", f"{address}/{name}"))
             for name in ("train_32x32.mat", "test_32x32.mat")}  # fmt: skip
    monkeypatch.setattr(finding, "published", lambda name: files)
    root = tmp_path / "root"
    _, images = packed(root, "svhn", download=True, verify=True, out="first")
    holds(images, held)
    assert sorted(path.name for path in (root / "svhn").iterdir()) == ["test_32x32.mat", "train_32x32.mat"]
    (folder / "train_32x32.mat").unlink()
    packed(root, "svhn", download=True, verify=True, out="again")
    files["train_32x32.mat"] = publishing.Published("0" * 32, (f"{address}/test_32x32.mat",))
    (root / "svhn" / "train_32x32.mat").unlink()
    refused(root, "svhn", "train_32x32.mat: can't be downloaded", download=True)
    assert sorted(path.name for path in (root / "svhn").iterdir()) == ["test_32x32.mat"]


def test_a_server_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.mat"
        monkeypatch.setattr(publishing, "SILENCE", 0.2)
        with pytest.raises(InputError, match=r"can't be downloaded from .*timed out"):
            publishing.download(tmp_path / "a.mat", publishing.Published("0" * 32, (url,)))
    assert socket.getdefaulttimeout() is None


def test_torchvision_is_imported_for_its_own_sets_only(tmp_path):
    write_folder(tmp_path, {f"{split}/a/1.png": made_sets.encoded(made_sets.random_images(0, 1, 8)[0])
                            for split in ("train", "val")})  # fmt: skip
    code = f"""
        import sys
        from pathlib import Path
        from spectral_priority.config.datasets import Dataset
        from spectral_priority.data.sources import open_source
        options = Dataset.model_validate({{"source": {{"kind": "image-folder", "paths": ["."]}}, "size": 8}})
        assert sum(len(batch.key) for batch in open_source(options, Path({str(tmp_path)!r}), 1).batches()) == 2
        assert not {{"torch", "torchvision", "scipy"}} & set(sys.modules), "imported"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
