"""Run named tests on a copy of the package, in a process of its own; what became of each: outcomes.json.

    PYTHONPATH=<folder>/src python tests/mutants/outcomes.py <folder> <test of tests/unit>...

A test has passed, or failed by an assertion, or ended in another error, which says nothing of what it asserts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import spectral_priority

OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-o", "addopts="]


class Outcomes:
    """Of every test that was run, by its node id."""

    def __init__(self):
        self.found: dict[str, str] = {}

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        if call.excinfo is not None:
            by_assertion = call.when == "call" and issubclass(call.excinfo.type, AssertionError)
            self.found[item.nodeid] = "failed by assertion" if by_assertion else f"error: {call.excinfo!r}"
        elif call.when == "call":
            self.found[item.nodeid] = "passed"


def main(folder: Path, *tests: str) -> None:
    imported = Path(spectral_priority.__file__)
    if not imported.is_relative_to(folder):
        sys.exit(f"the package was imported from {imported}, not from the copy in {folder}")
    outcomes = Outcomes()
    pytest.main(
        [*OPTIONS, f"--basetemp={folder / 'tmp'}", *(f"tests/unit/{test}" for test in tests)],
        plugins=[outcomes],
    )
    (folder / "outcomes.json").write_text(json.dumps(outcomes.found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
