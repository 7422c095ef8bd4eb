# From tables to figures and the report page.
# Requires: the tables of statistics.smk.
# Makes: results/<study>/figures/<figure>.{svg,png,csv}, results/<study>/report.html.


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
    output:
        svg=report(
            f"{RESULTS}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category=lambda wc: figure_parts(wc.figure)[0],
            labels=lambda wc: {
                "figure": figure_parts(wc.figure)[0],
                "tier": figure_parts(wc.figure)[1] or "all",
            },
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
        mem_mb=2000,
        runtime=20,
    params:
        kind=lambda wc: figure_parts(wc.figure)[0],
        others=lambda wc: arguments_of(tables_of(wc.figure)),
        tier=lambda wc: ["--tier", figure_parts(wc.figure)[1]] if figure_parts(wc.figure)[1] else [],
        code=lambda wc: CODE[f"figure {figure_parts(wc.figure)[0]}"],
    message:
        "figure {wildcards.figure}"
    shell:
        'python "$PROGRAMS/figure.py" --figure {params.kind:q} {params.tier:q} --study {input.study:q}'
        " --priority {input.priority:q} --complexity {input.complexity:q} --learning {input.learning:q}"
        " --profiles {input.profiles:q} --correlations {input.correlations:q} --contrasts {input.contrasts:q}"
        " --claims {input.claims:q} {params.others:q}"
        " --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} --log {log:q} --expect-code {params.code}"


rule report_page:
    """Write the study's report: one page that needs no network."""
    input:
        study=RESOLVED,
        priority=rules.gather.output.priority,
        complexity=rules.gather.output.complexity,
        learning=rules.gather.output.learning,
        correlations=rules.correlate.output.correlations,
        contrasts=rules.correlate.output.contrasts,
        claims=rules.correlate.output.claims,
        others=[*ALIGNMENT.values(), *SHORTCUTS.values()],
        figures=FIGURE_FILES,
    output:
        page=report(f"{RESULTS}/report.html", caption="../report/page.rst", category="report"),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        results=lambda wc, output: os.path.dirname(output.page),
        others=arguments_of({**ALIGNMENT, **SHORTCUTS}),
        template=file_sha256(PROJECT / "src" / "spectral_priority" / "report" / "page.html.j2")[:16],
        code=CODE["report"],
    message:
        "report of {STUDY.study}: {output.page}"
    shell:
        'python "$PROGRAMS/report.py" --study {input.study:q} --results {params.results:q} --figures-from'
        " {params.results:q}/figures --priority {input.priority:q} --complexity {input.complexity:q}"
        " --learning {input.learning:q} --correlations {input.correlations:q} --contrasts {input.contrasts:q}"
        " --claims {input.claims:q} {params.others:q}"
        " --output {output.page:q} --log {log:q} --expect-code {params.code}"
