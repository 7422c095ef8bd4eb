# make demo   the environment, then the built-in study to its report
# make test   the same environment, then all tests
# make estimate, make status, make efficiency STUDY=name   what it will take; how far its runs are; what its jobs used
# make soak   a hundred kills of trainings, fifty faults in a study; make bench: how fast; make calibrate: how often statistics are right
# Needs Python ≥ 3.11, make and git.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test estimate status efficiency env lint soak bench calibrate reference pictures lock help

PYTHON ?= python3
CORES ?= all
VENV := .venv
READY := $(VENV)/.ready
export PYTHONUNBUFFERED := 1

demo: env ## the built-in study, to results/demo/report.html
	$(VENV)/bin/snakemake --cores $(CORES) --quiet rules host --benchmark-extended
	@echo "The report: results/demo/report.html"

test: env ## all tests, of three files at a time (those on a Slurm mostly wait)
	$(VENV)/bin/python -m pytest --numprocesses 3 --dist loadfile

status: env ## how far the runs of a study are (STUDY=name or file; default: the demo)
	@$(VENV)/bin/python workflow/scripts/status.py $(if $(STUDY),--study $(STUDY))

efficiency: env ## what finished jobs of a study used of what they asked for (STUDY=name; default: the demo)
	@$(VENV)/bin/python workflow/scripts/efficiency.py $(if $(STUDY),--study $(STUDY))

estimate: env ## what a study will take: jobs, GPU-hours, bytes, inodes (STUDY=name or file; SPEED=images per second)
	@$(VENV)/bin/python workflow/scripts/estimate.py $(if $(STUDY),--study $(STUDY)) $(if $(SPEED),--images-per-second $(SPEED))

env: $(READY) ## the environment of requirements.lock, in .venv

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "spectral-priority needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

lint: env ## style of the code and of the workflow
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

soak: env ## a hundred kills of trainings, fifty faults in a study, a study on Slurm; logs: tests/soak, tests/slurm
	$(VENV)/bin/python tests/soak/soak.py --kills 100
	$(VENV)/bin/python tests/soak/pipeline_soak.py --rounds 50
	$(VENV)/bin/python tests/slurm/slurm_soak.py

bench: env ## speed, as ratios measured in one run, to benchmarks/RESULTS.md (ONLY="training startup": some; QUICK=1)
	$(VENV)/bin/python benchmarks $(ONLY) $(if $(QUICK),--quick)

# One thread each: the matrices are tiny, and threads that wait for each other take the cores of other work.
calibrate: env ## how often intervals and tests are right in made studies, to docs/calibration.md (ARGS="--studies 100")
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python calibration $(ARGS)

reference: env ## config/README.md, workflow/schemas/config.schema.json and docs/measures.md, from the code
	$(VENV)/bin/python -m spectral_priority.config.reference
	$(VENV)/bin/python -m spectral_priority.measures.reference

pictures: env ## docs/pictures: what each measure shows of one run (config/studies/every-measure.yaml)
	$(VENV)/bin/snakemake --cores $(CORES) --quiet rules host --config study=every-measure -- pictures
	mkdir -p docs/pictures
	cp results/every-measure/{runs/*/base/seed0/pictures,pictures/*}/*.png docs/pictures
	cp results/data/shapes-textures-32px/pictures/shape/*.png docs/pictures

lock: ## requirements.lock, from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --output-file requirements.lock

help:
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
