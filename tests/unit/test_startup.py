"""Start-up is paid thousands of times: who needs no numerics imports none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "torchvision", "xarray", "pandas", "matplotlib", "sklearn", "scipy", "statsmodels"}


def imported_by(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds after running some code."""
    code += "\nimport sys; print('loaded', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT / "src"
    )
    return HEAVY & {name.partition(".")[0] for name in done.stdout.rpartition("loaded")[2].split()}


def test_reading_the_snakefile_imports_no_numerics():
    lines = (PROJECT / "workflow/rules/common.smk").read_text().splitlines()
    ours = [line for line in lines if re.match(r"from spectral_priority", line)]
    assert len(ours) >= 6
    assert imported_by("\n".join(ours)) == set()


def test_importing_the_package_imports_no_numerics():
    assert imported_by("import spectral_priority") == set()


@pytest.mark.parametrize("program", ["pack", "reference", "similarity", "spectra", "artefact_spectrum", "tier",
                                     "complexity", "gather", "align", "correlate", "figure", "report"])  # fmt: skip
def test_programs_that_need_no_torch_never_name_it(program):
    """Also not in a function of a module that they use."""
    from test_fingerprint import modules_of

    from spectral_priority.fingerprint import SOURCE, _file

    for module in modules_of(program):
        text = _file(module, SOURCE).read_text()
        assert not re.search(r"^\s*(import|from) torch", text, re.MULTILINE), f"{program} reaches {module}"
