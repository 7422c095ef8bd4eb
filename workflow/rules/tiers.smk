# From packed images to tasks that can be compared.
# Requires: images.h5, duplicates.csv of images from files, and the class similarity that a family is chosen by.
# Makes: results/<study>/tiers/<tier>.{json,npz}, results/<study>/complexity/<tier>.csv and
# results/<study>/complexity/<tier>/{class-mean-psd,pinson}.h5.


rule tier:
    """Choose the classes and images of one task."""
    input:
        unpack(tier_inputs),
    output:
        manifest=MANIFEST,
        indices=INDICES,
    log:
        f"{LOGS}/tiers/{{tier}}.log",
    benchmark:
        f"{BENCHMARKS}/tiers/{{tier}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        family=lambda wc: STUDY.tier(wc.tier).family,
        level=lambda wc: STUDY.tier(wc.tier).level,
        draw=lambda wc: STUDY.tier(wc.tier).draw,
        options=lambda wc: canonical(
            family_of(wc.tier).model_dump(mode="json", exclude={"seeds", "draws", "recipes"})
        ),
        more=tier_arguments,
        code=CODE["tier"],
    message:
        "tier {wildcards.tier}"
    shell:
        'python "$PROGRAMS/tier.py" --images {input.images:q} {params.more:q} --tier {wildcards.tier:q}'
        " --family {params.family:q} --level {params.level:q} --draw {params.draw} --options {params.options:q}"
        " --manifest {output.manifest:q} --indices {output.indices:q} --log {log:q} --expect-code {params.code}"


rule complexity:
    """How complex one task is, with no trained model involved."""
    input:
        images=lambda wc: IMAGES.format(pack=pack_of(wc.tier)),
        reference=lambda wc: REFERENCE.format(pack=pack_of(wc.tier)),
        hierarchy=lambda wc: SIMILARITY.format(
            pack=pack_of(wc.tier), label=STUDY.labels_of(wc.tier), kind="hierarchy"
        ),
        spectral=lambda wc: SIMILARITY.format(
            pack=pack_of(wc.tier), label=STUDY.labels_of(wc.tier), kind="spectral"
        ),
        manifest=MANIFEST,
        indices=INDICES,
    output:
        table=COMPLEXITY,
        class_mean_psd=CLASS_MEAN_PSD,
        pinson=PINSON,
    log:
        f"{LOGS}/complexity/{{tier}}.log",
    benchmark:
        f"{BENCHMARKS}/complexity/{{tier}}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: decoders(pack_of(wc.tier))
    resources:
        mem_mb=grows(8000),
        runtime=grows(120),
    params:
        options=lambda wc: canonical(STUDY.complexity.model_dump(mode="json")),
        code=CODE["complexity"],
    message:
        "complexity of {wildcards.tier}"
    shell:
        'python "$PROGRAMS/complexity.py" --images {input.images:q} --reference {input.reference:q}'
        " --hierarchy-similarity {input.hierarchy:q} --spectral-similarity {input.spectral:q}"
        " --manifest {input.manifest:q} --indices {input.indices:q} --options {params.options:q}"
        " --threads {threads} --output {output.table:q} --class-mean-psd {output.class_mean_psd:q}"
        " --pinson {output.pinson:q} --log {log:q} --expect-code {params.code}"
