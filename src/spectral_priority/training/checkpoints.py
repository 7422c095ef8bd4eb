"""Weights of a model along its training: one part per checkpoint while it trains, one file per run at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from ..errors import InputError
from ..store.atomic import atomic
from .tensorfile import Entry, check_tensor, join_files, read_header, write_tensors

KIND = "spectral-priority/1 checkpoints"


class Checkpoints:
    """The checkpoints of a run, read from its file when asked for.

    Attributes
    ----------
    steps : list of int
        Steps of the checkpoints, ascending.
    fingerprint : str
        Fingerprint of the run.
    """

    def __init__(self, path: Path, steps: list[int], fingerprint: str, entries: dict[int, dict[str, Entry]]):
        self.path, self.steps, self.fingerprint, self._entries = path, steps, fingerprint, entries

    def load(self, step: int) -> dict[str, Tensor]:
        """Return the weights after `step` optimiser steps, for `load_state_dict`.

        Raises
        ------
        InputError
            Where there is no such checkpoint, or the file was damaged since it was opened.
        """
        from safetensors import SafetensorError, safe_open

        if step not in self.steps:
            raise InputError(self.path, f"has no checkpoint of step {step}", ", ".join(map(str, self.steps)))
        try:
            with safe_open(self.path, framework="pt") as file:
                return {
                    name: check_tensor(self.path, entry, file.get_tensor(entry.name))
                    for name, entry in self._entries[step].items()
                }
        except (SafetensorError, OSError) as error:
            raise InputError(
                self.path, f"is damaged ({error})", todo="delete it; the train rule makes it again"
            ) from error


def open_checkpoints(path: str | Path) -> Checkpoints:
    """Open the checkpoints of a run; nothing but the header is read.

    Parameters
    ----------
    path : path
        checkpoints.safetensors, with keys `step_00000300/<parameter>` (docs/architecture.md).

    Raises
    ------
    InputError
        For a missing, cut, damaged or foreign file, by name.
    """
    path = Path(path)
    entries, metadata = read_header(path)
    if metadata.get("kind") != KIND:
        raise InputError(path, f"holds {metadata.get('kind')!r}", repr(KIND))
    steps = json.loads(metadata["steps"])
    known: dict[int, dict[str, Entry]] = {step: {} for step in steps}
    prefixes = {_prefix(step): step for step in steps}
    for entry in entries:
        prefix, slash, name = entry.name.partition("/")
        if prefix + slash not in prefixes:
            raise InputError(path, f"holds {entry.name!r}, of none of its steps", todo="delete it")
        known[prefixes[prefix + slash]][name] = entry
    return Checkpoints(path, steps, metadata["fingerprint"], known)


def write_checkpoints(
    target: str | Path, weights: Mapping[int, Mapping[str, Tensor]], fingerprint: str
) -> None:
    """Write weights by step to one file, atomically; for one step it is a part that `assemble` takes.

    Parameters
    ----------
    target : path
        File to make.
    weights : mapping
        Step → `state_dict()`.
    fingerprint : str
        Fingerprint of the run.
    """
    tensors = {
        _prefix(step) + name: tensor for step, state in weights.items() for name, tensor in state.items()
    }
    with atomic(target) as path:
        write_tensors(path, tensors, _metadata(weights, fingerprint))


def assemble(parts: Iterable[str | Path], target: str | Path) -> None:
    """Join parts into one file, atomically, in bounded memory.

    Parameters
    ----------
    parts : iterable of path
        Files of `write_checkpoints` of one run, each with steps of its own.
    target : path
        File to make.

    Raises
    ------
    InputError
        For a damaged part, parts of different runs, or a step given twice.
    """
    opened = [open_checkpoints(part) for part in parts]
    steps = sorted(step for part in opened for step in part.steps)
    fingerprints = {part.fingerprint for part in opened}
    if len(fingerprints) != 1 or len(set(steps)) != len(steps):
        raise InputError(
            target, "its parts overlap or come from different runs", todo="delete the work folder of the run"
        )
    with atomic(target) as path:
        join_files([part.path for part in opened], path, _metadata(steps, fingerprints.pop()))


def part_name(step: int) -> str:
    """Return the file name of a part.

    >>> part_name(300)
    'step_00000300.safetensors'
    """
    return _prefix(step)[:-1] + ".safetensors"


def _prefix(step: int) -> str:
    return f"step_{step:08d}/"


def _metadata(steps: Iterable[int], fingerprint: str) -> dict[str, str]:
    return {"kind": KIND, "steps": json.dumps(sorted(steps)), "fingerprint": fingerprint}
