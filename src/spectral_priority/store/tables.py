"""Tables as CSV: written atomically, read with their columns checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .atomic import atomic

if TYPE_CHECKING:
    import pandas as pd


def write_csv(target: str | Path, frame: pd.DataFrame) -> None:
    """Write a table atomically, without its index; numbers keep every digit."""
    with atomic(target) as path:
        frame.to_csv(path, index=False)


def read_csv(path: str | Path, columns: Sequence[str], text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table that must have these columns.

    Parameters
    ----------
    path : path
    columns : sequence of str
        There may be others.
    text : sequence of str
        Columns of text, also where it looks like a number: `007` stays `007`.

    Raises
    ------
    InputError
        Naming the file, and the columns that are missing.
    """
    import pandas as pd  # here, for not every program that could read a table does

    try:
        frame = pd.read_csv(
            path,
            keep_default_na=False,
            na_values=["", "nan", "NaN"],
            float_precision="round_trip",
            dtype=dict.fromkeys(text, str),
        )
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except (ValueError, OSError) as error:
        raise InputError(
            path, f"can't be read as CSV ({error})", todo="delete it; the same command makes it again"
        ) from None
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(path, f"has no column {', '.join(missing)}", f"the columns {', '.join(columns)}")
    return frame
