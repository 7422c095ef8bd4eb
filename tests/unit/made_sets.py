"""Miniatures of published image sets, made on the spot in exactly the layout in which the sets are published."""

import gzip
import io
import pickle
import struct
from pathlib import Path

import numpy as np
from made_images import encoded, write_tar
from scipy.io import savemat


def random_images(seed: int, number: int, side: int, channels: int = 3) -> np.ndarray:
    """Images (n, y, x, channel) of which no two pixels are alike by rule: any mix-up of axes shows."""
    shape = (number, side, side, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: texts as plain strings of bytes, NumPy by its old names."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, text):
        content = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    dispatch[bytes] = dispatch[str] = save_text

    def save_global(self, thing, name=None):
        module = {"numpy._core.multiarray": "numpy.core.multiarray"}.get(thing.__module__, thing.__module__)
        self.write(pickle.GLOBAL + f"{module}\n{thing.__name__}\n".encode())
        self.memoize(thing)

    dispatch[type] = dispatch[type(np.zeros)] = dispatch[type(struct.pack)] = save_global
    dispatch[type(random_images)] = save_global


def python2(value) -> bytes:
    """Pickle a value as Python 2 did (protocol 2)."""
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def planes(images: np.ndarray) -> np.ndarray:
    """Records of CIFAR: red, green and blue plane, each row by row."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def cifar10(form: str, each: int = 4) -> tuple[dict[str, bytes], dict[str, tuple[np.ndarray, list[int]]]]:
    """Files of CIFAR-10 by member path, and what they hold by part: images and labels."""
    files, held = {}, {}
    for number in range(1, 7):
        name = f"data_batch_{number}" if number < 6 else "test_batch"
        images = random_images(number, each, 32)
        labels = [(3 * number + i) % 10 for i in range(each)]
        held[f"train/{name}" if number < 6 else "test"] = (images, labels)
        if form == "binary":
            records = np.concatenate([np.array(labels, np.uint8)[:, None], planes(images)], axis=1)
            files[f"cifar-10-batches-bin/{name}.bin"] = records.tobytes()
        else:
            batch = {
                "batch_label": f"training batch {number} of 5",
                "labels": labels,
                "data": planes(images),
                "filenames": [f"picture_{i}.png" for i in range(each)],
            }
            files[f"cifar-10-batches-py/{name}"] = python2(batch)
    folder = "cifar-10-batches-bin/" if form == "binary" else "cifar-10-batches-py/"
    files[folder + ("batches.meta.txt" if form == "binary" else "batches.meta")] = b"airplane\n"
    files[folder + "readme.html"] = b"<html>"
    return files, held


def cifar100(form: str, superclass_of: list[int]) -> tuple[dict[str, bytes], dict]:
    """Files of CIFAR-100; its binary records have the superclass first."""
    files, held = {}, {}
    for number, (part, each) in enumerate((("train", 200), ("test", 100))):
        images = random_images(number, each, 32)
        fine = [(7 * i + number) % 100 for i in range(each)]
        coarse = [superclass_of[label] for label in fine]
        held[part] = (images, fine, coarse)
        if form == "binary":
            labels = np.array([coarse, fine], np.uint8).T
            files[f"cifar-100-binary/{part}.bin"] = np.concatenate([labels, planes(images)], axis=1).tobytes()
        else:
            batch = {
                "data": planes(images),
                "fine_labels": fine,
                "coarse_labels": coarse,
                "batch_label": part,
            }
            files[f"cifar-100-python/{part}"] = python2(batch)
    return files, held


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist(zipped: bool) -> tuple[dict[str, bytes], dict]:
    """The four files of MNIST or Fashion-MNIST, every label ten times in training."""
    files, held = {}, {}
    for number, (name, part, each) in enumerate((("train", "train", 30), ("t10k", "test", 10))):
        images = random_images(number, each, 28, 1)
        labels = [(i + number) % 10 for i in range(each)]
        held[part] = (images, labels)
        for what, array in (("images-idx3", images[..., 0]), ("labels-idx1", np.array(labels, np.uint8))):
            content = idx(array)
            files[f"{name}-{what}-ubyte" + zipped * ".gz"] = gzip.compress(content) if zipped else content
    return files, held


def stl10() -> tuple[dict[str, bytes], dict]:
    """Files of STL-10: planes column by column, labels from 1, and unlabelled images."""
    files, held = {}, {}
    for number, (part, each) in enumerate((("test", 10), ("train", 20))):
        images = random_images(number, each, 96)
        labels = [(i + number) % 10 for i in range(each)]
        held[part] = (images, labels)
        files[f"stl10_binary/{part}_X.bin"] = np.ascontiguousarray(images.transpose(0, 3, 2, 1)).tobytes()
        files[f"stl10_binary/{part}_y.bin"] = bytes(label + 1 for label in labels)
    files["stl10_binary/unlabeled_X.bin"] = bytes(3 * 96 * 96 * 2)
    files["stl10_binary/class_names.txt"] = b"airplane\n"
    return files, held


def svhn(folder: Path, splits=("train", "test")) -> dict:
    """Write the MATLAB files of SVHN; the digit 0 is called 10."""
    held = {}
    for number, part in enumerate(splits):
        images = random_images(number, 20, 32)
        labels = [(i + number) % 10 for i in range(20)]
        held[part] = (images, labels)
        y = np.array([label or 10 for label in labels], np.uint8)[:, None]
        content = {"X": images.transpose(1, 2, 3, 0), "y": y}
        savemat(folder / f"{part}_32x32.mat", content, do_compression=True)
    return held


def eurosat(classes) -> dict[str, bytes]:
    """Files of EuroSAT: a folder of JPEG files per class."""
    return {
        f"2750/{name}/{name}_{number}.jpg": encoded(random_images(10 * i + number, 1, 64)[0], "JPEG")
        for i, name in enumerate(classes)
        for number in (1, 2)
    }


def tar(path: Path, files: dict[str, bytes], order: int = 1) -> Path:
    """Write a tar.gz with its members in either order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tar(path, dict(list(files.items())[::order]))
