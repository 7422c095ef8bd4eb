# What jobs ask of a machine or a cluster: memory and minutes that grow with the task's images and with the attempt.
# Snakemake does not compare resources: changing these makes no finished result run again.


# On a cluster all measures of a run share one submission, in which they take turns on one GPU: profiles/slurm gives each
# of them one `turn`, and there is one. Without that profile no job asks for a turn.
resource_scopes:
    turn="local",


if "turn" not in workflow.global_resources:
    workflow.register_resource("turn", 1)

MOST_GROWTH = 2  # an attempt also ends at a time limit or with its node, so growth has an end


def grown(amount, attempt):
    """An amount for an attempt: half as much again for each, up to MOST_GROWTH times."""
    return int(amount * min(1 + (attempt - 1) / 2, MOST_GROWTH))


def pixel_megabytes(tier):
    """Size of a task's images as float32, in MB."""
    dataset, (images, times) = STUDY.datasets[STUDY.dataset_of(tier)], images_of(tier)
    number = times * (images.train + images.validation + images.probe)
    return number * dataset.size**2 * dataset.channels * 4 / 1e6


def images_of(tier):
    """A task's numbers of images, and how often they are taken: once, or for each class of `count-per-class`."""
    family = family_of(tier)
    if family.kind == "control":
        return images_of(family.of)
    return family.images, int(STUDY.tier(tier).level) if family.kind == "count-per-class" else 1


def training_memory(wildcards, attempt):
    """MB for a training: PyTorch and CUDA on the host, and the task's pixels, which are read through it to the GPU."""
    return grown(6000 + min(pixel_megabytes(wildcards.tier), 50_000), attempt)


def measuring_memory(wildcards, attempt):
    """MB for a measure; of the task's images it reads the probe, and some of the training's for batch statistics."""
    return grown(6000 + min(pixel_megabytes(wildcards.tier) / 2, 25_000), attempt)


def measuring_minutes(wildcards, attempt):
    """Minutes for a measure at every checkpoint; one that is stopped goes on from the checkpoints it has finished."""
    size = STUDY.datasets[STUDY.dataset_of(wildcards.tier)].size
    return grown(60 * min(max(1, (size / 64) ** 2), 4), attempt)


def grows(amount):
    """A resource that grows with the attempt alone."""
    return lambda wildcards, attempt: grown(amount, attempt)
