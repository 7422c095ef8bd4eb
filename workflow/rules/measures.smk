# Measures of one training, at every checkpoint.
# Requires: a finished run and its tier's held-out probe images, or those of another data set (`probe`); for an instance that
# tries the masks of another one (`masks`), that one's result.
# Makes: results/<study>/runs/<tier>/<recipe>/seed<k>/spectra/<instance>.h5.


rule measure:
    """Take one measure of one training at every checkpoint."""
    input:
        images=lambda wc: IMAGES.format(pack=pack_of(wc.tier)),
        manifest=MANIFEST,
        indices=INDICES,
        checkpoints=rules.train.output.checkpoints,
        run=rules.train.output.run,
        probe_images=lambda wc: probe_images_of(wc.instance),
        probe_duplicates=probe_duplicates,
        masks=masks_for,
    output:
        spectra=SPECTRA,
    log:
        f"{LOGS}/runs/{{tier}}/{{recipe}}/seed{{seed}}/spectra/{{instance}}.log",
    benchmark:
        f"{BENCHMARKS}/runs/{{tier}}/{{recipe}}/seed{{seed}}/spectra/{{instance}}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: STUDY.measures[wc.instance].threads
    resources:
        gpu=1,
        mem_mb=measuring_memory,
        runtime=measuring_minutes,
    params:
        options=lambda wc: canonical(STUDY.measures[wc.instance].model_dump(mode="json", exclude={"threads"})),
        work=f"{WORK}/{{tier}}/{{recipe}}/seed{{seed}}/spectra/{{instance}}",
        others=other_inputs,
        code=lambda wc: CODE[f"measure {STUDY.measures[wc.instance].measure}"],
    message:
        "measure {wildcards.instance} of {wildcards.tier}/{wildcards.recipe}/seed{wildcards.seed}"
    shell:
        'exec python "$PROGRAMS/measure.py" --images {input.images:q} --manifest {input.manifest:q} --indices {input.indices:q}'
        " --checkpoints {input.checkpoints:q} --run {input.run:q} {params.others:q} --instance {wildcards.instance:q}"
        " --options {params.options:q} --work {params.work:q} --output {output.spectra:q} --threads {threads}"
        " --log {log:q} --expect-code {params.code}"
