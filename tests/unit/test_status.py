"""The table of runs tells of each run what is true of it, from its files alone, and changes none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tiny_training import OPTIONS, make_task, train_in_process, write_data

from spectral_priority.config import parse_study
from spectral_priority.program import Stopped
from spectral_priority.status.runs import STATES, last_error, run_states
from spectral_priority.status.table import as_document, as_text
from spectral_priority.training import lock

PROGRAM = Path(__file__).parents[2] / "workflow" / "scripts" / "status.py"
DOCUMENT = {
    "study": "small",
    "datasets": {"shapes": {"source": {"kind": "shapes-textures"}}},
    "tiers": {"labels": {"kind": "labels", "dataset": "shapes", "labels": ["shape"]}},
    "recipes": {"base": OPTIONS},
    "measures": {"gradient": {}},
    "seeds": 6,
}
STUDY = parse_study(DOCUMENT)


def folder_of(results: Path, part: str, seed: int) -> Path:
    made = results.joinpath(*part.split("/"), "labels-shape-d0", "base", f"seed{seed}")
    made.mkdir(parents=True, exist_ok=True)
    return made


def hold(work: Path, age: float = 0.0, **changes) -> None:
    """Leave a lock whose last heartbeat was `age` seconds ago."""
    (work / "lock").write_text(json.dumps({**lock._this_process(), "token": "other", **changes}))
    os.utime(work / "lock", (time.time() - age,) * 2)


def finish(results: Path, seed: int) -> None:
    facts = {"steps": 40, "epochs": 8.0, "images_per_second": 512.0}
    (folder_of(results, "small/runs", seed) / "run.json").write_text(json.dumps(facts))


def log(results: Path, seed: int, text: str, name: str = "train.log") -> Path:
    path = folder_of(results, "logs/small/runs", seed) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def state_of(results: Path, seed: int):
    return next(one for one in run_states(STUDY, results) if one.run.seed == seed)


def test_without_any_file_no_run_has_started(tmp_path):
    states = run_states(STUDY, tmp_path)
    assert [one.state for one in states] == ["not started"] * 6
    assert "6 runs: 6 not started; 0 of 6 measures" in as_text("small", states)


def test_a_run_is_done_when_its_last_file_is_there(tmp_path):
    finish(tmp_path, 0)
    spectra = folder_of(tmp_path, "small/runs", 0) / "spectra"
    spectra.mkdir()
    (spectra / "gradient.h5").touch()
    (folder_of(tmp_path, "small/runs", 1) / "history.csv").touch()
    done = state_of(tmp_path, 0)
    assert (done.state, done.step, done.epochs, done.measured) == ("done", 40, 8.0, 1)
    assert state_of(tmp_path, 1).state == "not started"


def test_a_held_lock_means_running_and_a_stale_one_interrupted(tmp_path):
    hold(folder_of(tmp_path, "state/small", 0))
    hold(folder_of(tmp_path, "state/small", 1), host="elsewhere", age=60)
    hold(folder_of(tmp_path, "state/small", 2), host="elsewhere", age=200)
    dead = subprocess.Popen(["true"])
    dead.wait()
    hold(folder_of(tmp_path, "state/small", 3), pid=dead.pid)
    found = {one.run.seed: one for one in run_states(STUDY, tmp_path)}
    assert [found[seed].state for seed in range(4)] == ["running", "running", "interrupted", "interrupted"]
    assert f"process {os.getpid()} on " in found[0].holder
    assert "on elsewhere" in found[1].holder


def test_a_failed_run_shows_why_and_an_old_error_is_no_failure(tmp_path):
    earlier = "10:00:00 error: the disk is full\n"
    trace = "Traceback (most recent call last):\n  File 'x'\n"
    log(tmp_path, 0, f"10:00:00 going on\n{trace}10:00:01 defect: ValueError: no number\n")
    log(tmp_path, 1, f"{earlier}10:05:00 going on from step 30 of 40\n")
    hold(folder_of(tmp_path, "state/small", 1), host="elsewhere", age=500)
    hold(folder_of(tmp_path, "state/small", 2))
    log(tmp_path, 2, earlier)
    found = {one.run.seed: one for one in run_states(STUDY, tmp_path)}
    assert (found[0].state, found[0].error) == ("failed", "ValueError: no number")
    assert (found[1].state, found[1].error) == ("interrupted", "")
    assert found[2].state == "running"
    text = as_text("small", run_states(STUDY, tmp_path))
    assert text.index("ValueError: no number") < text.index("running  ")


def test_a_measure_that_failed_is_named_with_its_error_until_its_result_is_there(tmp_path):
    finish(tmp_path, 0)
    log(tmp_path, 0, "10:00:00 error: images.h5: is damaged\n", "spectra/gradient.log")
    assert state_of(tmp_path, 0).measure_errors == {"gradient": "images.h5: is damaged"}
    spectra = folder_of(tmp_path, "small/runs", 0) / "spectra"
    spectra.mkdir()
    (spectra / "gradient.h5").touch()
    assert state_of(tmp_path, 0).measure_errors == {}


def test_a_log_without_an_error_has_none(tmp_path):
    path = tmp_path / "train.log"
    assert last_error(path) == ""
    path.write_text("")
    assert last_error(path) == ""
    path.write_text("10:00:00 stopped at step 3 of 40 (a time limit)\n")
    assert last_error(path) == ""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A real training, stopped after 25 of its 40 steps."""
    data, results = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("results")
    write_data(data)
    with pytest.raises(Stopped):
        train_in_process(
            make_task(data),
            folder_of(results, "state/small", 0),
            stop=lambda made: "enough" if made == 25 else None,
        )
    return results


def test_an_interrupted_training_tells_how_far_it_is(stopped):
    one = state_of(stopped, 0)
    assert (one.state, one.step, one.steps) == ("interrupted", 25, 40)
    assert one.epoch == pytest.approx(5.0) and one.epochs == pytest.approx(8.0)  # 90 images, 16 a step
    assert one.images_per_second > 0
    assert one.seconds_left == pytest.approx(15 * 16 / one.images_per_second)
    assert "25 of 40" in as_text("small", [one])


def test_what_is_left_of_a_running_training_shrinks_with_the_time_since_it_saved(stopped):
    work = folder_of(stopped, "state/small", 0)
    hold(work)
    try:
        state = work / "state.safetensors"
        os.utime(state, (time.time() - 3600,) * 2)
        late = state_of(stopped, 0)
        assert late.state == "running" and late.seconds_left == 0
        os.utime(state)
        assert state_of(stopped, 0).seconds_left > 0
    finally:
        (work / "lock").unlink()


def test_a_damaged_state_is_passed_over_for_the_one_before_it(stopped, tmp_path):
    work, source = folder_of(tmp_path, "state/small", 0), folder_of(stopped, "state/small", 0)
    (work / "state.safetensors").write_bytes(b"cut off")
    assert state_of(tmp_path, 0).step == 0
    (work / "state.previous.safetensors").write_bytes((source / "state.safetensors").read_bytes())
    assert state_of(tmp_path, 0).step == 25


def test_runs_stand_by_state_and_totals_add_up(tmp_path):
    finish(tmp_path, 1)
    hold(folder_of(tmp_path, "state/small", 2))
    hold(folder_of(tmp_path, "state/small", 3), host="elsewhere", age=500)
    log(tmp_path, 4, "10:00:00 error: no\n")
    states = run_states(STUDY, tmp_path)
    assert [one.state for one in states] == [
        *("failed", "running", "interrupted", "not started", "not started", "done")
    ]
    document = as_document("small", states)
    assert sum(document["totals"].values()) == len(document["runs"]) == 6
    assert tuple(document["totals"]) == STATES


def ask(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_the_program_prints_the_table_and_the_same_for_programs(stopped, tmp_path):
    study = tmp_path / "mine.yaml"
    study.write_text(yaml.safe_dump(DOCUMENT))
    before = sorted((path, path.stat().st_mtime_ns) for path in stopped.rglob("*"))
    table = ask("--study", study, "--results", stopped)
    assert table.returncode == 0, table.stderr
    assert table.stdout.startswith("small: 6 runs: 1 interrupted, 5 not started")
    document = json.loads(ask("--study", study, "--results", stopped, "--json").stdout)
    assert document["runs"][0]["step"] == 25 and document["runs"][0]["tier"] == "labels-shape-d0"
    assert sorted((path, path.stat().st_mtime_ns) for path in stopped.rglob("*")) == before


def test_a_study_of_ones_own_is_found_by_its_results_and_an_unknown_one_refused(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "config.yaml").write_text(yaml.safe_dump(STUDY.model_dump(mode="json")))
    assert ask("--study", "small", "--results", tmp_path).stdout.startswith("small: 6 runs")
    refused = ask("--study", "unknown", "--results", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --study: found 'unknown'. Allowed: a study file")


def test_looking_takes_neither_torch_nor_snakemake():
    code = "import sys; sys.path.insert(0, sys.argv[1]); import status; print({'torch', 'snakemake'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code, str(PROGRAM.parent)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "set()", done.stderr
