"""Packages that only some data sets need: taken when the first such file comes."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ..errors import InputError


def needed(name: str, what: str, extra: str = "medical") -> ModuleType:
    """Import a package of an optional extra.

    Parameters
    ----------
    name : str
        Module to import.
    what : str
        What needs it, for the message.
    extra : str
        Extra of this package that has it.

    Raises
    ------
    InputError
        Where it is missing.

    Examples
    --------
    >>> needed("json", "JSON files").dumps([])
    '[]'
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or name).partition(".")[0]
        raise InputError(
            what,
            f"can't be read: the package {package} is missing",
            todo=f"install it with pip install 'spectral-priority[{extra}]', or: pip install {package}",
        ) from None
