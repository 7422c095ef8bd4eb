"""docs/cluster.md quotes messages that programs really print, and options that really exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "cluster.md").read_text()
OURS = "\n".join(
    re.sub(r'"\s*f?"', "", path.read_text())  # a message may be written in parts
    for folder in ("src", "workflow")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in (".py", ".smk")
)
QUOTED = (
    "its state is saved",
    "minutes are over before the first step of this attempt",
    "the disk is full",
    "works on this, its last sign of life",
    "was edited after the study was started",
    "but the study was started with",
    "is damaged",
    "did not reach this job",
    "The Snakemake that submitted this job has ended",
    "that may be used here",
)


@pytest.mark.parametrize("message", QUOTED)
def test_a_message_of_the_page_is_one_of_the_code(message):
    assert message in PAGE
    assert message in OURS


def test_options_of_the_page_are_options_of_the_programs():
    said = subprocess.run(
        [sys.executable, "-m", "snakemake", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for program in ("estimate", "efficiency", "status"):
        said += (PROJECT / "workflow" / "scripts" / f"{program}.py").read_text()
    # squeue, sinfo, salloc, rsync, lfs, sbatch, scancel
    elsewhere = {"--me", "--format", "--gpus", "--hard-links", "--stripe-count", "--export", "--name"}
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - elsewhere
    assert len(options) > 10
    assert {option for option in options if not re.search(rf"{option}\b", said)} == set()


def test_files_and_headings_that_the_page_links_to_are_there():
    for name, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", PAGE):
        target = PROJECT / "docs" / name if name else PROJECT / "docs" / "cluster.md"
        assert target.is_file(), name
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


def test_every_line_of_the_local_profile_is_explained():
    text = (PROJECT / "profiles" / "local" / "config.yaml").read_text()
    blocks = [
        block for block in text.split("\n\n") if not all(line.startswith("#") for line in block.split("\n"))
    ]
    keys = [key for block in blocks for key in re.findall(r"^([\w-]+):", block, re.MULTILINE)]
    assert keys == list(yaml.safe_load(text))
    assert all(block.startswith("#") for block in blocks) and len(blocks) == len(keys)
