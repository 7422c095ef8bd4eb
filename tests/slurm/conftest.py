"""A Slurm of its own for the tests of this folder; they are skipped only where Slurm is not installed."""

from collections.abc import Iterator

import pytest
from cluster import Cluster, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running cluster. One that is installed but does not start is an error, with the daemon's log."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Cluster() as running:
        yield running
