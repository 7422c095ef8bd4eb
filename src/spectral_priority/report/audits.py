"""What the audits of a study's data sets found, for its report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..store.atomic import read_json

SHOWN = ("serious", "warning")
"""Findings that the report repeats; notes are counted."""


def audit_sections(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return what was found of each data set.

    Parameters
    ----------
    paths : iterable of path
        Its audit.json; audit.html lies beside it.

    Returns
    -------
    list of dict
        `dataset`, `size`, `images`, `findings` (those of `SHOWN`), `notes` (how many), `page` (seen from the report).

    Raises
    ------
    InputError
        For a file that is no audit.
    """
    sections = []
    for path in paths:
        facts = read_json(path)
        try:
            findings = facts["findings"]
            sections.append(
                {
                    **{name: facts[name] for name in ("dataset", "size", "images")},
                    "findings": [one for one in findings if one["severity"] in SHOWN],
                    "notes": sum(one["severity"] not in SHOWN for one in findings),
                    "page": f"../data/{path.parent.name}/audit.html",
                }
            )
        except (KeyError, TypeError) as error:
            raise InputError(
                path, f"is no audit ({error})", todo="delete it; the audit rule makes it again"
            ) from error
    return sections
