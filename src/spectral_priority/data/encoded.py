"""Encoded images: the files' own bytes in one packed file, decoded whenever they are read, to the same pixels.

Every image read is held against the checksum that its pixels had when it was packed, so that neither a damaged file nor
a decoder with other pixels goes unnoticed. Decoding on a GPU is not offered: its pixels differ from those of the CPU.
"""

from __future__ import annotations

import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np

from ..errors import InputError

PIECES = 4
"""Pieces per thread that a read is cut into: images take unequal times."""


class EncodedImages:
    """Image files in images.h5.

    Parameters
    ----------
    file : h5py.File
        The open images.h5; its path is kept, not itself.
    threads : int
        Threads that decode.

    Attributes
    ----------
    shape : (sample, y, x, channel)
        Of the decoded images.
    """

    def __init__(self, file: h5py.File, threads: int):
        self.path, self.threads = Path(file.filename), threads
        options = json.loads(file.attrs["options"])
        channels = 3 if options["color"] == "rgb" else 1
        self._start = file["encoded_offset"][:]
        self._file_crc, self._pixel_crc = file["encoded_crc32"][:], file["pixels_crc32"][:]
        self.shape = (len(self._start) - 1, options["size"], options["size"], channels)
        self._how: dict[str, Any] = {
            "size": options["size"],
            "channels": channels,
            "max_pixels": options["max_pixels"],
        }
        self._options = options
        stored = file["encoded"]
        offset, number = stored.id.get_offset(), stored.shape[0]
        if (np.diff(self._start) < 0).any() or (self._start[0], self._start[-1]) != (0, number):
            raise ValueError("the places of its images are not in order")
        if offset is None or self.path.stat().st_size < offset + number:
            raise InputError(self.path, "is cut short", todo="delete it and pack again")
        self._bytes = np.memmap(self.path, dtype=np.uint8, mode="r", offset=offset, shape=(number,))

    def read(self, index: np.ndarray) -> np.ndarray:
        """Decode the images at an index, in its order.

        Parameters
        ----------
        index : ndarray (n,) int

        Returns
        -------
        ndarray (n, y, x, channel) uint8

        Raises
        ------
        IndexError
            For an image that is not there.
        InputError
            For one that doesn't decode to the pixels that it was packed with.
        """
        index = np.asarray(index)
        if len(index) and not 0 <= index.min() <= index.max() < self.shape[0]:
            raise IndexError(f"images 0 … {self.shape[0] - 1}; found {index.min()} … {index.max()}")
        pixels = np.empty((len(index), *self.shape[1:]), dtype=np.uint8)

        def fill(part: np.ndarray) -> None:
            for position in part:
                pixels[position] = self._decoded(int(index[position]))

        parts = np.array_split(np.arange(len(index)), max(1, min(len(index), PIECES * self.threads)))
        for _ in self._pool.map(fill, parts) if self.threads > 1 else map(fill, parts):
            pass
        return pixels

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, "decode")

    @cached_property
    def _decoder(self) -> Any:
        # By name: an edit of the decoder changes no result of a reader, which only takes the pixels that were packed.
        return import_module(".decode", __package__)

    @cached_property
    def _resampling(self) -> Any:
        return self._decoder.Resampling.of(self._options)

    def _decoded(self, number: int) -> np.ndarray:
        content = self._bytes[self._start[number] : self._start[number + 1]].tobytes()
        try:
            pixels = self._decoder.decode(content, **self._how, resampling=self._resampling).pixels
        except self._decoder.Unreadable as reason:
            self._refuse(number, content, f"can't be decoded ({reason})")
        if zlib.crc32(pixels) != self._pixel_crc[number]:
            self._refuse(number, content, "decodes to other pixels than when it was packed")
        return pixels

    def _refuse(self, number: int, content: bytes, found: str) -> NoReturn:
        """Tell a damaged file from another decoder."""
        with h5py.File(self.path) as file:
            name, packed_with = file["source"].asstr()[number], file.attrs["decoder"]
        if zlib.crc32(content) != self._file_crc[number]:
            raise InputError(
                f"{self.path}: image {name}", "is damaged", todo="delete the file and pack again"
            )
        raise InputError(
            f"{self.path}: image {name}",
            f"{found}, by {packed_with}; here is {self._decoder.decoder()}",
            "a decoder that gives the pixels that were packed",
            "install the versions it was packed with, or delete the file and pack again",
        )
