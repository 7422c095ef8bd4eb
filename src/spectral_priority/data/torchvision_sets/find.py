"""Where the files of a torchvision set are: looked for below data_root, downloaded where missing, compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from .published import Published, download, published

CIFAR10_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
IDX_FILES = tuple(
    f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
)
STL10_FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")


@dataclass(frozen=True)
class Form:
    """A form in which a set is published or unpacked.

    Attributes
    ----------
    format : str
        What reads it.
    paths : tuple of str
        Its files, or its one folder.
    members : tuple of str
        The files of the folder that are read.
    """

    format: str
    paths: tuple[str, ...]
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """The files of a set.

    Attributes
    ----------
    format : str
    paths : list of path
    warnings : list of str
        What is not as published, or could not be compared.
    """

    format: str
    paths: list[Path]
    warnings: list[str] = field(default_factory=list)


def _forms(name: str, extra: bool) -> tuple[Form, ...]:
    """Return the forms of a set; the first one is what is downloaded."""
    idx = (Form("idx", tuple(f"{file}.gz" for file in IDX_FILES)), Form("idx", IDX_FILES))
    svhn = ("train", "test", *(["extra"] if extra else []))
    return {
        "cifar10": (
            Form("python", ("cifar-10-python.tar.gz",)),
            Form("python", ("cifar-10-batches-py",), CIFAR10_BATCHES),
            Form("binary", ("cifar-10-binary.tar.gz",)),
            Form("binary", ("cifar-10-batches-bin",), tuple(f"{file}.bin" for file in CIFAR10_BATCHES)),
        ),
        "cifar100": (
            Form("python", ("cifar-100-python.tar.gz",)),
            Form("python", ("cifar-100-python",), ("train", "test")),
            Form("binary", ("cifar-100-binary.tar.gz",)),
            Form("binary", ("cifar-100-binary",), ("train.bin", "test.bin")),
        ),
        "mnist": idx,
        "fashion-mnist": idx,
        "stl10": (Form("stl10", ("stl10_binary.tar.gz",)), Form("stl10", ("stl10_binary",), STL10_FILES)),
        "svhn": (Form("svhn", tuple(f"{split}_32x32.mat" for split in svhn)),),
        "eurosat": tuple(Form("eurosat", (path,)) for path in ("EuroSAT.zip", "2750", "EuroSAT_RGB.zip")),
    }[name]


def _folders(name: str, data_root: Path) -> list[Path]:
    """Return where files may lie; the first folder is where they are downloaded to."""
    own = data_root / name
    if name in ("mnist", "fashion-mnist"):  # their files have the same names: never in data_root itself
        raw = Path("MNIST" if name == "mnist" else "FashionMNIST", "raw")
        return [own / raw, own / "raw", own, data_root / raw]
    return [own, own / "eurosat", data_root] if name == "eurosat" else [own, data_root]


def find(name: str, data_root: Path, wanted: bool, verify: bool, extra: bool = False) -> Found:
    """Return the files of a set, downloaded first where they are wanted, and compared with their checksums.

    Parameters
    ----------
    name : str
    data_root : path
    wanted : bool
        Whether to download what is missing.
    verify : bool
        Whether content other than the published one is refused; otherwise it is a warning.
    extra : bool
        SVHN's extra images too.

    Raises
    ------
    InputError
        For files that are missing, can't be downloaded or have other content.
    """
    forms, folders, known = _forms(name, extra), _folders(name, data_root), published(name)
    for form in forms:
        for folder in folders:
            paths = [folder / path for path in form.paths]
            if all(path.exists() for path in paths):
                return Found(form.format, paths, _compare(form, paths, known, verify))
    first = forms[0]
    folder = max(folders, key=lambda place: sum((place / path).exists() for path in first.paths))
    missing = [path for path in first.paths if not (folder / path).exists()]
    if not wanted:
        what = ", ".join(f"{path} ({_said(known.get(path))})" for path in missing)
        raise InputError(
            f"the data set {name}",
            f"not found in {' or '.join(str(place.absolute()) for place in folders)}",
            "; or ".join(" with ".join(form.paths) for form in forms),
            f"put {what} into {folder.absolute()}, set download: true, or say where it is with "
            "--config data_root=<folder>",
        )
    for path in missing:
        download((folder / path).absolute(), known.get(path, Published("unknown")))
    paths = [folder / path for path in first.paths]
    return Found(first.format, paths, _compare(first, paths, known, verify))


def _compare(form: Form, paths: list[Path], known: dict[str, Published], verify: bool) -> list[str]:
    """Compare checksums; return warnings."""
    warnings, files = [], []
    for path in paths:
        if path.is_dir() and form.members:
            files += [path / member for member in form.members]
        elif path.is_dir():
            warnings.append(f"no checksum of {path.name} is published: its content was not compared")
        else:
            files.append(path)
    for file in files:
        if not file.exists():
            raise InputError(
                file, "there is no such file", ", ".join(form.members), "unpack the archive again"
            )
        if file.name not in known:
            warnings.append(f"no checksum of {file.name} is published: its content was not compared")
            continue
        found, expected = md5(file), known[file.name].md5
        if found != expected and verify:
            raise InputError(
                file,
                f"has MD5 {found}",
                f"the published file, MD5 {expected}",
                "delete it and get it again, or set verify: false to take it as it is",
            )
        if found != expected:
            warnings.append(f"{file.name} is not the published file: MD5 {found}, not {expected}")
    return warnings


def md5(path: Path) -> str:
    """Return a file's MD5 as text; it tells whether a file is the published one, and protects from nobody.

    >>> import tempfile
    >>> empty = Path(tempfile.mkstemp()[1])
    >>> md5(empty)
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise InputError(path, f"can't be read ({error.strerror})") from None


def _said(file: Published | None) -> str:
    return (
        f"{' or '.join(file.urls) or 'no address is known'}, MD5 {file.md5}"
        if file
        else "no address is known"
    )
