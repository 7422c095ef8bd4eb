"""Measures of spectral learning priority: one file each, a registry, and the sweep over a run's checkpoints."""
