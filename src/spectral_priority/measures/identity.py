"""What the results of an instance depend on. Imports neither torch nor xarray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.base import Section
from ..fingerprint import options_fingerprint

PARTS = "checkpoints"
"""Folder of the results of single checkpoints, in the work folder of an instance."""
IDENTITY = (
    "options",
    "run_fingerprint",
    "manifest_sha256",
    "data_sha256",
    "code",
    "probe_sha256",
    "duplicates",
    "masks",
)
"""What a result depends on, by its name in the provenance."""
WITHOUT_EFFECT = {"batch_size", "threads"}
"""Options that no result depends on."""


def identity_of(
    options: Section,
    run: str,
    manifest: str,
    data: str,
    code: str,
    *,
    probe: str | None = None,
    duplicates: str | None = None,
    masks: str | None = None,
) -> dict[str, Any]:
    """Return all that an instance's results depend on.

    Parameters
    ----------
    options : Section
        Of the measure.
    run, manifest, data, code : str
        Fingerprints of the training, the tier, the images and the measure's code.
    probe, duplicates, masks : str or None
        Of the other images that it is measured on, of the duplicates among them, and of the result whose masks it
        tries; None: there are none.
    """
    return {
        "options": options.model_dump(mode="json", exclude=WITHOUT_EFFECT),
        "run_fingerprint": run,
        "manifest_sha256": manifest,
        "data_sha256": data,
        "code": code,
        "probe_sha256": probe,
        "duplicates": duplicates,
        "masks": masks,
    }


def fingerprint_of(provenance: Mapping[str, Any]) -> str:
    """Return the fingerprint of a result by its provenance: of all that it depends on, not of when it was made."""
    return options_fingerprint({name: provenance.get(name) for name in IDENTITY})
