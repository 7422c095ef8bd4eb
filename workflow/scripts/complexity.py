"""Measure how complex one tier is, without any trained model (METHODS 7).

Memory: 8 bytes per training image for each reference component and each ring; 20 sums of pixels per class, or fewer,
down to two, where these would need more than 2 GiB; half as many amplitudes per class as an image has pixels.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from spectral_priority import complexity
from spectral_priority.complexity.spectral_gradient import NEIGHBOURS
from spectral_priority.config.statistics import Complexity
from spectral_priority.data.class_mean_psd import class_mean_psd_of
from spectral_priority.data.class_means import ClassSums
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.data.pinson import pinson_of
from spectral_priority.data.reference import load_reference
from spectral_priority.data.spectra import radial_shares
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.similarity import read_similarity
from spectral_priority.similarity.points import blocks, shares
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance
from spectral_priority.store.tables import write_csv
from spectral_priority.tiers.refusals import check_data


def main(arguments: argparse.Namespace) -> None:
    """Work out every measure and write the table."""
    code = expect_code("complexity", arguments.expect_code)
    try:
        options = Complexity.model_validate_json(arguments.options)
    except ValidationError as error:
        raise InputError("--options", " ".join(str(error).split())) from None
    images = PackedImages(arguments.images, arguments.threads)
    tier = read_manifest(arguments.manifest, arguments.indices)
    check_data(images, tier)
    reference = load_reference(arguments.reference, images)
    index, label = tier.index["train"], tier.label["train"]

    share = []
    sums = ClassSums(label, index, images.shape[1:])
    amplitudes = complexity.ClassAmplitudes(tier.number_of_classes)
    for part in blocks(images, index):  # every image is read once
        pixels = images.read(index[part])
        sums.add(part, pixels)
        amplitudes.add(pixels, label[part])
        share.append(shares(radial_shares(pixels)))
    share = np.concatenate(share)
    features = reference["points"].values[index].astype(np.float64)
    sample = np.random.default_rng(options.seed).permutation(len(index))[: options.images]
    near = complexity.nearest(features[sample], NEIGHBOURS)
    pairs = sample[: options.pairs]

    spectra = {"class_mean_psd": class_mean_psd_of(sums), "pinson": pinson_of(sums)}

    names = images.classes[tier.facts["label"]]
    number = {name: position for position, name in enumerate(names)}
    groups = [[number[member] for member in entry["members"]] for entry in tier.facts["classes"]]
    estimates = {
        "classes": complexity.classes(tier),
        "log2_classes": complexity.log2_classes(tier),
        "label_entropy": complexity.label_entropy(label),
        "fisher_ratio": complexity.fisher_ratio(features, label),
        "adcs_share": complexity.adcs_share(amplitudes),
        "n3": complexity.n3(features[sample], label[sample], near),
        "csg": complexity.csg(features[sample], label[sample], near),
        "intrinsic_dimension": complexity.intrinsic_dimension(features[sample], near),
        "silhouette": complexity.silhouette(features[pairs], label[pairs]),
        **complexity.label_low_ratios(features[pairs], label[pairs]),
        "gbc": complexity.gbc(features, label),
        "h_score": complexity.h_score(features, label),
        "within_class_diversity": complexity.within_class_diversity(features, label),
        "psd_slope": complexity.psd_slope(share, images.size),
        "psd_centroid": complexity.psd_centroid(share),
    }
    for measure, spectrum in spectra.items():
        estimates[f"{measure}_centroid"] = complexity.spectrum_centroid(spectrum)
    for kind, file in (
        ("hierarchy", arguments.hierarchy_similarity),
        ("spectral", arguments.spectral_similarity),
    ):
        measure = f"{kind}_similarity"
        estimates[measure] = complexity.class_similarity(measure, read_similarity(file, names), groups)
    facts = {name: tier.facts[name] for name in ("tier", "dataset", "label")}
    origin = provenance(
        code=code, data_sha256=images.content_sha256, manifest_sha256=tier.facts["manifest_sha256"]
    )
    for measure, spectrum in spectra.items():
        path = getattr(arguments, measure)
        write_dataset(path, spectrum.assign_attrs(facts), f"data:{measure.replace('_', '-')}", origin)
    write_csv(arguments.output, complexity.table(tier, estimates, reference.attrs["unit"]))
    logging.info("complexity of %s written to %s", tier.facts["tier"], arguments.output)


def arguments() -> argparse.Namespace:
    """Command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5 of the data set")
    made.add_argument("--reference", type=Path, required=True, help="reference.h5 of the data set")
    made.add_argument(
        "--hierarchy-similarity", type=Path, required=True, help="hierarchy.csv of the tier's label"
    )
    made.add_argument(
        "--spectral-similarity", type=Path, required=True, help="spectral.csv of the tier's label"
    )
    made.add_argument("--manifest", type=Path, required=True, help="manifest of the tier")
    made.add_argument("--indices", type=Path, required=True, help="indices of the tier")
    made.add_argument("--options", default="{}", metavar="JSON", help="complexity section of the study")
    made.add_argument("--threads", type=int, default=1, help="threads that decode encoded images")
    made.add_argument("--output", type=Path, required=True, help="CSV to write")
    made.add_argument("--class-mean-psd", type=Path, required=True, help="class-mean-psd.h5 to write")
    made.add_argument("--pinson", type=Path, required=True, help="pinson.h5 to write")
    return made.parse_args()


if __name__ == "__main__":
    run(main, arguments())
