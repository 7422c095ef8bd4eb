"""A tier as it was chosen: which images, which labels. Read and written here, decided in tiers/."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..store.atomic import atomic, read_json

PARTS = ("train", "validation", "probe")


@dataclass(frozen=True)
class Manifest:
    """A tier: what it is (`facts`) and its images.

    Attributes
    ----------
    facts : dict
        The content of tiers/<tier>.json (docs/architecture.md).
    index, label : dict of ndarray
        By part (`train`, `validation`, `probe`): indices into images.h5, ascending, and labels 0 … k−1, int64.
    """

    facts: dict[str, Any]
    index: dict[str, np.ndarray]
    label: dict[str, np.ndarray]

    @property
    def number_of_classes(self) -> int:
        """Return k."""
        return int(self.facts["number_of_classes"])

    @property
    def class_names(self) -> list[str]:
        """Names of the tier's classes, in the order of their labels."""
        return [entry["name"] for entry in self.facts["classes"]]

    @property
    def sha256(self) -> str:
        """Fingerprint of the manifest and its images."""
        return str(self.facts["manifest_sha256"])


def write_manifest(
    manifest: str | Path,
    indices: str | Path,
    facts: dict[str, Any],
    index: dict[str, np.ndarray],
    label: dict[str, np.ndarray],
) -> None:
    """Write a manifest and its sidecar of indices; both hashes are added. The same content gives the same bytes."""
    text, stored = manifest_bytes(facts, index, label)
    for target, content in ((indices, stored), (manifest, text)):
        with atomic(target) as path:
            path.write_bytes(content)


def manifest_bytes(
    facts: dict[str, Any], index: dict[str, np.ndarray], label: dict[str, np.ndarray]
) -> tuple[bytes, bytes]:
    """Return what `write_manifest` writes: the manifest with both hashes, and its sidecar."""
    arrays = {}
    for part in PARTS:
        arrays[f"{part}_index"] = np.asarray(index[part], dtype=np.int64)
        arrays[f"{part}_label"] = np.asarray(label[part], dtype=np.int64)
    stored = io.BytesIO()
    np.savez(stored, allow_pickle=False, **arrays)
    facts = {**facts, "sidecar_sha256": _arrays_sha256(arrays)}
    facts = {**facts, "manifest_sha256": _facts_sha256(facts)}
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(), stored.getvalue()


def read_manifest(manifest: str | Path, indices: str | Path) -> Manifest:
    """Read a manifest with its sidecar and check that they belong together and are whole."""
    facts = read_json(manifest)
    try:
        with np.load(indices, allow_pickle=False) as stored:
            arrays = {
                f"{part}_{what}": stored[f"{part}_{what}"] for part in PARTS for what in ("index", "label")
            }
    except FileNotFoundError:
        raise InputError(indices, "there is no such file") from None
    except Exception as error:  # zipfile and numpy raise many kinds for a damaged file
        raise InputError(
            indices, f"is damaged ({error})", todo="delete it; the tier rule makes it again"
        ) from error
    found = dict(facts)
    expected = found.pop("manifest_sha256", None)
    if expected != _facts_sha256(found):
        raise InputError(
            manifest, "was changed after it was made", todo="delete it; the tier rule makes it again"
        )
    if found.get("sidecar_sha256") != _arrays_sha256(arrays):
        raise InputError(
            indices, f"does not belong to {manifest}", todo="delete both; the tier rule makes them again"
        )
    return Manifest(
        facts,
        {part: arrays[f"{part}_index"] for part in PARTS},
        {part: arrays[f"{part}_label"] for part in PARTS},
    )


def _arrays_sha256(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} ".encode())
        digest.update(np.ascontiguousarray(arrays[name], dtype="<i8").tobytes())
    return digest.hexdigest()


def _facts_sha256(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
