# Names every file of a study once; the rules refer to these. A study's tiers, runs and figures follow from its
# configuration alone, so no rule is a checkpoint.

PACKS = {f"{name}-{options.size}px": name for name, options in STUDY.datasets.items()}
TIERS = [tier.name for tier in STUDY.list_tiers()]
RUNS = STUDY.list_runs()

RESULTS = f"results/{STUDY.study}"
WORK = f"results/state/{STUDY.study}"
LOGS, BENCHMARKS = f"results/logs/{STUDY.study}", f"results/benchmarks/{STUDY.study}"
DATA_LOGS, DATA_BENCHMARKS = "results/logs/data/{pack}", "results/benchmarks/data/{pack}"

IMAGES, PACK_REPORT = "results/data/{pack}/images.h5", "results/data/{pack}/pack.json"
REFERENCE = "results/data/{pack}/reference.h5"
DUPLICATES, TWINS = "results/data/{pack}/duplicates.csv", "results/data/{pack}/twins.csv"
AUDIT = "results/data/{pack}/audit.{format}"
SIMILARITY = "results/data/{pack}/similarity/{label}/{kind}.csv"
DATA_SPECTRUM = "results/data/{pack}/spectra/{label}/{spectrum}.h5"
RESOLVED = f"{RESULTS}/config.yaml"
MANIFEST, INDICES = f"{RESULTS}/tiers/{{tier}}.json", f"{RESULTS}/tiers/{{tier}}.npz"
COMPLEXITY = f"{RESULTS}/complexity/{{tier}}.csv"
CLASS_MEAN_PSD, PINSON = (f"{RESULTS}/complexity/{{tier}}/{name}.h5" for name in ("class-mean-psd", "pinson"))
RUN = f"{RESULTS}/runs/{{tier}}/{{recipe}}/seed{{seed}}"
SPECTRA = f"{RUN}/spectra/{{instance}}.h5"
PICTURE = f"{RUN}/pictures/{{instance}}.{{format}}"
TASK_PICTURE = f"{RESULTS}/pictures/{{tier}}/{{spectrum}}.{{format}}"
DATA_PICTURE = "results/data/{pack}/pictures/{label}/{spectrum}.{format}"
FIGURE = f"{RESULTS}/figures/{{figure}}.{{format}}"

FIGURE_NAMES = figures_of(STUDY)
TIER_FIGURE = FIGURE.replace("{figure}", "{figure}-{tier}")
FIGURE_FILES = [
    *expand(FIGURE, figure=FIGURE_NAMES, format=["svg", "png", "csv"]),
    *expand(TIER_FIGURE, figure=PER_TIER, tier=TIERS, format=["svg", "png", "csv"]),
]


def run_files(wildcards):
    """The files of every training. Lists of this length are functions: only a plan calls them, no single job does."""
    return [
        f"{RUN.format(tier=run.tier, recipe=run.recipe, seed=run.seed)}/{name}"
        for run in RUNS
        for name in ("checkpoints.safetensors", "history.csv", "class_history.csv", "run.json")
    ]


def spectra_of(instances):
    """The files of some measures of every training."""
    return lambda wildcards: [
        SPECTRA.format(tier=run.tier, recipe=run.recipe, seed=run.seed, instance=instance)
        for run in RUNS
        for instance in instances
    ]


def pack_of(tier):
    """Name of the packed data set that a tier is made from."""
    name = STUDY.dataset_of(tier)
    return f"{name}-{STUDY.datasets[name].size}px"


def decoders(pack):
    """Threads of a job that goes through a data set's images: encoded ones are decoded, pixels are only mapped."""
    return 4 if STUDY.datasets[PACKS[pack]].pack == "encoded" else 1


def family_of(tier):
    """The settings of a tier's family."""
    return STUDY.tiers[STUDY.tier(tier).family]


def tier_inputs(wildcards):
    """What a tier is chosen from: images; a class similarity, duplicates or another tier where its family needs them."""
    needed = {"images": IMAGES.format(pack=pack_of(wildcards.tier))}
    similarity = STUDY.similarity_of(STUDY.tier(wildcards.tier).family)
    if similarity:
        label, kind = similarity
        needed["similarity"] = SIMILARITY.format(pack=pack_of(wildcards.tier), label=label, kind=kind)
    if family_of(wildcards.tier).kind != "control" and STUDY.looks_for_duplicates(wildcards.tier):
        needed["duplicates"] = DUPLICATES.format(pack=pack_of(wildcards.tier))
    if family_of(wildcards.tier).kind == "control":
        needed["of_manifest"] = MANIFEST.format(tier=family_of(wildcards.tier).of)
        needed["of_indices"] = INDICES.format(tier=family_of(wildcards.tier).of)
    return needed


def tier_arguments(wildcards, input):
    """The arguments for those inputs that not every tier has."""
    given = {name: input.get(name) for name in ("similarity", "duplicates", "of_manifest", "of_indices")}
    return [word for name, path in given.items() if path for word in (f"--{name.replace('_', '-')}", path)]


def source_file(wildcards, use, name):
    """A file of the run that a run starts from (`init`) or learns from (`teacher`); none where it does neither."""
    source = source_of(STUDY, Run(wildcards.tier, wildcards.recipe, int(wildcards.seed)), use)
    if source is None:
        return []
    study, run = source
    path = f"results/{study}/runs/{run.tier}/{run.recipe}/seed{run.seed}/{name}"
    if study != STUDY.study and not Path(path).exists():
        raise WorkflowError(
            f"recipes.{wildcards.recipe}.{use} names a run of the study {study!r}, but there is no {path}. "
            f"Make it first: snakemake --cores all --config study={study} {path} (--configfile for a file of your own)"
        )
    return path


def source_arguments(wildcards, input):
    """The arguments for the runs that a run starts from or learns from."""
    given = {"--init": input.init, "--teacher": input.teacher}
    return [word for name, path in given.items() if path for word in (name, path)]


def measured_in_training(wildcards):
    """The argument for the instances that a run measures while it trains."""
    if not STUDY.recipes[wildcards.recipe].measure_during_training:
        return []
    instances = {
        name: {
            "options": options.model_dump(mode="json", exclude={"threads", "batch_size"}),
            "code": CODE[f"measure {options.measure}"],
        }
        for name, options in STUDY.measures.items()
    }
    return ["--measures", canonical(instances)]


def probe_images_of(instance):
    """The images of another data set that an instance is measured on; none where it takes the tier's."""
    probe = probe_of(STUDY.measures[instance])
    return IMAGES.format(pack=f"{probe.dataset}-{STUDY.datasets[probe.dataset].size}px") if probe else []


def probe_duplicates(wildcards):
    """The duplicates of images that an instance is measured on, where its tier is made of the same data set."""
    probe, tier = probe_of(STUDY.measures[wildcards.instance]), wildcards.tier
    own = probe and probe.dataset == STUDY.dataset_of(tier)
    return DUPLICATES.format(pack=pack_of(tier)) if own and STUDY.looks_for_duplicates(tier) else []


def masks_for(wildcards):
    """What the instance found whose masks this one tries, in the same run; none where it looks for its own."""
    other = masks_of(STUDY.measures[wildcards.instance])
    run = {"tier": wildcards.tier, "recipe": wildcards.recipe, "seed": wildcards.seed}
    return SPECTRA.format(**run, instance=other) if other else []


def other_inputs(wildcards, input):
    """The arguments for those inputs that not every measure has."""
    given = {
        "--probe-images": input.probe_images,
        "--probe-duplicates": input.probe_duplicates,
        "--masks": input.masks,
    }
    return [word for name, path in given.items() if path for word in (name, path)]


def tables_where(asked, *names):
    """Tables that only some studies have, by the arguments that take them; none where the study has not."""
    return {f"--{name.replace('_', '-')}": f"{RESULTS}/{name}.csv" for name in names if asked}


ALIGNMENT = tables_where(STUDY.artefacts(), "alignment", "alignment_summary", "alignment_profiles")
CLASS_LEARNING = tables_where(STUDY.learned_first, "class_learning", "class_learning_summary", "class_curves")
CLASS_LEARNED = {name: path for name, path in CLASS_LEARNING.items() if name == "--class-learning"}
SHORTCUTS = tables_where(of_measure(STUDY, "shortcuts"), "shortcuts", "shortcuts_summary")
OVER_TRAINING = tables_where(set(OF_MEASURES) & set(figures_of(STUDY)), "over_training")
OTHER_TABLES = {**ALIGNMENT, **CLASS_LEARNING, **SHORTCUTS}


def tables_of(name):
    """Those of them that a figure shows, by argument; no other figure waits for them."""
    shown = (
        (OF_ARTEFACTS, ALIGNMENT),
        (OF_CLASSES, CLASS_LEARNING),
        (OF_SHORTCUTS, SHORTCUTS),
        (OF_MEASURES, OVER_TRAINING),
    )
    return {
        argument: path for figures, tables in shown if name in figures for argument, path in tables.items()
    }


def arguments_of(files):
    """Files by argument, as words of a command."""
    return [word for pair in files.items() for word in pair]


def gallery_files():
    """What the shortcut gallery shows: the masks of the study's first run, and that run's images."""
    run, instance = RUNS[0], gallery_instance(STUDY)
    if instance is None:
        return []
    spectra = SPECTRA.format(tier=run.tier, recipe=run.recipe, seed=run.seed, instance=instance)
    images = IMAGES.format(pack=pack_of(run.tier))
    return [spectra, images, *(name.format(tier=run.tier) for name in (MANIFEST, INDICES))]


def files_of(name):
    """Result files that a figure shows beside the tables; the program finds them under results/."""
    return list(dict.fromkeys(FILES_OF.get(name, [])))


ARTEFACT_SPECTRA = [
    DATA_SPECTRUM.format(
        pack=f"{name}-{STUDY.datasets[name].size}px",
        label=STUDY.datasets[name].artefact.label,
        spectrum="artefact",
    )
    for name in STUDY.artefacts()
]
LABELS = sorted({(pack_of(tier), STUDY.labels_of(tier)) for tier in TIERS})
DATA_SPECTRA = [
    DATA_SPECTRUM.format(pack=pack, label=label, spectrum=spectrum)
    for pack, label in LABELS
    for spectrum in ("psd", "adcs")
] + ARTEFACT_SPECTRA
PSD = [DATA_SPECTRUM.format(pack=pack, label=label, spectrum="psd") for pack, label in LABELS]
ADCS = [DATA_SPECTRUM.format(pack=pack, label=label, spectrum="adcs") for pack, label in LABELS]
FILES_OF = {
    "data-psd": [DATA_SPECTRUM.format(pack=pack, label=label, spectrum="psd") for pack, label in LABELS],
    "similarity": [
        *(
            SIMILARITY.format(pack=pack_of(tier.name), label=label, kind=kind)
            for tier in STUDY.list_tiers()
            for label, kind in [STUDY.similarity_of(tier.family) or (None, None)]
            if label
        ),
        *expand(MANIFEST, tier=TIERS),
    ],
    "shortcut-gallery": gallery_files(),
}


def picture_files(wildcards):
    """A picture of every result file."""
    return [
        *(
            PICTURE.format(tier=run.tier, recipe=run.recipe, seed=run.seed, instance=instance, format="png")
            for run in RUNS
            for instance in STUDY.measures
        ),
        *(
            DATA_PICTURE.format(pack=pack, label=label, spectrum=spectrum, format="png")
            for pack, label in LABELS
            for spectrum in ("psd", "adcs")
        ),
        *expand(TASK_PICTURE, tier=TIERS, spectrum=["class-mean-psd", "pinson"], format="png"),
    ]


wildcard_constraints:
    pack="|".join(map(re.escape, PACKS)),
    label="[A-Za-z0-9][A-Za-z0-9_.-]*",
    kind="|".join(SIMILARITIES),
    tier="|".join(map(re.escape, TIERS)),
    recipe="|".join(map(re.escape, STUDY.recipes)),
    instance="|".join(map(re.escape, STUDY.measures)),
    seed="[0-9]+",
    figure="|".join(map(re.escape, FIGURE_NAMES)),
    spectrum="psd|adcs|artefact|class-mean-psd|pinson",
