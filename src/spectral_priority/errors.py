"""The one kind of error that a user can mend: where, what was found, what is allowed, what to do."""

from __future__ import annotations


class InputError(Exception):
    """Something that the user gave (a file, a field, a folder) can't be used.

    Programs print its text as it is and exit with 2; any other exception is a defect and keeps its traceback.

    Parameters
    ----------
    where : str
        The file, and the field in it where there is one (``config/config.yaml: tiers.regroup.groups``).
    found : str
        The value found, or what is wrong with it.
    allowed : str
        What would be accepted.
    todo : str
        What the user can do about it.

    Examples
    --------
    >>> print(InputError("study.yaml: seeds", "found 'two'", "a whole number", "write seeds: 2"))
    study.yaml: seeds: found 'two'. Allowed: a whole number. What to do: write seeds: 2.
    """

    def __init__(self, where: object, found: str, allowed: str = "", todo: str = ""):
        self.where, self.found, self.allowed, self.todo = str(where), found, allowed, todo
        parts = [f"{where}: {found}"]
        if allowed:
            parts.append(f"Allowed: {allowed}")
        if todo:
            parts.append(f"What to do: {todo}")
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")
