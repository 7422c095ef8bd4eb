"""Interferes with the programs of a study from outside, with no product code changed: it is their sitecustomize.py.

Trainings are slowed down by sleeping before each step, so that a fault can strike in the middle of one at little cost
in CPU, whatever the machine's speed. One training takes more memory than its job has. Snakemake looks at its jobs every
two seconds: the plugin looks ever more rarely where none ends, up to every three minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

SECONDS, GREEDY, STATUS_SECONDS = "TEST_SECONDS_PER_STEP", "TEST_GREEDY", 2
"""Variable: recipe → seconds, as JSON. Variable: a file; the training of the recipe that it names grows once."""
GREEDY_AT, GREED = 12, 1_500_000_000
"""Step at which that training grows, and by how many bytes."""


def environment(folder: Path, seconds: dict[str, float], greedy: str | None = None) -> dict[str, str]:
    """Return the variables that slow down the trainings of some recipes; for the Snakemake that starts them."""
    site = folder / "site"
    site.mkdir()
    shutil.copy(__file__, site / "sitecustomize.py")
    path = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    made = {"PYTHONPATH": os.pathsep.join(path), SECONDS: json.dumps(seconds)}
    if greedy:
        (folder / "greedy").write_text(greedy)
        made[GREEDY] = str(folder / "greedy")
    return made


def slow_training(loop: ModuleType) -> None:
    """Let each step of this program's training wait before it is made."""
    recipe = sys.argv[sys.argv.index("--recipe") + 1]
    seconds = json.loads(os.environ[SECONDS])[recipe]
    greedy = Path(os.environ.get(GREEDY, "/nowhere"))
    step: Callable = loop.Training.take_step

    def take_step(self: Any) -> None:
        if self.step >= GREEDY_AT and greedy.exists() and greedy.read_text() == recipe:
            greedy.unlink()
            held = b"x" * GREED
            time.sleep(60)  # Slurm measures what a job holds every second
            del held
        time.sleep(seconds)
        step(self)

    loop.Training.take_step = take_step


def look_often(plugin: ModuleType) -> None:
    """Let Snakemake ask for its jobs at a fixed interval."""
    check = plugin.Executor.check_active_jobs

    async def check_active_jobs(self: Any, jobs: list) -> Any:
        async for job in check(self, jobs):
            yield job
        self.next_seconds_between_status_checks = STATUS_SECONDS

    plugin.Executor.check_active_jobs = check_active_jobs


CHANGED = {"spectral_priority.training.loop": slow_training, "snakemake_executor_plugin_slurm": look_often}
"""Module → what is done to it when it was imported."""


class Finder(MetaPathFinder):
    """Finds the modules to change."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the module's own specification, with the change behind its execution."""
        spec = PathFinder.find_spec(name, path) if name in CHANGED else None
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                CHANGED[name](module)

            spec.loader.exec_module = execute_and_change
        return spec


if __name__ == "sitecustomize" and SECONDS in os.environ:
    sys.meta_path.insert(0, Finder())
