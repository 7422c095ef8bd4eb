"""benchmarks/RESULTS.md: a section for each benchmark; a run replaces its own section and leaves the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

HEAD = """# Results of the benchmarks

Written by `make bench`; README.md says what is measured and how to read the ratios."""
COLUMNS = {
    "what": "what",
    "value": "value",
    "unit": "unit",
    "ratio": "ratio",
    "spread": "quartiles",
    "processor_ratio": "ratio of processor time",
    "ratio_to": "over",
}
"""Key of a row → title of its column; one that no row of a section has is left out."""
NUMBERS = {"value", "ratio", "processor_ratio"}


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table.

    >>> print(table([{"what": "ours", "value": 1234.5, "unit": "images/s", "ratio_to": "bare loop", "ratio": 1.0371}]))
    | what | value | unit | ratio | over |
    | --- | ---: | --- | ---: | --- |
    | ours | 1,234 | images/s | 1.04 | bare loop |
    """
    rows = list(rows)
    keys = [key for key in COLUMNS if any(row.get(key) not in (None, "") for row in rows)]
    lines = [[COLUMNS[key] for key in keys], ["---:" if key in NUMBERS else "---" for key in keys]]
    lines += [[_shown(row.get(key)) for key in keys] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(name: str, title: str, facts: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the section of a benchmark."""
    return "\n".join([f"## {name}", "", f"{title}.", "", *(f"- {fact}" for fact in facts), "", table(rows)])


def replace_section(text: str, name: str, new: str, order: Iterable[str]) -> str:
    """Return a results file's text with one section replaced or added; sections stand in the given order.

    >>> text = replace_section("", "b", "## b\\n\\nnew", order=["a", "b"])
    >>> text = replace_section(text, "a", "## a\\n\\nfirst", order=["a", "b"])
    >>> re.findall("^## (.*)", text, re.MULTILINE)
    ['a', 'b']
    """
    found = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)
    sections = {
        called: f"## {called}\n{body}".strip() for called, body in zip(found[1::2], found[2::2], strict=True)
    }
    sections[name] = new.strip()
    return "\n\n".join([HEAD, *(sections[called] for called in order if called in sections)]) + "\n"


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows on the terminal."""
    print(table(rows))


def _shown(value: Any) -> str:
    """Three digits, or all before the point where there are more."""
    if value is None:
        return ""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
