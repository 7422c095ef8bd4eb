"""Each planted fault is noticed by the test that is named for it; the package as it is passes those tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
COPIED = ("src/spectral_priority", "workflow/scripts")
"""The package, and the programs beside it, which count in its fingerprints."""
AT_ONCE = 2
MOST_SECONDS = 300


def plant(fault: Fault, package: Path) -> None:
    """Change one text in a copy of the package."""
    file = package / fault.file
    text = file.read_text()
    assert text.count(fault.old) == 1, (
        f"{fault.name}: this text stands {text.count(fault.old)} times in {fault.file}, not once; "
        f"name in tests/mutants/faults.py what stands there now:\n{fault.old}"
    )
    file.write_text(text.replace(fault.old, fault.new))


def outcomes(folder: Path, tests: list[str], fault: Fault | None = None) -> tuple[dict[str, str], str]:
    """Run tests on a copy of the package, with a fault or without; what became of each, and what pytest said."""
    # Without compiled files: one as old and as long as a changed source would pass for it.
    without = shutil.ignore_patterns("__pycache__")
    for part in COPIED:
        shutil.copytree(ROOT / part, folder / part, ignore=without)
    if fault:
        plant(fault, folder / COPIED[0])
    report = folder / "outcomes.json"
    surroundings = {
        "PYTHONPATH": str(folder / "src"),
        "OMP_NUM_THREADS": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("outcomes.py"), folder, *tests],
        cwd=ROOT,
        env=os.environ | surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MOST_SECONDS,
    )
    return (json.loads(report.read_text()) if report.exists() else {}), done.stdout


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """What becomes of the named tests, by fault; None: without one. All are started now, two run at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [(None, [fault.test for fault in FAULTS]), *((fault, [fault.test]) for fault in FAULTS)]
        yield {
            fault: pool.submit(outcomes, tmp_path_factory.mktemp("copy"), tests, fault)
            for fault, tests in runs
        }
        pool.shutdown(cancel_futures=True)


def test_the_package_as_it_is_passes_the_named_tests(started):
    found, said = started[None].result()
    assert set(found.values()) == {"passed"}, said
    for fault in FAULTS:
        assert any(test.startswith(f"tests/unit/{fault.test}") for test in found), f"{fault.test} was not run"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_planted_fault_fails_the_test_named_for_it(fault, started):
    found, said = started[fault].result()
    assert found, f"no test was run:\n{said}"
    assert list(found.values())[-1] == "failed by assertion", f"{found}\n{said}"


def test_a_fault_that_no_longer_fits_its_file_is_named(tmp_path):
    (tmp_path / "paths.py").write_text("logits.softmax(dim=2)")
    with pytest.raises(AssertionError, match=r"no axis: this text stands 0 times in paths\.py, not once"):
        plant(Fault("no axis", "paths.py", "logits.softmax(dim=1)", "", ""), tmp_path)
