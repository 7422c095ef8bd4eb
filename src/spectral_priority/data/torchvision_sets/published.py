"""What torchvision says of a set's files: where they are published, and their checksums; and its way to get them.

The only file of the data room that imports torchvision, and with it torch: only sets of this kind need it.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ...store.atomic import atomic

SILENCE = 30.0
"""Seconds without an answer after which a download is given up."""
BINARY = {
    "cifar10": ("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar100": ("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
}
"""The archives that torchvision doesn't read, and their MD5 by the sets' page (www.cs.toronto.edu/~kriz/cifar.html)."""


@dataclass(frozen=True)
class Published:
    """A file of a data set.

    Attributes
    ----------
    md5 : str
    urls : tuple of str
        Where it can be had; none for what lies in an archive.
    """

    md5: str
    urls: tuple[str, ...] = ()


def published(name: str) -> dict[str, Published]:
    """Return what torchvision says of a set's files, by their names.

    Parameters
    ----------
    name : str
        As in `config.image_sources.TorchvisionSet`.

    Examples
    --------
    >>> published("svhn")["test_32x32.mat"].md5
    'eb5a983be6a315427106f1b164d9cef3'
    """
    from torchvision import datasets

    files = {}
    if name in BINARY:
        file, md5 = BINARY[name]
        files[file] = Published(md5)
    match name:
        case "cifar10" | "cifar100" | "stl10":
            of = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "stl10": datasets.STL10}[name]
            files[of.filename] = Published(of.tgz_md5, (of.url,))
            files |= {file: Published(md5) for file, md5 in [*of.train_list, *of.test_list]}
        case "mnist" | "fashion-mnist":
            of = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
            for file, md5 in of.resources:
                files[file] = Published(md5, tuple(mirror + file for mirror in of.mirrors))
        case "svhn":
            for url, file, md5 in datasets.SVHN.split_list.values():
                files[file] = Published(md5, (url,))
        case "eurosat":  # has its address and checksum in its method, not in attributes
            texts = [text for text in datasets.EuroSAT.download.__code__.co_consts if isinstance(text, str)]
            url = next((text for text in texts if text.endswith("/EuroSAT.zip")), None)
            md5 = next((text for text in texts if len(text) == 32), None)
            if url and md5:
                files["EuroSAT.zip"] = Published(md5, (url,))
    return files


def download(target: Path, file: Published) -> None:
    """Download a file to its place, where it appears whole and with the right content or not at all.

    Raises
    ------
    InputError
        With the address, the checksum and the place, for getting it by hand.
    """
    from torchvision.datasets.utils import download_url

    faults = []
    for url in file.urls:
        try:
            with _bounded_silence(), atomic(target) as partial:
                download_url(url, partial.parent, partial.name, file.md5)
            return
        except (OSError, RuntimeError, RecursionError, ValueError, http.client.HTTPException) as error:
            faults.append(f"{url} ({' '.join(str(error).split()) or type(error).__name__})")
    raise InputError(
        target,
        f"can't be downloaded from {' or '.join(faults) or 'anywhere: torchvision names no address'}",
        f"the file with MD5 {file.md5}",
        "download it on another machine and put it there, or give the same command again",
    )


@contextmanager
def _bounded_silence() -> Iterator[None]:
    """Let no connection wait for ever: torchvision sets no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
