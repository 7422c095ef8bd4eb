# Loads the study and names every file. Nothing here computes; nothing here imports torch, xarray or pandas.
import json
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import ExecMode

PROJECT = Path(workflow.basedir)
sys.path.insert(0, str(PROJECT / "src"))

from spectral_priority.config import Run, canonical, choose_study, load_study
from spectral_priority.config.instances import masks_of, of_measure, probe_of
from spectral_priority.config.sources import source_of
from spectral_priority.config.tiers import SIMILARITIES
from spectral_priority.errors import InputError
from spectral_priority.figures import FIGURES, PER_TIER, figures_of, gallery_instance
from spectral_priority.figures import OF_ARTEFACTS, OF_CLASSES, OF_MEASURES, OF_SHORTCUTS
from spectral_priority.fingerprint import code_fingerprint, workflow_fingerprint
from spectral_priority.measures.registry import measure_module
from spectral_priority.recovery.slurm_outages import outlast_outages
from spectral_priority.recovery.slurm_states import correct_states
from spectral_priority.recovery.stale_locks import (
    clear_after_dead,
    dead_since,
    is_alone,
    is_taken_over,
    made_alone,
    own_note,
)
from spectral_priority.store.atomic import check_writable
from spectral_priority.store.checksum import file_sha256

# --- the study ----------------------------------------------------------------------------------------------

try:
    STUDY_FILE, root = choose_study(
        workflow.config_settings.config,
        workflow.config_settings.configfiles,
        PROJECT / "config",
    )
    STUDY = load_study(STUDY_FILE)
except InputError as error:
    raise WorkflowError(str(error)) from None


for target in sys.argv[1:]:  # Snakemake tells targets only after this file was read
    parts = Path(target).parts
    if len(parts) > 2 and parts[0] == "results" and parts[1] not in (STUDY.study, "data"):
        raise WorkflowError(
            f"{target} belongs to the study {parts[1]!r}, but this is the study {STUDY.study!r} ({STUDY_FILE}). "
            f"Add --config study={parts[1]}, or --configfile with that study's file."
        )

# --- what this study was started with: jobs on a cluster parse this file again, later -----------------------

RULES = {
    path.relative_to(PROJECT).as_posix(): workflow_fingerprint(path)
    for path in (PROJECT / "Snakefile", *sorted((PROJECT / "workflow" / "rules").glob("*.smk")))
}

if workflow.exec_mode == ExecMode.DEFAULT:
    STARTED = {
        "study": file_sha256(STUDY_FILE),
        "rules": RULES,
        "code": {
            **{
                program: code_fingerprint(program)
                for program in (
                    *(
                        "pack",
                        "duplicates",
                        "audit",
                        "reference",
                        "network_reference",
                        "similarity",
                        "spectra",
                        "artefact_spectrum",
                        "tier",
                        "complexity",
                        "train",
                    ),
                    *(
                        "gather",
                        "correlate",
                        "align",
                        "learned_first",
                        "shortcuts",
                        "over_training",
                        "report",
                        "picture",
                    ),
                )
            },
            **{
                f"measure {options.measure}": code_fingerprint("measure", [measure_module(options.measure)])
                for options in STUDY.measures.values()
            },
            **{f"figure {name}": code_fingerprint("figure", [module]) for name, module in FIGURES.items()},
        },
    }
    if not workflow.dryrun:
        try:
            check_writable(Path("results"))
        except InputError as error:
            raise WorkflowError(str(error)) from None
        DEAD_SINCE = dead_since(Path.cwd(), all_dead="--unlock" in sys.argv)
        clear_after_dead(Path.cwd(), all_dead="--unlock" in sys.argv)
        correct_states()
        outlast_outages()
        STARTED["by"] = own_note(Path.cwd())
    os.environ.update(SPECTRAL_PRIORITY_STARTED=json.dumps(STARTED))
else:
    STARTED = json.loads(os.environ.get("SPECTRAL_PRIORITY_STARTED", "null"))
    if STARTED is None:
        raise WorkflowError("The environment variable SPECTRAL_PRIORITY_STARTED did not reach this job.")
    if file_sha256(STUDY_FILE) != STARTED["study"]:
        raise WorkflowError(
            f"{STUDY_FILE} was edited after the study was started. Start the study again: what the edit doesn't "
            "touch is kept."
        )
    edited = sorted(name for name, found in RULES.items() if found != STARTED["rules"].get(name))
    if edited:
        raise WorkflowError(
            f"{', '.join(edited)}: edited after the study was started. Start the study again: what the edit doesn't "
            "touch is kept."
        )
    if STARTED.get("by") and is_taken_over(Path.cwd(), STARTED["by"]):
        raise WorkflowError(
            "The Snakemake that submitted this job has ended, or was found dead by one that was started after it. "
            "Nothing is lost: start the study again, if it isn't running."
        )

CODE = STARTED["code"]

# --- the environment of every program: what differs between machines, which Snakemake must not compare ------

os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    PYTHONPATH=os.pathsep.join([str(PROJECT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]),
    PROGRAMS=str(PROJECT / "workflow" / "scripts"),
    DATA_ROOT=root or STUDY.data_root,
    MPLBACKEND="Agg",
    SPECTRAL_PRIORITY_PLAIN="1",  # several programs share one terminal: lines, no bars
    HDF5_USE_FILE_LOCKING="FALSE",  # NFS; safe, since every file has one writer
)
