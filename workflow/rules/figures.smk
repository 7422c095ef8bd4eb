# From tables to figures and the report page.
# Requires: the tables of statistics.smk.
# Makes: results/<study>/figures/<figure>.{svg,png,csv}, results/<study>/report.html; when asked for, a picture of any
# result file: the same path with pictures/ for spectra/ or complexity/, and .svg, .png or .csv for .h5.

REPORT_TEMPLATES = [
    PROJECT / "src" / "spectral_priority" / name
    for name in ("report/page.html.j2", "explorer/fragment.html.j2", "explorer/explorer.js")
]


rule figure:
    """Draw one figure, with the numbers behind it."""
    input:
        study=RESOLVED,
        priority=rules.gather.output.priority,
        complexity=rules.gather.output.complexity,
        learning=rules.gather.output.learning,
        profiles=rules.gather.output.profiles,
        correlations=rules.correlate.output.correlations,
        contrasts=rules.correlate.output.contrasts,
        claims=rules.correlate.output.claims,
        others=lambda wc: tables_of(wc.figure).values(),
        files=lambda wc: files_of(wc.figure),
    output:
        svg=report(
            f"{RESULTS}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category=lambda wc: wc.figure,
            labels=lambda wc: {"figure": wc.figure, "tier": "all"},
        ),
        png=f"{RESULTS}/figures/{{figure}}.png",
        csv=f"{RESULTS}/figures/{{figure}}.csv",
    log:
        f"{LOGS}/figures/{{figure}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{{figure}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(20),
    params:
        others=lambda wc: arguments_of(tables_of(wc.figure)),
        results=lambda wc: ["--results", "results"] if files_of(wc.figure) else [],
        code=lambda wc: CODE[f"figure {wc.figure}"],
    message:
        "figure {wildcards.figure}"
    shell:
        'python "$PROGRAMS/figure.py" --figure {wildcards.figure:q} --study {input.study:q}'
        " --priority {input.priority:q} --complexity {input.complexity:q} --learning {input.learning:q}"
        " --profiles {input.profiles:q} --correlations {input.correlations:q} --contrasts {input.contrasts:q}"
        " --claims {input.claims:q} {params.others:q} {params.results:q}"
        " --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} --log {log:q} --expect-code {params.code}"


rule tier_figures:
    """Draw the figure of each single tier, all by one program: starting it takes longer than drawing."""
    input:
        study=RESOLVED,
        priority=rules.gather.output.priority,
        complexity=rules.gather.output.complexity,
        learning=rules.gather.output.learning,
        profiles=rules.gather.output.profiles,
        correlations=rules.correlate.output.correlations,
        contrasts=rules.correlate.output.contrasts,
        claims=rules.correlate.output.claims,
    output:
        svg=[
            report(
                path,
                caption="../report/tier_figure.rst",
                category=PER_TIER[0],
                labels={"figure": PER_TIER[0], "tier": tier},
            )
            for tier in TIERS
            for path in expand(TIER_FIGURE, figure=PER_TIER[0], tier=tier, format="svg")
        ],
        png=expand(TIER_FIGURE, figure=PER_TIER[0], tier=TIERS, format="png"),
        csv=expand(TIER_FIGURE, figure=PER_TIER[0], tier=TIERS, format="csv"),
    log:
        f"{LOGS}/figures/{PER_TIER[0]}.log",
    benchmark:
        f"{BENCHMARKS}/figures/{PER_TIER[0]}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        figure=PER_TIER[0],
        folder=lambda wc, output: os.path.dirname(output.csv[0]),
        code=CODE[f"figure {PER_TIER[0]}"],
    message:
        "figure {params.figure} of every tier"
    shell:
        'python "$PROGRAMS/figure.py" --figure {params.figure:q} --study {input.study:q}'
        " --priority {input.priority:q} --complexity {input.complexity:q} --learning {input.learning:q}"
        " --profiles {input.profiles:q} --correlations {input.correlations:q} --contrasts {input.contrasts:q}"
        " --claims {input.claims:q} --folder {params.folder:q} --log {log:q} --expect-code {params.code}"


rule report_page:
    """Write the study's report: one page that needs no network."""
    input:
        study=RESOLVED,
        priority=rules.gather.output.priority,
        complexity=rules.gather.output.complexity,
        learning=rules.gather.output.learning,
        profiles=rules.gather.output.profiles,
        correlations=rules.correlate.output.correlations,
        tier_alignment=rules.gather.output.tier_alignment,
        mixed=rules.correlate.output.mixed,
        adjusted=rules.correlate.output.adjusted,
        contrasts=rules.correlate.output.contrasts,
        claims=rules.correlate.output.claims,
        others=OTHER_TABLES.values(),
        audits=expand(AUDIT, pack=PACKS, format="json"),
        images=expand(IMAGES, pack=PACKS),
        manifests=expand(MANIFEST, tier=TIERS),
        indices=expand(INDICES, tier=TIERS),
        figures=FIGURE_FILES,
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/page.rst",
            category="report",
            labels={"page": "the study's report"},
        ),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(20),
    params:
        results=lambda wc, output: os.path.dirname(output.page),
        others=arguments_of(OTHER_TABLES),
        templates=[file_sha256(path)[:16] for path in REPORT_TEMPLATES],
        code=CODE["report"],
    message:
        "report of {STUDY.study}: {output.page}"
    shell:
        'python "$PROGRAMS/report.py" --study {input.study:q} --results {params.results:q} --figures-from'
        " {params.results:q}/figures --priority {input.priority:q} --complexity {input.complexity:q}"
        " --learning {input.learning:q} --correlations {input.correlations:q} --contrasts {input.contrasts:q}"
        " --tier-alignment {input.tier_alignment:q} --mixed {input.mixed:q} --adjusted {input.adjusted:q}"
        " --claims {input.claims:q} {params.others:q} --audits {input.audits:q}"
        " --profiles {input.profiles:q} --images {input.images:q}"
        " --output {output.page:q} --log {log:q} --expect-code {params.code}"


rule picture:
    """Draw what one measure found in one run; made when it is asked for."""
    input:
        result=SPECTRA,
    output:
        svg=PICTURE.replace("{format}", "svg"),
        png=PICTURE.replace("{format}", "png"),
        csv=PICTURE.replace("{format}", "csv"),
    log:
        f"{LOGS}/runs/{{tier}}/{{recipe}}/seed{{seed}}/pictures/{{instance}}.log",
    benchmark:
        f"{BENCHMARKS}/runs/{{tier}}/{{recipe}}/seed{{seed}}/pictures/{{instance}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(20),
    params:
        kind=lambda wc: f"measure:{STUDY.measures[wc.instance].measure}",
        of="{tier}/{recipe}/seed{seed}",
        code=CODE["picture"],
    message:
        "picture of {wildcards.instance}, {wildcards.tier}/{wildcards.recipe}/seed{wildcards.seed}"
    shell:
        'python "$PROGRAMS/picture.py" --result {input.result:q} --kind {params.kind:q} --of {params.of:q}'
        " --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} --log {log:q} --expect-code {params.code}"


rule data_picture:
    """Draw a spectrum of a data set's images; made when it is asked for."""
    input:
        result=DATA_SPECTRUM,
    output:
        svg=DATA_PICTURE.replace("{format}", "svg"),
        png=DATA_PICTURE.replace("{format}", "png"),
        csv=DATA_PICTURE.replace("{format}", "csv"),
    log:
        f"{DATA_LOGS}/pictures/{{label}}/{{spectrum}}.log",
    benchmark:
        f"{DATA_BENCHMARKS}/pictures/{{label}}/{{spectrum}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(20),
    params:
        of="{pack}, label {label}",
        code=CODE["picture"],
    message:
        "picture of {wildcards.spectrum}, {wildcards.pack}"
    shell:
        'python "$PROGRAMS/picture.py" --result {input.result:q} --kind data:{wildcards.spectrum} --of {params.of:q}'
        " --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} --log {log:q} --expect-code {params.code}"


rule task_picture:
    """Draw a spectrum of a task's class means; made when it is asked for."""
    input:
        result=f"{RESULTS}/complexity/{{tier}}/{{spectrum}}.h5",
    output:
        svg=TASK_PICTURE.replace("{format}", "svg"),
        png=TASK_PICTURE.replace("{format}", "png"),
        csv=TASK_PICTURE.replace("{format}", "csv"),
    log:
        f"{LOGS}/pictures/{{tier}}/{{spectrum}}.log",
    benchmark:
        f"{BENCHMARKS}/pictures/{{tier}}/{{spectrum}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(20),
    params:
        of="{tier}",
        code=CODE["picture"],
    message:
        "picture of {wildcards.spectrum}, {wildcards.tier}"
    shell:
        'python "$PROGRAMS/picture.py" --result {input.result:q} --kind data:{wildcards.spectrum} --of {params.of:q}'
        " --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} --log {log:q} --expect-code {params.code}"
