"""One environment, written three times: bounds (pyproject.toml), the lock, and conda's file."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = Path(__file__).resolve().parents[2]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def direct() -> dict[str, Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    texts = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    return {Requirement(text).name: Requirement(text) for text in texts}


def locked() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (PROJECT / "requirements.lock").read_text().splitlines():
        if re.match(r"[a-z0-9]", line):
            requirement = Requirement(line.rstrip("\\ "))
            found.setdefault(requirement.name, []).append(requirement)
    return found


def version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_the_lock_has_every_direct_dependency_within_its_bounds():
    pins = locked()
    for name, requirement in direct().items():
        assert name in pins, f"{name} is not in requirements.lock: make lock"
        for pin in pins[name]:
            assert requirement.specifier.contains(Version(version(pin))), f"{pin} is outside {requirement}"


def test_every_pin_of_the_lock_has_a_hash():
    text = (PROJECT / "requirements.lock").read_text()
    pins = len(re.findall(r"^[a-z0-9][^\n]*==", text, re.MULTILINE))
    assert pins == len(re.findall(r"^[a-z0-9][^\n]*==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) > 50


def test_conda_environment_names_the_direct_dependencies_at_the_locked_versions():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    conda = dict(line.split("=") for line in environment["dependencies"])
    python = conda.pop("python")
    expected = {}
    for name in direct():
        (pin,) = [pin for pin in locked()[name] if not pin.marker or pin.marker.evaluate({
            "python_version": python, "python_full_version": python + ".9",
            "sys_platform": "linux", "platform_machine": "x86_64",
        })]  # fmt: skip
        expected[CONDA_NAMES.get(name, name)] = version(pin)
    assert conda == expected


def test_everything_the_library_imports_is_a_direct_dependency():
    names = {"yaml": "pyyaml", "PIL": "pillow", "sklearn": "scikit-learn", "skimage": "scikit-image"}
    names |= {"vl_convert": "vl-convert-python"}
    files = [*(PROJECT / "src").rglob("*.py"), *(PROJECT / "workflow/scripts").glob("*.py")]
    pattern = re.compile(r"^\s*(?:import (?=\w)|from (?=\w[\w.]* import ))([A-Za-z_]\w*)", re.MULTILINE)
    imported = {name for file in files for name in pattern.findall(file.read_text())}
    import sys

    third = imported - set(sys.stdlib_module_names) - {"spectral_priority", "__future__"}
    assert {names.get(name, name) for name in third} <= set(direct())
