"""The file of benchmark results: a section for each benchmark, replaced alone. Times themselves are never tested."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ORDER = ("training", "memory", "startup")


def module(name: str):
    """A module of the benchmarks, which are no package."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


results = module("results")


def section(name: str, value: float) -> str:
    return results.section(name, f"About {name}", ["a fact"], [{"what": "ours", "value": value, "unit": "s"}])


def names_in(text: str) -> list[str]:
    return re.findall(r"^## (\w+)$", text, re.MULTILINE)


def listed() -> tuple[str, ...]:
    """The benchmarks that `make bench` runs."""
    tree = ast.parse((BENCHMARKS / "__main__.py").read_text())
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BENCHMARKS"
    )


def test_a_run_replaces_its_own_section_and_no_other():
    text = ""
    for name in ("startup", "training", "memory"):
        text = results.replace_section(text, name, section(name, 1.5), ORDER)
    assert names_in(text) == list(ORDER)
    again = results.replace_section(text, "memory", section("memory", 7.25), ORDER)
    assert again == text.replace(section("memory", 1.5), section("memory", 7.25))
    assert "| ours | 7.25 | s |" in again


def test_a_table_leaves_out_columns_that_no_row_has_and_keeps_three_digits():
    rows = [
        {"what": "ours", "value": 12345.6, "unit": "images/s", "ratio_to": "bare loop", "ratio": 1.0467},
        {"what": "bare", "value": 0.012345, "unit": "s", "ratio_to": "", "ratio": None},
    ]
    assert results.table(rows).splitlines() == [
        "| what | value | unit | ratio | over |",
        "| --- | ---: | --- | ---: | --- |",
        "| ours | 12,346 | images/s | 1.05 | bare loop |",
        "| bare | 0.0123 | s |  |  |",
    ]


@pytest.mark.parametrize("name", listed())
def test_every_benchmark_has_a_title_and_rows(name):
    text = (BENCHMARKS / f"{name}.py").read_text()
    assert re.search(r'^TITLE = "', text, re.MULTILINE)
    assert "\ndef run(quick: bool) -> list[dict]:\n" in text


def test_every_benchmark_is_explained():
    told = (BENCHMARKS / "README.md").read_text()
    assert [name for name in listed() if f"`{name}`" not in told] == []


def test_placeholders_of_half_a_study_leave_the_other_half_to_be_run(tmp_path, monkeypatch):
    """So the benchmark `dag` plans what a stopped study leaves: Snakemake's records say that half is done."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    dag = module("dag")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(dag.made_study(1, 1)))
    placeholders = [sys.executable, str(BENCHMARKS / "placeholders.py"), "half"]
    dag._finished([*placeholders, *dag._arguments(tmp_path, "--cores", "1")])
    trained = list((tmp_path / "results").rglob("run.json"))
    planned = subprocess.run(
        dag._snakemake(tmp_path, "--dry-run"), capture_output=True, text=True, cwd=BENCHMARKS.parent
    ).stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned, re.MULTILINE))
    runs = dag.SEEDS * 4
    assert 0.4 * runs <= len(trained) <= 0.6 * runs
    assert int(jobs["train"]) == runs - len(trained) and "tier" not in jobs and "pack" not in jobs
    assert int(jobs["measure"]) == len(dag.MEASURES) * int(jobs["train"])
