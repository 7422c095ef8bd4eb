"""What the results of an instance depend on. Imports neither torch nor xarray."""

from __future__ import annotations

from typing import Any

from ..config.base import Section

PARTS = "checkpoints"
"""Folder of the results of single checkpoints, in the work folder of an instance."""
WITHOUT_EFFECT = {"batch_size", "threads"}
"""Options that no result depends on."""


def identity_of(options: Section, run: str, manifest: str, data: str, code: str) -> dict[str, Any]:
    """Return all that an instance's results depend on.

    Parameters
    ----------
    options : Section
        Of the measure.
    run, manifest, data, code : str
        Fingerprints of the training, the tier, the images and the measure's code.
    """
    return {
        "options": options.model_dump(mode="json", exclude=WITHOUT_EFFECT),
        "run_fingerprint": run,
        "manifest_sha256": manifest,
        "data_sha256": data,
        "code": code,
    }
