"""What a watched training and its watcher tell each other: a mapped file, which outlives any kill."""

from __future__ import annotations

import ctypes
import mmap
from fnmatch import fnmatch
from pathlib import Path

PHASES = (
    "import",  # the interpreter, the package, torch
    "start",  # options, images, model
    "lock",  # taking the lock, also a dead one's
    "load",  # loading the saved state
    "step",  # optimiser steps, and what lies between them
    "evaluate",  # scores of a checkpoint
    "part",  # writing a checkpoint's weights
    "state",  # writing the state
    "rename",  # any file or folder moved to its name, wherever in the program
    "assemble",  # making the four result files, and their checksums
    "publish",  # giving them their places
    "end",  # clearing up, letting go of the lock, leaving
)
PLACES = ENTERING, LEAVING, WITHIN = ("entering", "leaving", "within")
"""Where in a phase an ordered kill comes: exactly before it, exactly after it, or some time after it began."""


MOVED = {
    "lock": "lock",
    "part": "step_*.safetensors",
    "previous": "state.previous.safetensors",
    "state": "state.safetensors",
    "checkpoints": "checkpoints.safetensors",
    "history": "history.csv",
    "classes": "class_history.csv",
    "run": "run.json",
    "sums": "checksums.json",
    "kept": "finished/*",
}
"""What a training moves to its name, as a short word → the name; an aim such as `rename part` is one of these."""


class Board(ctypes.Structure):
    """Fields of the file; the first block is the training's, the second one the watcher's order for a kill.

    Attributes
    ----------
    phase : int
        Present phase, as its place in `PHASES`.
    catches : int
        1 once SIGTERM is caught.
    first : int
        Optimiser steps that were made before the first one of this process; −1: it made none.
    begun, made : int
        Optimiser steps that this process began, and finished.
    saved : int
        Steps in the last state that has its name; −1: none was saved.
    reached : int
        1 once the ordered moment has come.
    moved : bytes
        Key of `MOVED` that was moved last or is being moved.
    signal : int
        Signal of the ordered kill; 0: none is ordered.
    aim : bytes
        A phase, or `rename` and a key of `MOVED`.
    place, occurrence : int
        Place in it (of `PLACES`), and which of its occurrences (1, 2, …).
    """

    _fields_ = [
        ("phase", ctypes.c_int32),
        ("catches", ctypes.c_int32),
        ("first", ctypes.c_int32),
        ("begun", ctypes.c_int32),
        ("made", ctypes.c_int32),
        ("saved", ctypes.c_int32),
        ("reached", ctypes.c_int32),
        ("moved", ctypes.c_char * 32),
        ("signal", ctypes.c_int32),
        ("aim", ctypes.c_char * 32),
        ("place", ctypes.c_int32),
        ("occurrence", ctypes.c_int32),
    ]


def new_board(path: Path) -> Board:
    """Make the file with nothing on it."""
    path.write_bytes(bytes(mmap.PAGESIZE))
    board = open_board(path)
    board.first = board.saved = -1
    return board


def open_board(path: Path) -> Board:
    """Map the file: what one process writes, others see at once."""
    with path.open("r+b") as file:
        return Board.from_buffer(mmap.mmap(file.fileno(), 0))


def moved_key(path: str) -> str:
    """Return the key of `MOVED` that a path belongs to.

    >>> moved_key("work/parts/step_00000300.safetensors"), moved_key("work/finished/0123456789abcdef")
    ('part', 'kept')
    """
    tail = "/".join(Path(path).parts[-2:])
    return next(
        (key for key, name in MOVED.items() if fnmatch(tail, name) or fnmatch(Path(path).name, name)), ""
    )
