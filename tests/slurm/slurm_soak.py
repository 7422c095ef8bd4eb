"""Run every test of profiles/slurm, the slow ones included, and write their dated log: tests/slurm/LOG.md.

python tests/slurm/slurm_soak.py              all of them
python tests/slurm/slurm_soak.py -k faults    some (no log is written)
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
LOG = FOLDER / "LOG.md"


class Outcomes:
    """What pytest tells of each test: how it ended, and the seconds of its call with its set-up."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.outcome: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of a test."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcome[report.nodeid] = report.outcome


def first_line(file: Path) -> str:
    """Return what a test module says of itself."""
    return (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()[0]


def page(outcomes: Outcomes) -> str:
    """Write the log as Markdown."""
    slurm = subprocess.run(["slurmctld", "-V"], capture_output=True, text=True, check=False).stdout.strip()
    passed = sum(outcome == "passed" for outcome in outcomes.outcome.values())
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("snakemake", "snakemake-executor-plugin-slurm", "torch")
    )
    lines = [
        "# A study on a real Slurm",
        "",
        f"Made by `python tests/slurm/slurm_soak.py`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {passed} of "
        f"{len(outcomes.outcome)} tests passed. {slurm} on one host, with two nodes and two pretended GPUs; "
        f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}, {packages}.",
        "",
        "Seconds are those of a test with its set-up; the first of a module carries what all of it share.",
    ]
    for name in sorted({nodeid.partition("::")[0] for nodeid in outcomes.outcome}):
        file = FOLDER / Path(name).name
        lines += [
            "",
            f"**{file.name}**: {first_line(file)}",
            "",
            "| test | outcome | seconds |",
            "| --- | --- | --- |",
        ]
        lines += [
            f"| {nodeid.partition('::')[2].removeprefix('test_').replace('_', ' ')} | {outcome} "
            f"| {outcomes.seconds[nodeid]:.0f} |"
            for nodeid, outcome in outcomes.outcome.items()
            if nodeid.partition("::")[0] == name
        ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run the tests and write the log."""
    outcomes = Outcomes()
    asked = ["-m", "soak or not soak", "-p", "no:cacheprovider", str(FOLDER), *arguments]
    code = pytest.main(asked, plugins=[outcomes])
    if not arguments:
        LOG.write_text(page(outcomes))
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
