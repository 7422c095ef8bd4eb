"""The resumable state of a training: written whole or not at all, the one before it kept, no pickle.

`state.safetensors` holds tensors, and in its header, as JSON, all that is no tensor. Weights of checkpoints are parts
beside it (`parts/`), written once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..store.atomic import atomic, remove_partials, sync
from .checkpoints import open_checkpoints, part_name
from .tensorfile import check_tensor, read_header, write_tensors
from .work_folder import PARTS, PREVIOUS, SET_ASIDE, STATE, UNUSABLE

KIND = "spectral-priority/1 training-state"


@dataclass
class Progress:
    """Where a training is, besides its tensors.

    Attributes
    ----------
    step : int
        Optimiser steps made.
    history : list of dict
        Rows of history.csv so far.
    loss_sum, loss_count
        Sum and number of the minibatch losses since the last row.
    attempt : int
        Number of the attempt that saved this.
    attempt_seconds : float
        How long that attempt had been running.
    step_seconds : float
        Time spent in the optimiser steps from 0 to `step`.
    threads : int
        CPU threads of that attempt.
    """

    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_count: int = 0
    attempt: int = 0
    attempt_seconds: float = 0.0
    step_seconds: float = 0.0
    threads: int = 1


def save_state(work: Path, fingerprint: str, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
    """Save the state; at every moment the newest or the previous one is whole on the disk.

    Raises
    ------
    InputError
        Where the disk is full; what was saved before stays.
    """
    newest = work / STATE
    metadata = {"kind": KIND, "fingerprint": fingerprint, "progress": json.dumps(asdict(progress))}
    with atomic(newest) as path:
        write_tensors(path, tensors, metadata)
        sync(path)
        if newest.exists():
            newest.replace(work / PREVIOUS)


def load_state(
    work: Path,
    fingerprint: str,
    say: Callable[[str], None],
    keeps_weights: Callable[[int], bool] = lambda step: True,
) -> tuple[Progress, dict[str, Tensor]] | None:
    """Load the newest state that is whole and belongs to a fingerprint, and drop parts that it doesn't know.

    States of another fingerprint are moved to `set-aside/` with their parts, and never used.

    Parameters
    ----------
    work : path
    fingerprint : str
    say : function
        Told, in a sentence, of every state that can't be used.
    keeps_weights : function
        Tells whether the checkpoint of a step has a part.

    Returns
    -------
    (Progress, dict of Tensor) or None
        None: there is nothing to go on from.
    """
    from safetensors.torch import load_file

    remove_partials(work / STATE)
    for name in (STATE, PREVIOUS):
        path = work / name
        if not path.exists():
            continue
        try:
            entries, metadata = read_header(path)
            if metadata.get("kind") != KIND:
                raise InputError(path, f"holds {metadata.get('kind')!r}", repr(KIND))
            if metadata["fingerprint"] != fingerprint:
                _set_aside(work)
                say(
                    f"the saved state in {work} is of a run with other options, data or code: "
                    f"set aside in {SET_ASIDE}/, training starts at step 0"
                )
                return None
            progress = Progress(**json.loads(metadata["progress"]))
            known = [row["step"] for row in progress.history if keeps_weights(row["step"])]
            for step in known:
                part = open_checkpoints(work / PARTS / part_name(step))
                if part.fingerprint != fingerprint or part.steps != [step]:
                    raise InputError(part.path, "belongs to another run")
            loaded = load_file(path)
            tensors = {entry.name: check_tensor(path, entry, loaded[entry.name]) for entry in entries}
        except InputError as error:
            say(f"a saved state can't be used: {error}")
            path.replace(work / UNUSABLE)  # saving would make it the previous one, in place of a good one
            continue
        _drop_parts(work, keep={part_name(step) for step in known})
        return progress, tensors
    _drop_parts(work, keep=set())
    return None


def _set_aside(work: Path) -> None:
    aside = work / SET_ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name in (STATE, PREVIOUS, PARTS):
        if (work / name).exists():
            (work / name).rename(aside / name)


def _drop_parts(work: Path, keep: set[str]) -> None:
    for part in (work / PARTS).glob("*"):
        if part.name not in keep:
            part.unlink()
