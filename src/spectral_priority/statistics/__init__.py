"""From the runs of a study to its answers: readings over training, correlation with complexity, claims (METHODS 9)."""
