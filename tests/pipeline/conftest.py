"""A small study, run once by Snakemake; tests change copies of it and look at what Snakemake does next."""

import shutil
from pathlib import Path

import pytest
from small_study import PROJECT, copy_of, snakemake, write_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The small study, finished. Don't change it: use `study`."""
    folder = tmp_path_factory.mktemp("finished")
    write_study(folder)
    snakemake(folder)
    return folder


@pytest.fixture
def study(finished, tmp_path) -> Path:
    """A copy of the finished study."""
    return copy_of(finished, tmp_path / "study")


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project's own files, to edit."""
    target = tmp_path / "project"
    target.mkdir()
    for name in ("Snakefile", "environment.yml"):
        shutil.copy2(PROJECT / name, target)
    for name in ("workflow", "src", "config"):
        shutil.copytree(
            PROJECT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    return target
