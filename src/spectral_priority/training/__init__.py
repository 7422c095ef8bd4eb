"""Training: the loop, its batches and schedule, evaluation, checkpoints, and what lets it go on after a stop."""
