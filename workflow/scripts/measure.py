"""Take one measure at every checkpoint of a training.

A measure with the same options, run, images and code that was finished before is published again, without a model. A
killed one goes on where it was. Both lie in the work folder.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from pathlib import Path

from spectral_priority.config.instances import masks_of, probe_of
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code, options_fingerprint
from spectral_priority.gpus.lease import lease_gpus
from spectral_priority.measures.identity import PARTS, fingerprint_of, identity_of
from spectral_priority.measures.registry import load_over_training, measure_module, measure_options
from spectral_priority.program import parser, run
from spectral_priority.store.atomic import read_json
from spectral_priority.store.checksum import file_sha256
from spectral_priority.store.finished import Finished

RESULT = "measure.h5"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="packed images (images.h5)")
    made.add_argument("--manifest", type=Path, required=True, help="the tier (<tier>.json)")
    made.add_argument("--indices", type=Path, required=True, help="the tier's images (<tier>.npz)")
    made.add_argument("--checkpoints", type=Path, required=True, help="the run's checkpoints.safetensors")
    made.add_argument("--run", type=Path, required=True, help="the run's run.json")
    made.add_argument("--instance", required=True, help="name of the instance, for messages and provenance")
    made.add_argument("--options", required=True, help="the measure and its options, as JSON")
    made.add_argument("--probe-images", type=Path, help="packed images that `probe` names (images.h5)")
    made.add_argument(
        "--probe-duplicates", type=Path, help="their duplicates.csv, where the tier is made of them"
    )
    made.add_argument("--masks", type=Path, help="this run's result of the instance that `masks` names (.h5)")
    made.add_argument("--work", type=Path, required=True, help="folder for what makes the measure resumable")
    made.add_argument("--output", type=Path, required=True, help="the result (.h5) to write")
    made.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    made.add_argument("--threads", type=int, help="CPU threads (default: the option's)")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Publish the finished result again, or measure what is not measured yet and publish that."""
    settings = json.loads(arguments.options)
    name = settings.get("measure", arguments.instance)
    code = expect_code("measure", arguments.expect_code, roots=[measure_module(name)])
    options = measure_options(name, {"measure": name, **settings})
    packed = PackedImages(arguments.images, arguments.threads or options.threads)
    manifest = read_manifest(arguments.manifest, arguments.indices)
    training = read_json(arguments.run)
    check_belongs(training, "manifest_sha256", manifest.sha256, arguments)
    check_belongs(training, "data_sha256", packed.content_sha256, arguments)
    other = other_images(arguments, options, packed)
    earlier, masks = earlier_result(arguments, options, training)
    identity = identity_of(
        options,
        training["fingerprint"],
        manifest.sha256,
        packed.content_sha256,
        code,
        probe=other and other.content_sha256,
        duplicates=arguments.probe_duplicates and file_sha256(arguments.probe_duplicates),
        masks=masks,
    )
    fingerprint = options_fingerprint(identity)
    finished = Finished(arguments.work, fingerprint)
    if finished.is_whole():
        logging.info("%s: published again, nothing had changed", arguments.instance)
    else:
        from spectral_priority.store.netcdf import write_dataset  # imports xarray, which takes a second

        swept, made_by = measure_run(arguments, options, packed, manifest, training, identity, other, earlier)
        kind = f"measure:{name}"
        finished.keep(lambda folder: write_dataset(folder / RESULT, swept, kind, made_by))
        # A job that a killed Snakemake left may have removed them.
        shutil.rmtree(arguments.work / PARTS, ignore_errors=True)
    finished.publish(RESULT, arguments.output)


def other_images(arguments, options, packed: PackedImages) -> PackedImages | None:
    """Open the images that `probe` names; they are as large as the tier's, and as many-coloured."""
    path, wanted = arguments.probe_images, probe_of(options)
    if (path is None) != (wanted is None):
        raise InputError("--probe-images", f"found {path}", "a path, if and only if the option probe is set")
    if path is None:
        return None
    other = PackedImages(path, arguments.threads or options.threads)
    if other.name != wanted.dataset:
        raise InputError(path, f"is of the data set {other.name!r}", repr(wanted.dataset))
    if other.shape[1:] != packed.shape[1:]:
        shapes = [" × ".join(map(str, images.shape[1:])) for images in (other, packed)]
        raise InputError(path, f"has images of {shapes[0]}", f"{shapes[1]}, as {arguments.images} has")
    return other


def earlier_result(arguments, options, training):
    """Read the result whose masks are tried; return it with its fingerprint, both None where there is none."""
    path, wanted = arguments.masks, masks_of(options)
    if (path is None) != (wanted is None):
        raise InputError("--masks", f"found {path}", "a path, if and only if the option masks is set")
    if path is None:
        return None, None
    from spectral_priority.store.netcdf import read_dataset, read_provenance

    earlier = read_dataset(path, f"measure:{options.measure}")
    said = read_provenance(earlier)
    if said["run_fingerprint"] != training["fingerprint"]:
        raise InputError(
            path,
            f"was measured on run {said['run_fingerprint']}, but {arguments.run} is run {training['fingerprint']}",
            "files of one training",
            "delete it; the measure rule makes it again",
        )
    return earlier, fingerprint_of(said)


def measure_run(arguments, options, packed, manifest, training, identity, other, earlier):
    """Measure every checkpoint; return the result and where it comes from."""
    if arguments.device != "cpu":
        lease_gpus()
    import torch  # here, for publishing again needs none of it, and CUDA sees the leased GPU alone

    from spectral_priority.config.recipe import Recipe
    from spectral_priority.measures.parts import Parts
    from spectral_priority.measures.probe import read_probe
    from spectral_priority.measures.sweep import sweep
    from spectral_priority.models import build_model
    from spectral_priority.store.provenance import provenance
    from spectral_priority.training.checkpoints import open_checkpoints

    torch.set_num_threads(arguments.threads or options.threads)
    cuda = torch.cuda.is_available()
    if arguments.device == "cuda" and not cuda:
        raise InputError("--device", "found cuda, but there is no CUDA device", "auto or cpu")
    device = "cuda" if cuda and arguments.device != "cpu" else "cpu"
    checkpoints = open_checkpoints(arguments.checkpoints)
    check_belongs(training, "fingerprint", checkpoints.fingerprint, arguments)
    recipe = Recipe.model_validate(training["options"])
    model = build_model(recipe, manifest.number_of_classes, packed.channels, packed.size).to(device)
    training_images = getattr(options, "batch_norm_images", 0)
    duplicates = None
    if arguments.probe_duplicates:
        from spectral_priority.data.together import load_pairs

        duplicates = load_pairs(arguments.probe_duplicates, len(other))
    probe = read_probe(packed, manifest, recipe, training_images, probe_of(options), other, duplicates)
    swept = sweep(
        Parts(arguments.work, identity, options, probe, earlier),
        model,
        checkpoints,
        training["checkpoint_steps"],
        steps_per_epoch=training["steps_per_epoch"],
        label=f"measure {training['tier']}/{training['recipe']}/seed{training['seed']} {arguments.instance}",
    )
    over_training = load_over_training(options.measure)
    if over_training:
        swept = over_training(swept)
    made_by = provenance(
        **identity,
        instance=arguments.instance,
        tier=training["tier"],
        recipe=training["recipe"],
        seed=training["seed"],
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
    )
    return swept, made_by


def check_belongs(training: dict, field: str, found: str, arguments: argparse.Namespace) -> None:
    """Refuse a run.json that was made for other checkpoints, another tier or other images."""
    if training.get(field) != found:
        given = {
            "fingerprint": arguments.checkpoints,
            "manifest_sha256": arguments.manifest,
            "data_sha256": arguments.images,
        }[field]
        raise InputError(
            f"{arguments.run}: {field}",
            f"found {training.get(field)!r}, but {given} has {found!r}",
            "files of one training",
            "delete the run's folder; the train rule makes it again",
        )


if __name__ == "__main__":
    run(main, arguments())
