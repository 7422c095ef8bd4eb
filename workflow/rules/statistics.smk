# From all runs of a study to the tables that answer its question.
# Requires: every run, every measure, every tier's complexity.
# Makes: results/<study>/{config.yaml, priority.csv, measures.csv, complexity.csv, learning.csv, profiles.h5, tier_alignment.csv, correlations.csv, mixed.csv, adjusted.csv, contrasts.csv, claims.csv}.
# For studies with a planted artefact also {alignment, alignment_summary, alignment_profiles}.csv; for those that ask which class is learned first,
# {class_learning, class_learning_summary, class_curves}.csv; for those that measure shortcuts, {shortcuts, shortcuts_summary}.csv;
# for those with measures whose curves figures show, over_training.csv.
import yaml

RESOLVED_TEXT = yaml.safe_dump(
    STUDY.model_dump(mode="json", exclude={"data_root"}), sort_keys=False, allow_unicode=True, width=120
)


localrules:
    study_file,


rule study_file:
    """Write down the study with every default, as the programs after it read it."""
    output:
        study=RESOLVED,
    log:
        f"{LOGS}/study_file.log",
    benchmark:
        f"{BENCHMARKS}/study_file.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        # A function, here as for every setting: in plain text Snakemake would take {braces} for wildcards.
        text=lambda wc: RESOLVED_TEXT,
    message:
        "write down the study"
    shell:
        "{{ printf %s {params.text:q} > {output.study:q}.partial && mv {output.study:q}.partial {output.study:q}; }} 2> {log:q}"


rule gather:
    """Gather every run's priority, complexity, learning curve and profile into tables."""
    input:
        study=RESOLVED,
        manifests=expand(MANIFEST, tier=TIERS),
        complexity=expand(COMPLEXITY, tier=TIERS),
        runs=run_files,
        spectra=spectra_of(STUDY.measures),
        class_means=expand(CLASS_MEAN_PSD, tier=TIERS) + expand(PINSON, tier=TIERS),
        psd=PSD,
    output:
        priority=f"{RESULTS}/priority.csv",
        measures=f"{RESULTS}/measures.csv",
        complexity=f"{RESULTS}/complexity.csv",
        learning=f"{RESULTS}/learning.csv",
        profiles=f"{RESULTS}/profiles.h5",
        tier_alignment=f"{RESULTS}/tier_alignment.csv",
    log:
        f"{LOGS}/gather.log",
    benchmark:
        f"{BENCHMARKS}/gather.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=CODE["gather"],
    message:
        "gather the results of {STUDY.study}"
    shell:
        'python "$PROGRAMS/gather.py" --study {input.study:q} --results results --priority {output.priority:q}'
        " --measures {output.measures:q} --complexity {output.complexity:q} --learning {output.learning:q} --profiles {output.profiles:q}"
        " --tier-alignment {output.tier_alignment:q}"
        " --log {log:q} --expect-code {params.code}"


rule correlate:
    """Correlate priority with complexity, compare the recipes, and check the study's claims."""
    input:
        study=RESOLVED,
        priority=rules.gather.output.priority,
        measures=rules.gather.output.measures,
        complexity=rules.gather.output.complexity,
        learning=rules.gather.output.learning,
        class_learning=CLASS_LEARNED.values(),
    output:
        correlations=f"{RESULTS}/correlations.csv",
        mixed=f"{RESULTS}/mixed.csv",
        adjusted=f"{RESULTS}/adjusted.csv",
        contrasts=f"{RESULTS}/contrasts.csv",
        claims=f"{RESULTS}/claims.csv",
    log:
        f"{LOGS}/correlate.log",
    benchmark:
        f"{BENCHMARKS}/correlate.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        class_learning=arguments_of(CLASS_LEARNED),
        code=CODE["correlate"],
    message:
        "correlate priority with complexity in {STUDY.study}"
    shell:
        'python "$PROGRAMS/correlate.py" --priority {input.priority:q} --measures {input.measures:q}'
        " --complexity {input.complexity:q}"
        " --learning {input.learning:q} --study {input.study:q} --correlations {output.correlations:q}"
        " --mixed {output.mixed:q} --adjusted {output.adjusted:q} --contrasts {output.contrasts:q} --claims {output.claims:q} {params.class_learning:q}"
        " --log {log:q} --expect-code {params.code}"


rule align:
    """Compare what runs respond to with the artefacts planted in their images, and with overfitting to these."""
    input:
        study=RESOLVED,
        learning=rules.gather.output.learning,
        profiles=rules.gather.output.profiles,
        spectra=ARTEFACT_SPECTRA,
    output:
        alignment=f"{RESULTS}/alignment.csv",
        summary=f"{RESULTS}/alignment_summary.csv",
        compared=f"{RESULTS}/alignment_profiles.csv",
    log:
        f"{LOGS}/align.log",
    benchmark:
        f"{BENCHMARKS}/align.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        code=CODE["align"],
    message:
        "align profiles with artefacts in {STUDY.study}"
    shell:
        'python "$PROGRAMS/align.py" --study {input.study:q} --learning {input.learning:q} --profiles {input.profiles:q}'
        " --spectra {input.spectra:q} --alignment {output.alignment:q} --summary {output.summary:q}"
        " --compared {output.compared:q} --log {log:q} --expect-code {params.code}"


rule learned_first:
    """Tell which class of each run is learned first, and hold that against the spectra of the classes."""
    input:
        study=RESOLVED,
        manifests=expand(MANIFEST, tier=TIERS),
        runs=run_files,
        spectra=ADCS,
    output:
        learning=f"{RESULTS}/class_learning.csv",
        summary=f"{RESULTS}/class_learning_summary.csv",
        curves=f"{RESULTS}/class_curves.csv",
    log:
        f"{LOGS}/learned_first.log",
    benchmark:
        f"{BENCHMARKS}/learned_first.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=CODE["learned_first"],
    message:
        "which class is learned first in {STUDY.study}"
    shell:
        'python "$PROGRAMS/learned_first.py" --study {input.study:q} --results results --spectra {input.spectra:q}'
        " --curves {output.curves:q} --learning {output.learning:q} --summary {output.summary:q}"
        " --log {log:q} --expect-code {params.code}"


rule shortcuts:
    """Tell the frequency shortcuts of all runs by class, and over seeds."""
    input:
        study=RESOLVED,
        manifests=expand(MANIFEST, tier=TIERS),
        runs=run_files,
        spectra=spectra_of(of_measure(STUDY, "shortcuts")),
    output:
        shortcuts=f"{RESULTS}/shortcuts.csv",
        summary=f"{RESULTS}/shortcuts_summary.csv",
    log:
        f"{LOGS}/shortcuts.log",
    benchmark:
        f"{BENCHMARKS}/shortcuts.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        code=CODE["shortcuts"],
    message:
        "shortcuts in {STUDY.study}"
    shell:
        'python "$PROGRAMS/shortcuts.py" --study {input.study:q} --results results --shortcuts {output.shortcuts:q}'
        " --summary {output.summary:q} --log {log:q} --expect-code {params.code}"


rule over_training:
    """Gather what measures say over training, for the figures of it."""
    input:
        study=RESOLVED,
        manifests=expand(MANIFEST, tier=TIERS),
        runs=run_files,
        spectra=spectra_of(STUDY.measures),
    output:
        curves=f"{RESULTS}/over_training.csv",
    log:
        f"{LOGS}/over_training.log",
    benchmark:
        f"{BENCHMARKS}/over_training.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        code=CODE["over_training"],
    message:
        "what measures say over training in {STUDY.study}"
    shell:
        'python "$PROGRAMS/over_training.py" --study {input.study:q} --results results --output {output.curves:q}'
        " --log {log:q} --expect-code {params.code}"
