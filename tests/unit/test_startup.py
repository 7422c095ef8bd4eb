"""Start-up is paid thousands of times: who needs no numerics imports none."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = {
    "torch",
    "torchvision",
    "xarray",
    "pandas",
    "matplotlib",
    "sklearn",
    "scipy",
    "statsmodels",
    "seaborn",
    "skimage",
}
BEFORE_WORK = {
    "train": set(),
    "measure": set(),
    "tier": set(),
    "report": {"pandas", "xarray"},
    "figure": {"pandas", "xarray", "matplotlib"},
}
"""Program → the heavy packages that it imports before it knows what there is to do."""
WHEN_ASKED = {"data.torchvision_sets.published"}
"""Modules that import torchvision for its own sets only (a test of these sets holds that other sets don't)."""


def imported_by(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds after running some code."""
    code += "\nimport sys; print('loaded', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT / "src"
    )
    return HEAVY & {name.partition(".")[0] for name in done.stdout.rpartition("loaded")[2].split()}


def test_reading_the_snakefile_imports_no_numerics():
    rules = [path.read_text() for path in sorted((PROJECT / "workflow" / "rules").glob("*.smk"))]
    ours = re.findall(r"^from spectral_priority[^\n(]*(?:\([^)]*\))?", "\n".join(rules), re.MULTILINE)
    assert len(ours) >= 10
    assert imported_by("\n".join(ours)) == set()


def test_importing_the_package_imports_no_numerics():
    assert imported_by("import spectral_priority") == set()


@pytest.mark.parametrize("program", BEFORE_WORK)
def test_a_program_imports_at_first_no_more_than_it_always_needs(program):
    file = PROJECT / "workflow" / "scripts" / f"{program}.py"
    found = imported_by(f"import runpy; runpy.run_path({str(file)!r}, run_name='imported')")
    assert found == BEFORE_WORK[program]


def test_a_training_needs_neither_torchvision_nor_torchs_compiler(tmp_path):
    """The compiler comes with an optimiser of torch.optim, and takes as long as torch itself."""
    code = f"""
        import sys; sys.path.insert(0, {str(PROJECT / "tests" / "unit")!r})
        from pathlib import Path
        from tiny_training import make_task, train_in_process, write_data
        folder = Path({str(tmp_path)!r})
        write_data(folder)
        train_in_process(make_task(folder, steps=2), folder / "work")
        assert "torch._dynamo" not in sys.modules
    """
    assert imported_by(textwrap.dedent(code)) == {"torch"}


@pytest.mark.parametrize("program", ["pack", "reference", "similarity", "spectra", "artefact_spectrum", "tier",
                                     "complexity", "gather", "align", "correlate", "figure", "report"])  # fmt: skip
def test_programs_that_need_no_torch_never_name_it(program):
    """Also not in a function of a module that they use."""
    from test_fingerprint import modules_of

    from spectral_priority.fingerprint import SOURCE, _file

    for module in modules_of(program) - WHEN_ASKED:
        text = _file(module, SOURCE).read_text()
        assert not re.search(r"^\s*(import|from) torch", text, re.MULTILINE), f"{program} reaches {module}"
