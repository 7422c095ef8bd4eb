"""Named tensors in the public safetensors layout, written as a stream; reading is left to the safetensors library.

Layout: 8 bytes little-endian length of the header, the header (JSON: name → dtype, shape, byte range; texts under
`__metadata__`), the tensors' bytes without gaps. It has no checksums: those of the other texts and of the tensors, in
the order of the header (CRC-32, hexadecimal), are a text of ours, `crc32`. The library's own writer wraps a full disk
into an error of its own and can't join files without holding them, hence this one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from ..errors import InputError

CODES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
ITEM_SIZE = {code: dtype.itemsize for dtype, code in CODES.items()}
PIECE = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A tensor of a file: `length` bytes from `start` (from the beginning of the file), with their checksum."""

    path: Path | None
    name: str
    code: str
    shape: tuple[int, ...]
    start: int
    length: int
    crc32: int


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors to a file, one after the other; equal content gives equal bytes.

    Raises
    ------
    OSError
        Where the disk is full.
    """
    entries = sorted(
        (
            Entry(
                None, name, CODES[tensor.dtype], tuple(tensor.shape), 0, tensor.nbytes, crc32_of(name, tensor)
            )
            for name, tensor in tensors.items()
        ),
        key=_order,
    )
    with path.open("wb") as file:
        _write_header(file, entries, metadata)
        for entry in entries:
            file.write(_bytes(tensors[entry.name]))


def crc32_of(name: str, tensor: Tensor) -> int:
    """Return the checksum of a tensor: of its name, type, shape and values.

    >>> crc32_of("a", torch.ones(2)) == crc32_of("a", torch.ones(2, 1))
    False
    """
    kind = f"{name} {CODES[tensor.dtype]} {list(tensor.shape)}"
    return zlib.crc32(_bytes(tensor), zlib.crc32(kind.encode()))


def check_tensor(path: Path, entry: Entry, tensor: Tensor) -> Tensor:
    """Return a tensor that was read from a file, if it is as it was written.

    Raises
    ------
    InputError
        Naming the file and the tensor.
    """
    if tensor.dtype not in CODES or crc32_of(entry.name, tensor) != entry.crc32:
        raise InputError(
            path,
            f"is damaged (the checksum of {entry.name} is wrong)",
            todo="delete it; the same command makes it again",
        )
    return tensor


def join_files(paths: Iterable[Path], target: Path, metadata: Mapping[str, str]) -> None:
    """Copy the tensors of several files into one, byte by byte, holding no more than a piece of a tensor."""
    entries = sorted((entry for path in paths for entry in read_header(path)[0]), key=_order)
    with target.open("wb") as file:
        _write_header(file, entries, metadata)
        source, opened = None, None
        try:
            for entry in entries:
                if entry.path != opened:
                    if source:
                        source.close()
                    source, opened = entry.path.open("rb"), entry.path
                source.seek(entry.start)
                left = entry.length
                while left:
                    piece = source.read(min(left, PIECE))
                    if not piece:
                        raise InputError(entry.path, "is cut short")
                    file.write(piece)
                    left -= len(piece)
        finally:
            if source:
                source.close()


def read_header(path: Path) -> tuple[list[Entry], dict[str, str]]:
    """Read what a file holds and its metadata, without its tensors.

    Raises
    ------
    InputError
        For a missing, cut, damaged or foreign file, by name.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= size - 8:
                raise ValueError("it is cut short, or its first bytes are no header")
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        entries = []
        for (name, fields), crc32 in zip(header.items(), _checksums(metadata, len(header)), strict=True):
            start, end = fields["data_offsets"]
            shape, code = tuple(fields["shape"]), fields["dtype"]
            expected = ITEM_SIZE[code]
            for extent in shape:
                expected *= extent
            if end - start != expected:
                raise ValueError(f"the size of {name} is wrong")
            entries.append(Entry(path, name, code, shape, 8 + length + start, end - start, crc32))
        found = sum(entry.length for entry in entries) + 8 + length
        if found != size:
            raise ValueError(f"it has {size} bytes instead of {found}")
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InputError(
            path,
            f"is damaged or no safetensors file ({error})",
            todo="delete it; the same command makes it again",
        ) from error
    return entries, metadata


def _checksums(metadata: dict[str, str], number: int) -> list[int]:
    """Take the tensors' checksums out of a header's texts; that of the other texts is looked at."""
    if "kind" not in metadata:  # of another program: whoever asked for a kind refuses it
        return [0] * number
    stored = metadata.pop("crc32", "")
    first, *rest = [int(word, 16) for word in stored.split()] or [-1]
    if len(rest) != number or first != _crc32_of_texts(metadata):
        raise ValueError("it has no checksums, or the one of its header is wrong")
    return rest


def _crc32_of_texts(metadata: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps(dict(metadata), sort_keys=True).encode())


def _bytes(tensor: Tensor) -> memoryview:
    values = tensor.detach().cpu().contiguous().reshape(-1)
    return memoryview(values.view(torch.uint8).numpy())


def _order(entry: Entry) -> tuple[int, str]:
    return -ITEM_SIZE[entry.code], entry.name  # widest first keeps every tensor aligned


def _write_header(file: BinaryIO, entries: list[Entry], metadata: Mapping[str, str]) -> None:
    checksums = [_crc32_of_texts(metadata), *(entry.crc32 for entry in entries)]
    texts = {**metadata, "crc32": " ".join(f"{checksum:08x}" for checksum in checksums)}
    header: dict[str, object] = {"__metadata__": texts}
    offset = 0
    for entry in entries:
        header[entry.name] = {
            "dtype": entry.code,
            "shape": list(entry.shape),
            "data_offsets": [offset, offset + entry.length],
        }
        offset += entry.length
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
