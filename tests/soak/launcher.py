"""Run a training program as it is, noting on a board in what phase it is; kills itself where the board orders it.

    python launcher.py <board> <train.py> <arguments of train.py>

Functions are wrapped as soon as the module that defines them was imported, so that every later import gets the wrapped
ones; the program itself is run unchanged.
"""

from __future__ import annotations

import contextlib
import functools
import os
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from board import ENTERING, LEAVING, PHASES, PLACES, WITHIN, Board, moved_key, open_board

PACKAGE = "spectral_priority"
WRAPPED = {
    f"{PACKAGE}.fingerprint": {"expect_code": "start"},
    f"{PACKAGE}.training.lock": {"Lock.__enter__": "lock", "Lock.__exit__": "end"},
    f"{PACKAGE}.training.stopping": {"StopRequest.__init__": "start"},
    f"{PACKAGE}.training.state": {"load_state": "load", "save_state": "state"},
    f"{PACKAGE}.training.work_folder": {"clear": "end"},
    f"{PACKAGE}.training.checkpoints": {"write_checkpoints": "part"},
    f"{PACKAGE}.training.loop": {"Training.take_step": "step", "Training.look": "evaluate"},
    f"{PACKAGE}.training.run": {},
    f"{PACKAGE}.store.finished": {"Finished.keep": "assemble"},
    f"{PACKAGE}.training.finished": {"publish_run": "publish"},
}
"""Module → function → its phase."""
STAYS = {"expect_code": "start", "load_state": "start", "Training.take_step": "step", "publish_run": "end"}
"""Phase that the program is in after a function, until another one is called; otherwise the one it was in before."""


class Notes:
    """Keeps the board up to date, and obeys it."""

    def __init__(self, board: Board):
        self.board = board
        self.seen: Counter[str] = Counter()
        self.saving = -1

    @contextlib.contextmanager
    def phase(self, name: str, stays: str | None = None, aim: str | None = None) -> Iterator[None]:
        """Note a phase while it lasts; `aim` is a narrower name of it."""
        before, aims = self.board.phase, {name, aim or name}
        self.board.phase = PHASES.index(name)
        self.seen.update(aims)
        ordered = (
            self.board.aim.decode() in aims and self.seen[self.board.aim.decode()] == self.board.occurrence
        )
        if ordered:
            self._obey(ENTERING)
        try:
            yield
        finally:
            if ordered:
                self._obey(LEAVING)
            self.board.phase = before if stays is None else PHASES.index(stays)

    def _obey(self, present: str) -> None:
        place = PLACES[self.board.place]
        if place == present or (place == WITHIN and present == ENTERING):
            self.board.reached = 1
        if place == present:  # otherwise the watcher kills, a moment later
            os.kill(os.getpid(), self.board.signal)


def wrapped(notes: Notes, function: Callable, name: str, phase: str) -> Callable:
    """Return a function that notes its phase, and for some what it did."""
    board = notes.board

    @functools.wraps(function)
    def noting(*arguments: Any, **named: Any) -> Any:
        if name == "save_state":
            notes.saving = arguments[2].step
        with notes.phase(phase, STAYS.get(name)):
            if name == "Training.take_step":
                if board.begun == 0:
                    board.first = arguments[0].step
                board.begun += 1
            result = function(*arguments, **named)
            if name == "Training.take_step":
                board.made += 1
            if name == "StopRequest.__init__":
                board.catches = 1
            return result

    return noting


def wrapped_move(notes: Notes, move: Callable) -> Callable:
    """Return `os.replace` or `os.rename`, noting what is moved."""

    @functools.wraps(move)
    def noting(source: Any, target: Any, **named: Any) -> None:
        key = moved_key(os.fspath(target))
        notes.board.moved = key.encode()
        with notes.phase("rename", aim=f"rename {key}"):
            move(source, target, **named)
            if key == "state":
                notes.board.saved = notes.saving

    return noting


class Wrapping(MetaPathFinder):
    """Wraps the functions of modules right after their import."""

    def __init__(self, notes: Notes):
        self.notes = notes

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module of `WRAPPED`; leave all others to the usual finders."""
        if name not in WRAPPED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module

        def run_and_wrap(module: ModuleType) -> None:
            with self.notes.phase("import"):
                run(module)
            for function, phase in WRAPPED[name].items():
                *owner, attribute = function.split(".")
                holder = getattr(module, owner[0]) if owner else module
                setattr(holder, attribute, wrapped(self.notes, getattr(holder, attribute), function, phase))

        spec.loader.exec_module = run_and_wrap
        return spec


def main(board: str, program: str, *arguments: str) -> None:
    """Run the program."""
    notes = Notes(open_board(Path(board)))
    os.replace, os.rename = wrapped_move(notes, os.replace), wrapped_move(notes, os.rename)
    sys.meta_path.insert(0, Wrapping(notes))
    sys.path[0], sys.argv = str(Path(program).parent), [program, *arguments]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
