"""Results depend on code: what changes a fingerprint, and what doesn't."""

import textwrap
from pathlib import Path

import pytest

from spectral_priority import fingerprint
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import code_fingerprint, expect_code, workflow_fingerprint


@pytest.fixture
def package(tmp_path):
    """A small package: program → loop → (schedule, errors); spectra is looked up by name only."""
    source = tmp_path / "spectral_priority"
    files = {
        "__init__.py": "",
        "training/__init__.py": "",
        "training/loop.py": "from ..errors import InputError\nfrom . import schedule\ndef run():\n    return 1\n",
        "training/schedule.py": "def rate(step):\n    return 0.1\n",
        "errors.py": "class InputError(Exception):\n    pass\n",
        "spectra.py": "import numpy\n",
        "program.txt": "",
    }
    for name, text in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = tmp_path / "train.py"
    program.write_text(
        textwrap.dedent('''
        """Train."""
        def main():
            from spectral_priority.training.loop import run
            return run()
        ''')
    )

    def compute(*roots):
        fingerprint._read.cache_clear()
        return code_fingerprint(program, roots, source)

    compute.source, compute.program = source, program
    return compute


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_comments_docstrings_and_formatting_do_not_count(package):
    before = package()
    edit(package.source / "training/schedule.py", "return 0.1", "# why\n    '''what'''\n    return (0.1)")
    edit(package.program, '"""Train."""', '"""Train a model."""\n\n\n')
    assert package() == before


def test_an_edit_anywhere_below_the_program_counts(package):
    before = package()
    edit(package.source / "training/schedule.py", "0.1", "0.2")
    assert package() != before


def test_an_edit_of_the_program_itself_counts(package):
    before = package()
    edit(package.program, "return run()", "return run() + 1")
    assert package() != before


def test_an_edit_elsewhere_does_not_count(package):
    before = package()
    edit(package.source / "spectra.py", "import numpy", "import scipy")
    assert package() == before


def test_a_module_looked_up_by_name_counts_as_a_root(package):
    before = package("spectra")
    edit(package.source / "spectra.py", "import numpy", "import scipy")
    assert package("spectra") != before


def test_modules_that_only_talk_to_people_do_not_count(package):
    before = package()
    edit(package.source / "errors.py", "pass", "code = 3")
    assert package() == before


def test_a_new_option_of_another_part_does_not_count(package):
    """Options reach programs as values, so a new measure's options class costs no other measure anything."""
    edit(
        package.source / "training/loop.py",
        "from . import schedule",
        "from . import schedule\nfrom ..config import measures",
    )
    (package.source / "config").mkdir()
    (package.source / "config/measures.py").write_text("class Gradient:\n    pass\n")
    before = package()
    edit(package.source / "config/measures.py", "pass", "pass\nclass Paths:\n    pass")
    assert package() == before


def test_a_program_refuses_to_run_with_other_code_than_the_study_was_started_with():
    with pytest.raises(InputError, match="the study was started with 0123456789abcdef"):
        expect_code("pack", "0123456789abcdef")
    assert expect_code("pack", code_fingerprint("pack")) == code_fingerprint("pack")


def test_trainings_do_not_depend_on_the_spectral_code():
    """An edit to fourier.py that changes no tier must cost no optimiser step."""
    fingerprint._read.cache_clear()
    assert not {"fourier", "half_plane", "filtering"} & modules_of("train")
    assert "training.loop" in modules_of("train")


def test_measures_depend_on_the_spectral_code():
    assert "fourier" in modules_of("measure", "measures.gradient")


def modules_of(program: str, *roots: str) -> set[str]:
    """Every module that a program's fingerprint covers."""
    seen: set[str] = set()
    waiting = [
        *roots,
        *fingerprint._imports(
            fingerprint._syntax(fingerprint.SCRIPTS / f"{program}.py"), "", fingerprint.SOURCE
        ),
    ]
    while waiting:
        module = waiting.pop()
        file = fingerprint._file(module, fingerprint.SOURCE)
        if module in seen or file is None:
            continue
        seen.add(module)
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        waiting += fingerprint._imports(fingerprint._syntax(file), package, fingerprint.SOURCE)
    return seen


def test_a_rule_s_comments_and_empty_lines_do_not_count_and_its_commands_do(tmp_path):
    file = tmp_path / "train.smk"
    file.write_text("rule train:\n    shell:\n        'train --steps 3'\n")
    before = workflow_fingerprint(file)
    file.write_text("# why\nrule train:\n\n    shell:\n        'train --steps 3'  # here\n")
    assert workflow_fingerprint(file) == before
    file.write_text("rule train:\n    shell:\n        'train --steps 4'\n")
    assert workflow_fingerprint(file) != before
