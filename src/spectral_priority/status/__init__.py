"""How far the runs of a study are, read from its files: no torch, no Snakemake, and nothing is changed."""
