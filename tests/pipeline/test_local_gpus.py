"""`--resources gpu=N` on one workstation: at most N programs at a time, each on a GPU of its own."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SNAKEFILE = f"""
rule train:
    input:
        expand("run{{k}}", k=range(7)),

rule run:
    output:
        "run{{k}}",
    resources:
        gpu=1,
    shell:
        "{sys.executable} run.py {{output}}"
"""
RUN = """
    import sys, time
    from pathlib import Path
    from spectral_priority.gpus.lease import lease_gpus
    gpu, = lease_gpus()
    begun, me = time.monotonic(), Path(sys.argv[1])
    Path(f"begun-{me}").touch()
    while len(list(Path().glob("begun-*"))) < 3:  # so the first three run at the same time, however slow they start
        assert time.monotonic() < begun + 60, "there are never three at a time"
        time.sleep(0.05)
    time.sleep(0.3)
    me.write_text(f"{gpu} {begun} {time.monotonic()}")
"""


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    sys.path.insert(0, str(PROJECT / "tests" / "unit"))
    from pretend_gpus import pretend_gpus

    return pretend_gpus(monkeypatch, tmp_path / "machine", 3)


def test_three_gpus_run_three_programs_at_a_time_each_on_its_own(pretended, tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "run.py").write_text(textwrap.dedent(RUN))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--profile", str(PROJECT / "profiles" / "local")),
            *("--resources", "gpu=3", "--cores", "7"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "waiting for" not in done.stderr  # Snakemake starts no more programs than there are GPUs
    runs = [(tmp_path / f"run{k}").read_text().split() for k in range(7)]
    spans = [(gpu, float(begun), float(ended)) for gpu, begun, ended in runs]
    assert {gpu for gpu, _, _ in spans} == set(pretended)
    for place, (gpu, begun, ended) in enumerate(spans):
        beside = [
            other for other, start, end in spans[:place] + spans[place + 1 :] if start < ended and begun < end
        ]
        assert gpu not in beside
    assert most_at_once(spans) == 3


def most_at_once(spans) -> int:
    """How many of some time spans overlap at the most."""
    return max(sum(start <= begun < end for _, start, end in spans) for _, begun, _ in spans)


def test_every_program_that_can_use_a_gpu_leases_it_and_its_rule_counts_it():
    programs = {path.stem: path.read_text() for path in (PROJECT / "workflow" / "scripts").glob("*.py")}
    users = {name for name, text in programs.items() if '"--device"' in text}
    assert users == {name for name, text in programs.items() if "lease_gpus()" in text}
    assert {"train", "measure"} <= users
    rules = "".join(path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk"))
    assert len(re.findall(r"^        gpu=", rules, re.MULTILINE)) == len(users)
