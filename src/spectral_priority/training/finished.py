"""The files of a finished run, and how they are published. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..store.atomic import read_json, remove_partials, write_json
from ..store.finished import Finished

CHECKPOINTS, HISTORY, CLASS_HISTORY, RUN = OUTPUTS = (
    "checkpoints.safetensors",
    "history.csv",
    "class_history.csv",
    "run.json",
)
"""Files of a run, in the order in which they are published: who sees run.json, sees them all."""


def publish_run(finished: Finished, targets: Mapping[str, Path], published: str) -> None:
    """Give a kept run's files their places in the results.

    Parameters
    ----------
    finished : Finished
        The kept run.
    targets : mapping
        Name of `OUTPUTS` → path.
    published : str
        What run.json says: `trained` or `again`.
    """
    for target in targets.values():
        remove_partials(target)
    for name in OUTPUTS[:-1]:
        finished.publish(name, targets[name])
    write_json(targets[RUN], {**read_json(finished.folder / RUN), "published": published})
