"""Small image data sets made on the spot, in every form in which data sets come."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(image, form="PNG", **options) -> bytes:
    """Encode an array or a Pillow image."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, form, **options)
    return file.getvalue()


def noise(seed: int, size: int = 16) -> np.ndarray:
    """Make an RGB image of white noise."""
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def two_splits(classes=("ant", "bee"), train=3, held_out=2, top="pictures/", split="val") -> dict[str, bytes]:
    """Make files by member path: <top><split>/<class>/<file>."""
    files, seed = {}, 0
    for folder, count in (("train", train), (split, held_out)):
        for name in classes:
            for number in range(count):
                seed += 1
                files[f"{top}{folder}/{name}/{number}.png"] = encoded(noise(seed))
    return files


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for member, content in files.items():
        path = folder / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path


def write_tar(path: Path, files: dict[str, bytes], special: tarfile.TarInfo | None = None) -> Path:
    """Write a tar whose compression follows from its name, with one special member at its end if asked."""
    compression = path.suffix.removeprefix(".") if path.suffix in (".gz", ".xz", ".bz2") else ""
    with tarfile.open(path, f"w:{compression}") as archive:
        for member, content in files.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if special is not None:
            archive.addfile(special)
    return path
