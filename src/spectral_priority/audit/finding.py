"""A finding: what is wrong with a data set, how bad it is for a frequency study, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEVERITIES = ("serious", "warning", "note")
"""`serious`: a frequency result can be due to this alone. `warning`: it can be in part. `note`: good to know."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    severity : {"serious", "warning", "note"}
    check : str
        Which question found it.
    text : str
        What was found, with its numbers.
    todo : str
        What to do.
    label : str
        Label column that it is about; empty: all images.
    classes : tuple of str
        Classes that it is about; empty: all.
    value : float
        The number that decided on the severity.
    """

    severity: str
    check: str
    text: str
    todo: str
    label: str = ""
    classes: tuple[str, ...] = ()
    value: float = float("nan")


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first; equals stay in their order.

    >>> found = [Finding("note", "a", "", ""), Finding("serious", "b", "", "")]
    >>> [finding.check for finding in by_severity(found)]
    ['b', 'a']
    """
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def severity(value: float, serious: float, warning: float) -> str | None:
    """Return how bad a number is, higher = worse; None where it is below both limits.

    >>> severity(0.3, serious=0.5, warning=0.2), severity(0.1, serious=0.5, warning=0.2)
    ('warning', None)
    """
    return "serious" if value >= serious else "warning" if value >= warning else None


def listed(words: Sequence[str], most: int = 8) -> str:
    """Return the first words, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
