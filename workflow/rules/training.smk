# One training per tier, recipe and seed.
# Requires: images.h5 and the tier; for some recipes another run, to start from (init) or to learn from (teacher).
# Makes: results/<study>/runs/<tier>/<recipe>/seed<k>/{checkpoints.safetensors, history.csv, class_history.csv, run.json}.
# Resumable state lies in results/state/<study>/…, which no rule declares, so that Snakemake never deletes it.


rule train:
    """Train a model on one task, keeping its weights along the way; goes on where it was stopped."""
    input:
        images=lambda wc: IMAGES.format(pack=pack_of(wc.tier)),
        manifest=MANIFEST,
        indices=INDICES,
        init=lambda wc: source_file(wc, "init", "checkpoints.safetensors"),
        teacher=lambda wc: source_file(wc, "teacher", "checkpoints.safetensors"),
        teacher_run=lambda wc: source_file(wc, "teacher", "run.json"),
    output:
        checkpoints=f"{RUN}/checkpoints.safetensors",
        history=f"{RUN}/history.csv",
        class_history=f"{RUN}/class_history.csv",
        run=f"{RUN}/run.json",
    log:
        f"{LOGS}/runs/{{tier}}/{{recipe}}/seed{{seed}}/train.log",
    benchmark:
        f"{BENCHMARKS}/runs/{{tier}}/{{recipe}}/seed{{seed}}/train.tsv"
    conda:
        "../../environment.yml"
    threads: lambda wc: STUDY.recipes[wc.recipe].threads
    resources:
        gpu=lambda wc: STUDY.recipes[wc.recipe].gpus,
        mem_mb=training_memory,
        # The time limit, the same at each attempt: a training ends before it with its state saved, and goes on from there.
        runtime=lambda wc: STUDY.recipes[wc.recipe].time_limit_minutes,
        slurm_extra=warning,
    params:
        # How many threads, GPUs and minutes a training gets says nothing of what it learns: not for Snakemake to compare.
        options=lambda wc: canonical(
            STUDY.recipes[wc.recipe].model_dump(
                mode="json", exclude={"threads", "gpus", "time_limit_minutes"}
            )
        ),
        sources=source_arguments,
        measures=measured_in_training,
        gpus=lambda wc: STUDY.recipes[wc.recipe].gpus,
        work=f"{WORK}/{{tier}}/{{recipe}}/seed{{seed}}",
        code=CODE["train"],
    message:
        "train {wildcards.tier}/{wildcards.recipe}/seed{wildcards.seed}"
    shell:
        # exec: an older bash would stay between, and die of the signal that asks the training to save its state
        'exec python "$PROGRAMS/train.py" --images {input.images:q} --manifest {input.manifest:q} --indices {input.indices:q}'
        " --recipe {wildcards.recipe:q} --options {params.options:q} --seed {wildcards.seed} {params.sources:q} {params.measures:q}"
        ' --data-root "$DATA_ROOT" --work {params.work:q}'
        " --checkpoints {output.checkpoints:q} --history {output.history:q} --class-history {output.class_history:q}"
        " --run {output.run:q} --threads {threads} --gpus {params.gpus} --time-limit-minutes {resources.runtime}"
        " --lock-wait-minutes {resources.runtime} --log {log:q} --expect-code {params.code}"
