"""What every program in workflow/scripts shares: its arguments, its log, and how it ends.

The log of one that succeeds ends with what it made (store/made.py).
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from .allocator import keep_freed_memory
from .errors import InputError
from .store.atomic import WRITTEN
from .store.made import tell_made

FAULT_OF_INPUT, DEFECT, STOPPED = 2, 1, 75
"""Exit codes: the input can't be used; a defect of the program; stopped early with its state saved (start again)."""


class Stopped(Exception):
    """Work was stopped early on purpose, with its state saved: the same command goes on from there."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser with the arguments that every program has."""
    made = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    made.add_argument("--log", type=Path, help="file for messages and tracebacks")
    made.add_argument(
        "--expect-code", metavar="FINGERPRINT", help="refuse to run where the code has another one"
    )
    return made


def run(main: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Run a program's main function; turn faults of the input into one line on the terminal and in the log."""
    keep_freed_memory()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if arguments.log:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(arguments.log, mode="a", encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers,
        force=True,
    )
    faulthandler.enable(handlers[-1].stream)  # a crash in a library leaves its traceback in the log
    try:
        main(arguments)
        if arguments.log:
            work = getattr(arguments, "work", None)  # its files are no results
            tell_made(arguments.log, [path for path in WRITTEN if not (work and path.is_relative_to(work))])
    except InputError as error:
        logging.error("error: %s", error)
        sys.exit(FAULT_OF_INPUT)
    except Stopped as stop:
        logging.warning("%s", stop)
        sys.exit(STOPPED)
    except Exception as error:
        place = f"; the traceback is in {arguments.log}" if arguments.log else ""
        if arguments.log:
            with arguments.log.open("a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
        else:
            traceback.print_exc()
        logging.error("defect: %s: %s%s", type(error).__name__, error, place)
        sys.exit(DEFECT)


def names(text: str) -> Sequence[str]:
    """Argument type: a comma-separated list."""
    return [part for part in text.split(",") if part]
