"""Where a run's weights come from when not from its seed: a checkpoint of another run, or a file. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..config.recipe import OtherRun
from ..errors import InputError
from ..store.checksum import file_sha256


@dataclass(frozen=True)
class Source:
    """Weights that a run starts from (`init`) or learns from (`teacher`).

    Attributes
    ----------
    path : path
        A run's checkpoints.safetensors, or a file of weights.
    step : int or None
        Checkpoint of the run; None: the file is no run's.
    identity : str
        What the weights are, wherever they lie: <fingerprint of the run>/<step>, or the SHA-256 of the file.
    """

    path: Path
    step: int | None
    identity: str

    def facts(self) -> dict[str, str | int | None]:
        """Return what run.json says about it."""
        return {"path": str(self.path), "step": self.step, "identity": self.identity}


def find_source(
    other: OtherRun | None, argument: str, checkpoints: Path | None, data_root: Path | None
) -> Source | None:
    """Find the weights that a recipe asks for.

    Parameters
    ----------
    other : OtherRun or None
        The recipe's `init` or `teacher`; None: it asks for none.
    argument : str
        What `checkpoints` is called, for messages: `--init`.
    checkpoints : path or None
        The checkpoints.safetensors of the run that the recipe names.
    data_root : path or None
        Folder that a file of weights lies below.

    Raises
    ------
    InputError
        For a file that is missing or damaged, a step without a checkpoint, and where the path that it takes was not
        given.
    """
    if other is None:
        return None
    if other.recipe is None:
        if data_root is None:
            raise InputError("--data-root", f"is missing, but the recipe starts from {other.weights}")
        return file_source(other.weights, data_root)
    if checkpoints is None:
        raise InputError(
            argument,
            f"is missing, but the recipe names a run of {other.recipe!r}",
            "that run's checkpoints.safetensors",
        )
    return run_source(checkpoints, other.step)


def run_source(path: Path, step: int | None = None) -> Source:
    """Name a checkpoint of a run; no more than the header of its file is read.

    Parameters
    ----------
    path : path
        The run's checkpoints.safetensors.
    step : int or None
        None: the last one.

    Raises
    ------
    InputError
        For a file that is missing, damaged or no run's, and for a step without a checkpoint.
    """
    facts = _metadata(path)
    if "fingerprint" not in facts or "steps" not in facts:
        raise InputError(path, "holds no checkpoints of a run", "a run's checkpoints.safetensors")
    steps = json.loads(facts["steps"])
    step = steps[-1] if step is None else step
    if step not in steps:
        raise InputError(path, f"has no checkpoint of step {step}", ", ".join(map(str, steps)))
    return Source(path, step, f"{facts['fingerprint']}/{step}")


def file_source(name: str, data_root: Path, field: str = "init.weights") -> Source:
    """Name a file of weights below data_root; of a run's checkpoints it is the last one.

    Messages call it by the `field` of the study that names it.

    Raises
    ------
    InputError
        For a file that is missing or, if it is safetensors, damaged.
    """
    path = data_root / name
    if not path.is_file():
        raise InputError(
            f"{field}: {name}",
            f"there is no {path.absolute()}",
            f"a file below data_root, which is {data_root.absolute()}",
            "put it there, or say where it is with --config data_root=<folder>",
        )
    if path.suffix == ".safetensors" and "steps" in _metadata(path):
        return run_source(path)
    return Source(path, None, file_sha256(path))


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except (SafetensorError, OSError) as error:
        raise InputError(path, f"is damaged or no safetensors file ({error})") from None
