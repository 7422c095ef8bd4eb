"""A plan of 2,000 runs asks of each job no more than one of twenty does: counted here, timed in benchmarks/dag.py."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spectral_priority.config import parse_study
from spectral_priority.config.study import Study

PROJECT = Path(__file__).resolve().parents[2]
STUDY = yaml.safe_load((PROJECT / "config" / "studies" / "imagenet.yaml").read_text())
HELD = """
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings
sys.argv[1:], files = [], sys.argv[1:]
for file in files:
    with SnakemakeApi(OutputSettings(keep_logger=True)) as api:
        held = api.workflow(
            ResourceSettings(cores=1), ConfigSettings(configfiles=[Path(file)]), snakefile=Path("Snakefile")
        )
        print("held", sum(len(rule.input) + len(rule.output) for rule in held._workflow.rules))
"""


def test_a_jobs_snakefile_holds_no_list_of_all_runs(tmp_path):
    """Each job on a cluster reads it, to run one rule."""
    files = []
    for seeds in (1, 50):
        files.append(tmp_path / f"{seeds}.yaml")
        files[-1].write_text(yaml.safe_dump({**STUDY, "seeds": seeds}))
    done = subprocess.run(
        [sys.executable, "-c", HELD, *map(str, files)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    few, many = (int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("held"))
    runs = len(parse_study({**STUDY, "seeds": 50}).list_runs())
    assert many == few < runs / 2


def test_a_tier_is_found_without_listing_all_tiers_again(monkeypatch):
    study, listed = parse_study(STUDY), []
    whole = Study.list_tiers
    monkeypatch.setattr(
        Study, "list_tiers", lambda *given, **options: listed.append(1) or whole(*given, **options)
    )
    for tier in whole(study):
        assert study.tier(tier.name) == tier
        study.dataset_of(tier.name)
    assert len(listed) <= 1


def test_an_unknown_tier_is_an_error():
    with pytest.raises(KeyError, match="count-3-d0"):
        parse_study(STUDY).tier("count-3-d0")
