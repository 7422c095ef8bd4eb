"""Writing and reading result files: atomic, validated, with their provenance. Imports nothing of ours but errors."""
