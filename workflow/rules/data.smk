# From a source (archive, folder, generator) to packed images, and what is known of them before any task is made.
# Requires: the archives or folders that the study names, below data_root; or a network, for sets to be downloaded.
# Makes: results/data/<dataset>-<size>px/{images.h5, pack.json, duplicates.csv, audit.{html,csv,json}, reference.h5,
# similarity/, spectra/}.


rule pack:
    """Pack a data set's images into one file that all processes map."""
    output:
        images=IMAGES,
        checksum=f"{IMAGES}.sha256",
        report=PACK_REPORT,
    log:
        f"{DATA_LOGS}/pack.log",
    benchmark:
        f"{DATA_BENCHMARKS}/pack.tsv"
    conda:
        "../../environment.yml"
    threads: 4
    resources:
        mem_mb=grows(4000),
        runtime=grows(720),
    params:
        dataset=lambda wc: PACKS[wc.pack],
        options=lambda wc: canonical(STUDY.datasets[PACKS[wc.pack]]),
        code=CODE["pack"],
    message:
        "pack {wildcards.pack}"
    shell:
        'python "$PROGRAMS/pack.py" --dataset {params.dataset:q} --options {params.options:q} --data-root "$DATA_ROOT"'
        " --threads {threads} --images {output.images:q} --checksum {output.checksum:q} --report {output.report:q}"
        " --log {log:q} --expect-code {params.code}"


rule duplicates:
    """Find the images that show the same, which no tier may take into two of its parts."""
    input:
        images=IMAGES,
    output:
        pairs=DUPLICATES,
        twins=TWINS,
    log:
        f"{DATA_LOGS}/duplicates.log",
    benchmark:
        f"{DATA_BENCHMARKS}/duplicates.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: decoders(wc.pack)
    resources:
        mem_mb=grows(8000),
        runtime=grows(120),
    params:
        code=CODE["duplicates"],
    message:
        "duplicates in {wildcards.pack}"
    shell:
        'python "$PROGRAMS/duplicates.py" --images {input.images:q} --threads {threads} --pairs {output.pairs:q}'
        " --twins {output.twins:q} --log {log:q} --expect-code {params.code}"


rule audit:
    """Ask of a data set what a careful reviewer asks before believing a frequency result."""
    input:
        images=IMAGES,
        pairs=DUPLICATES,
        twins=TWINS,
    output:
        page=report(
            AUDIT.replace("{format}", "html"),
            caption="../report/audit.rst",
            category="Data",
            labels={"data set": "{pack}", "what": "audit"},
        ),
        table=AUDIT.replace("{format}", "csv"),
        answers=AUDIT.replace("{format}", "json"),
    log:
        f"{DATA_LOGS}/audit.log",
    benchmark:
        f"{DATA_BENCHMARKS}/audit.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: decoders(wc.pack)
    resources:
        mem_mb=grows(8000),
        runtime=grows(120),
    params:
        options=lambda wc: canonical(STUDY.audit),
        template=file_sha256(PROJECT / "src" / "spectral_priority" / "audit" / "page.html.j2")[:16],
        code=CODE["audit"],
    message:
        "audit of {wildcards.pack}"
    shell:
        'python "$PROGRAMS/audit.py" --images {input.images:q} --pairs {input.pairs:q} --twins {input.twins:q}'
        " --options {params.options:q} --threads {threads} --page {output.page:q} --csv {output.table:q}"
        " --json {output.answers:q} --log {log:q} --expect-code {params.code}"


OF_NETWORK = STUDY.complexity.reference.weights is not None
REFERENCE_PROGRAM = "network_reference" if OF_NETWORK else "reference"


rule reference:
    """Fit the one fixed space in which feature-space complexity is computed for every tier."""
    input:
        images=IMAGES,
    output:
        reference=REFERENCE,
    log:
        f"{DATA_LOGS}/reference.log",
    benchmark:
        f"{DATA_BENCHMARKS}/reference.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: 4 if OF_NETWORK else decoders(wc.pack)
    resources:
        gpu=1 if OF_NETWORK else 0,
        mem_mb=grows(8000),
        runtime=grows(720),  # every image is read: hours for a million encoded ones
    params:
        program=REFERENCE_PROGRAM,
        options=lambda wc: canonical(STUDY.complexity.reference),
        root='--data-root "$DATA_ROOT"' if OF_NETWORK else "",
        code=CODE[REFERENCE_PROGRAM],
    message:
        "reference space of {wildcards.pack}"
    shell:
        'python "$PROGRAMS/{params.program}.py" --images {input.images:q} --options {params.options:q} {params.root}'
        " --threads {threads} --output {output.reference:q} --log {log:q} --expect-code {params.code}"


rule similarity:
    """How alike the classes of a label are: in the hierarchy, in the reference space, or in their spectra."""
    input:
        images=IMAGES,
        reference=REFERENCE,
    output:
        table=SIMILARITY,
    log:
        f"{DATA_LOGS}/similarity/{{label}}/{{kind}}.log",
    benchmark:
        f"{DATA_BENCHMARKS}/similarity/{{label}}/{{kind}}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: decoders(wc.pack)
    resources:
        mem_mb=grows(4000),
        runtime=grows(120),
    params:
        code=CODE["similarity"],
    message:
        "{wildcards.kind} similarity of {wildcards.pack}, label {wildcards.label}"
    shell:
        'python "$PROGRAMS/similarity.py" --images {input.images:q} --label {wildcards.label:q} --kind {wildcards.kind}'
        " --reference {input.reference:q} --threads {threads} --output {output.table:q} --log {log:q}"
        " --expect-code {params.code}"


rule spectra:
    """Power spectra of the images by class, and which frequencies set a class apart (ADCS)."""
    input:
        images=IMAGES,
    output:
        psd="results/data/{pack}/spectra/{label}/psd.h5",
        adcs="results/data/{pack}/spectra/{label}/adcs.h5",
    log:
        f"{DATA_LOGS}/spectra/{{label}}.log",
    benchmark:
        f"{DATA_BENCHMARKS}/spectra/{{label}}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: decoders(wc.pack)
    resources:
        mem_mb=grows(4000),
        runtime=grows(240),
    params:
        code=CODE["spectra"],
    message:
        "spectra of {wildcards.pack}, label {wildcards.label}"
    shell:
        'python "$PROGRAMS/spectra.py" --images {input.images:q} --label {wildcards.label:q} --psd {output.psd:q}'
        " --adcs {output.adcs:q} --threads {threads} --log {log:q} --expect-code {params.code}"


rule artefact_spectrum:
    """Where in frequency a planted artefact changes the images."""
    input:
        images=IMAGES,
    output:
        spectrum=DATA_SPECTRUM.replace("{spectrum}", "artefact"),
    log:
        f"{DATA_LOGS}/spectra/{{label}}/artefact.log",
    benchmark:
        f"{DATA_BENCHMARKS}/spectra/{{label}}/artefact.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        code=CODE["artefact_spectrum"],
    message:
        "artefact spectrum of {wildcards.pack}"
    shell:
        'python "$PROGRAMS/artefact_spectrum.py" --images {input.images:q} --output {output.spectrum:q} --log {log:q}'
        " --expect-code {params.code}"
