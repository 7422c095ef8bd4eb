"""How the audit of a data set looks at its images."""

from __future__ import annotations

from .base import Count, Section, Seed


class Audit(Section):
    """The audit of every data set of a study: what a reviewer asks before believing a frequency result."""

    images: Count = 20_000
    """Training images, chosen at random, whose spectra are looked at, and that linear classifiers of single bands
    learn from; half as many held-out images test them. Counts, files, duplicates and contrast are of all images."""
    seed: Seed = 0
    """Seed of the choice."""
