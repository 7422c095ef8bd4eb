"""At the end of a start every failed job is named once, however often it was tried."""

import logging
from types import SimpleNamespace

import pytest

from spectral_priority.recovery.failures import Failures


@pytest.fixture
def failures():
    made = Failures(in_vain=lambda number: made.in_vain.append(number))
    made.in_vain = []
    return made


def tell(failures, event, **fields):
    record = logging.makeLogRecord({"event": SimpleNamespace(name=event), **fields})
    failures.handle(record)


def fail(failures, number, *logs, rule="train"):
    tell(failures, "JOB_ERROR", rule_name=rule, jobid=number, log=[str(log) for log in logs])


def test_a_job_that_failed_at_every_attempt_is_named_once_with_what_it_said_last(failures, tmp_path):
    log = tmp_path / "train.log"
    for attempt in range(3):
        log.write_text(f"12:00:00 error: attempt {attempt}\n")
        fail(failures, 1, log, tmp_path / f"{attempt}.log")
    assert failures.as_text().splitlines()[1:] == [f"  train: {log}", "      attempt 2"]


def test_the_same_error_twice_in_a_row_is_in_vain_and_others_are_not(failures, tmp_path):
    """A job that was killed, or stopped at its time limit, says no error."""
    log = tmp_path / "train.log"
    for text in ("12:00:00 error: one", "12:00:01 stopped", "12:00:02 error: one", "12:00:03 error: two"):
        log.write_text(f"{text}\n")
        fail(failures, 7, log)
    fail(failures, 7, log)  # its node went down before it wrote anything
    assert failures.in_vain == []
    log.write_text("12:00:04 error: two\n")
    fail(failures, 7, log)
    assert failures.in_vain == [7]


def test_a_job_that_succeeded_in_the_end_is_not_named(failures, tmp_path):
    fail(failures, 1, tmp_path / "a.log")
    fail(failures, 2, tmp_path / "b.log")
    tell(failures, "JOB_FINISHED", job_id=1)
    assert "a.log" not in failures.as_text() and "b.log" in failures.as_text()


def test_a_refusal_of_the_snakefile_is_read_from_the_log_of_the_cluster(failures, tmp_path):
    cluster = tmp_path / "7.log"
    cluster.write_text('host: here\nWorkflowError in file "common.smk", line 9:\nstudy.yaml was edited.\n')
    fail(failures, 1, tmp_path / "never-written.log", cluster)
    assert failures.as_text().splitlines()[1:] == [f"  train: {cluster}", "      study.yaml was edited."]


def test_of_jobs_submitted_together_only_those_are_named_that_said_why(failures, tmp_path):
    bad, cluster = tmp_path / "bad.log", tmp_path / "7.log"
    bad.write_text("12:00:00 error: too large\n")
    cluster.write_text("12:00:00 error: too large\n")
    info = [{"jobid": 1}, {"jobid": 2}]
    tell(failures, "GROUP_ERROR", job_error_info=info, aux_logs=[str(cluster)])
    fail(failures, 1, tmp_path / "good.log", rule="measure")
    fail(failures, 2, bad, rule="measure")
    assert failures.as_text().splitlines()[1:] == [f"  measure: {bad}", "      too large"]
    bad.unlink()
    fail(failures, 2, bad, rule="measure")  # killed: none of them said anything
    assert failures.as_text().count(str(cluster)) == 2
