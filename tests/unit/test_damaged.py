"""What is no longer as it was made is put aside before Snakemake takes it for up to date; what only looks so is not."""

import os
import subprocess
import sys
import time

import pytest

from spectral_priority.errors import InputError
from spectral_priority.recovery.damaged import missing_since, put_aside_damaged, remove_if_other
from spectral_priority.store.made import read_made, tell_made

NAMES = ("results/s/table.csv", "results/s/runs/a/history.csv")
PROGRAM = """
from pathlib import Path
from spectral_priority.program import parser, run
from spectral_priority.store.atomic import write_text

def main(arguments):
    write_text(arguments.output, "result")
    write_text(arguments.work / "state", "no result")
    if arguments.fails:
        raise ValueError

made = parser(None)
made.add_argument("--output", type=Path)
made.add_argument("--work", type=Path)
made.add_argument("--fails", action="store_true")
run(main, made.parse_args())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two results and the log that tells of them, as Snakemake's working directory has them."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"a,b\n1,{number}\n")
        os.utime(name, (1000 + number, 1000 + number))
    (tmp_path / "results/logs/s").mkdir(parents=True)
    tell_made(log_of(tmp_path), map(type(tmp_path), NAMES))
    return tmp_path


def log_of(folder):
    return folder / "results/logs/s/gather.log"


def put_aside(folder):
    return [path.as_posix() for path in put_aside_damaged(folder, ["s"])]


def test_results_as_they_were_made_are_left_and_not_even_read(folder, monkeypatch):
    monkeypatch.setattr("spectral_priority.recovery.damaged.file_sha256", None)
    assert put_aside(folder) == []


@pytest.mark.parametrize("content", ["a,b\n1,", "", "a,b\n1,7\n", "another file altogether"])
@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_result_with_other_content_is_put_aside_and_kept_there(folder, content, keeps_time):
    (folder / NAMES[1]).write_text(content)
    if keeps_time:
        os.utime(NAMES[1], (1001, 1001))
    assert put_aside(folder) == [NAMES[1]]
    assert not (folder / NAMES[1]).exists() and (folder / NAMES[0]).exists()
    assert (folder / "results/damaged/s/runs/a/history.csv").read_text() == content
    assert missing_since(folder) == {NAMES[1]}
    (folder / NAMES[1]).write_text("made again")
    assert missing_since(folder) == set()


def test_a_folder_in_the_place_of_a_result_is_put_aside(folder):
    for _ in range(2):  # what was put aside before gives way
        (folder / NAMES[0]).unlink(missing_ok=True)
        (folder / NAMES[0]).mkdir()
        assert put_aside(folder) == [NAMES[0]] and missing_since(folder) == {NAMES[0]}


@pytest.mark.parametrize("seconds", [-500, 10**9])
def test_a_result_whose_time_alone_differs_gets_it_back_and_is_read_once(folder, monkeypatch, seconds):
    os.utime(NAMES[0], (1000 + seconds, 1000 + seconds))
    assert put_aside(folder) == []
    assert (folder / NAMES[0]).stat().st_mtime == 1000
    monkeypatch.setattr("spectral_priority.recovery.damaged.file_sha256", None)
    assert put_aside(folder) == []


def test_results_of_a_clock_that_was_ahead_are_of_now(folder):
    for number, name in enumerate(NAMES):
        os.utime(name, (10**10 + number, 10**10 + number))
    log_of(folder).unlink()
    tell_made(log_of(folder), map(type(folder), NAMES))
    assert put_aside(folder) == []
    times = {(folder / name).stat().st_mtime_ns for name in NAMES}
    assert len(times) == 1 and times.pop() <= time.time_ns(), "none is newer than another"
    assert put_aside(folder) == []


def test_the_resolved_study_is_removed_if_it_says_another_thing_or_is_from_the_future(folder):
    path, name = folder / "results/s/config.yaml", "results/s/config.yaml"
    path.write_text("study: s")
    remove_if_other(folder, name, "study: s")
    assert path.exists()
    os.utime(path, (10**10, 10**10))
    remove_if_other(folder, name, "study: s")
    assert not path.exists()
    path.write_text("study: ")
    remove_if_other(folder, name, "study: s")
    assert not path.exists()
    path.mkdir()
    remove_if_other(folder, name, "study: s")
    assert not path.exists() and (folder / "results/damaged/s/config.yaml").is_dir()


def test_a_result_that_was_read_once_is_still_watched(folder):
    os.utime(NAMES[0], (5, 5))
    put_aside(folder)
    (folder / NAMES[0]).write_text("a,b\n1,9\n")
    os.utime(NAMES[0], (1000, 1000))
    assert put_aside(folder) == [NAMES[0]]


def test_a_copied_study_is_whole_and_has_its_times_again(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("copied")
    subprocess.run(["cp", "-r", str(folder / "results"), str(other)], check=True)
    assert put_aside(other) == []
    assert [(other / name).stat().st_mtime for name in NAMES] == [1000, 1001]


def test_a_removed_result_and_one_that_no_log_tells_of_are_let_be(folder):
    (folder / NAMES[0]).unlink()
    (folder / "results/s/mine.txt").write_text("notes")
    assert put_aside(folder) == [] and missing_since(folder) == set()


def test_the_last_word_of_a_log_counts_and_damaged_lines_do_not(folder):
    (folder / NAMES[0]).write_text("made by hand, with the same log")
    tell_made(log_of(folder), [folder / NAMES[0], type(folder)(NAMES[0])])
    with log_of(folder).open("ab") as log:
        log.write(b'made {"path": "results/s/ta\nmade {"path": 3}\n\xff\xfe\n')
    assert put_aside(folder) == []


@pytest.mark.parametrize("path", ["/etc/passwd", "results/../../outside.csv", "elsewhere/x.csv"])
def test_a_log_can_move_nothing_outside_the_results(folder, path):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/x.csv").write_text("mine")
    text = log_of(folder).read_text().replace(NAMES[0], path)
    log_of(folder).write_text(text)
    assert put_aside(folder) == [] and (folder / "elsewhere/x.csv").exists()


def test_what_can_not_be_moved_is_said_by_name(folder):
    (folder / NAMES[0]).write_text("damaged")
    (folder / "results/damaged").write_text("a file in the place of the folder")
    with pytest.raises(InputError, match=r"table\.csv: is not as it was made, and can't be moved"):
        put_aside_damaged(folder, ["s"])


@pytest.mark.parametrize("fails", [False, True])
def test_a_program_that_succeeds_tells_its_results_and_no_state(tmp_path, fails):
    words = ["--output", "results/x.txt", "--work", "work", "--log", "x.log", *["--fails"] * fails]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, capture_output=True)
    assert done.returncode == int(fails)
    assert [made.path for made in read_made(tmp_path / "x.log")] == ([] if fails else ["results/x.txt"])
