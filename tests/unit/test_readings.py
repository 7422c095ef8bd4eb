"""Readings of a scalar over training, by hand-worked examples."""

import numpy as np
import pandas as pd
import pytest

from spectral_priority.statistics.readings import crossing_weights, mean_weights, readings

STEPS = np.array([0, 9, 99, 999])  # log10(1 + step) = 0, 1, 2, 3


def history(loss_fraction, corrected_accuracy=(0, 0, 0, 0)):
    return pd.DataFrame(
        {"step": STEPS, "loss_fraction": loss_fraction, "corrected_accuracy": corrected_accuracy}
    )


def read(values, errors=(0, 0, 0, 0), fractions=(0.5,), **columns):
    """Value and standard error of every reading of one scalar."""
    column = np.array(values, dtype=float)[:, None], np.array(errors, dtype=float)[:, None]
    found = {}
    for reading in readings(history(**columns), fractions):
        value, error = reading.of(*column)
        found[reading.name, reading.fraction] = (float(value[0]), float(error[0]), reading.reached)
    return found


def test_last_is_the_last_checkpoint():
    found = read([1, 2, 3, 7], [0.1, 0.1, 0.1, 0.4], loss_fraction=[1, 0.9, 0.8, 0.7])
    assert found["last", None] == (7.0, 0.4, True)


def test_mean_is_the_area_under_the_curve_over_log_steps():
    """Trapezoids of width 1 (in log10): (1+2)/2 + (2+4)/2 + (4+6)/2 = 9.5, over 3."""
    found = read([1, 2, 4, 6], loss_fraction=[1, 0.9, 0.8, 0.7])
    assert found["mean", None][0] == pytest.approx(9.5 / 3)
    times = np.log1p(STEPS)
    assert mean_weights(STEPS) @ times == pytest.approx(np.trapezoid(times, times) / times[-1])


def test_mean_of_a_single_checkpoint_is_its_value():
    assert mean_weights(np.array([0])).tolist() == [1.0]


def test_matched_loss_interpolates_in_log_steps():
    """Loss 0.9 at step 9 and 0.4 at step 99 crosses 0.5 four fifths of the way in log(1 + step): step 62.1.

    The centroid goes from 5 to 8 over the same decade: 5 + 0.8 · 3 = 7.4.
    """
    found = read([4, 5, 8, 9], [0.1, 0.2, 0.3, 0.4], loss_fraction=[1, 0.9, 0.4, 0.1])
    value, error, reached = found["matched-loss", 0.5]
    assert (value, reached) == (pytest.approx(7.4), True)
    assert value == pytest.approx(np.interp(np.log1p(10**1.8 - 1), np.log1p(STEPS), [4, 5, 8, 9]))
    assert error == pytest.approx(0.2 * 0.2 + 0.8 * 0.3)


def test_first_crossing_of_the_running_minimum_counts():
    """The loss dips to 0.4, rises to 0.8 and falls again: only the first crossing is read."""
    found = read([4, 5, 8, 9], loss_fraction=[1, 0.4, 0.8, 0.1])
    assert found["matched-loss", 0.5][0] == pytest.approx(4 + (1 - 0.5) / (1 - 0.4))
    # A rise before the crossing does not count either: it is interpolated from the minimum so far, 0.6.
    found = read([4, 5, 8, 9], loss_fraction=[1, 0.6, 0.9, 0.4])
    assert found["matched-loss", 0.5][0] == pytest.approx(8.5)


def test_each_fraction_is_its_own_reading():
    found = read([4, 5, 8, 9], fractions=(0.5, 0.7, 0.3), loss_fraction=[1, 0.7, 0.5, 0.3])
    assert [found["matched-loss", fraction][0] for fraction in (0.7, 0.5, 0.3)] == [5, 8, 9]


def test_a_run_that_never_crosses_has_no_value():
    value, error, reached = read([4, 5, 8, 9], loss_fraction=[1, 0.9, 0.8, 0.7])["matched-loss", 0.5]
    assert np.isnan([value, error]).all()
    assert not reached


def test_a_level_met_at_the_start_is_read_there():
    assert crossing_weights(np.array([0.4, 0.3]), 0.5).tolist() == [1.0, 0.0]


def test_a_diverged_training_does_not_cross():
    assert crossing_weights(np.array([1.0, np.nan, np.inf]), 0.5) is None
    assert crossing_weights(np.array([np.nan, 0.4]), 0.5).tolist() == [0.0, 1.0]


def test_matched_accuracy_takes_the_first_rise_to_one_half():
    found = read([4, 5, 8, 9], loss_fraction=[1, 0.9, 0.8, 0.7], corrected_accuracy=[0.0, 0.25, 0.75, 0.6])
    assert found["matched-accuracy", 0.5][0] == pytest.approx(6.5)


def test_a_checkpoint_without_a_value_spoils_only_the_readings_that_use_it():
    found = read([4, np.nan, 8, 9], loss_fraction=[1, 0.9, 0.8, 0.4])
    assert found["last", None][0] == 9
    assert found["matched-loss", 0.5][0] == pytest.approx(8.75)
    assert np.isnan(found["mean", None][0])
