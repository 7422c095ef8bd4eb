"""Gathering tells what the runs say, and refuses files that don't belong together, by name."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from known_tables import complexity_of

from spectral_priority.config import parse_study
from spectral_priority.config.scalars import OF_MEASURE
from spectral_priority.errors import InputError
from spectral_priority.statistics.gather import gather
from spectral_priority.statistics.runs import SCALARS
from spectral_priority.statistics.tables import COMPLEXITY, HISTORY, PRIORITY
from spectral_priority.store.atomic import read_json, write_json
from spectral_priority.store.netcdf import read_dataset, write_dataset
from spectral_priority.store.tables import write_csv

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
STEPS = np.array([0, 9, 99])
TIER, OTHER = "regroup-2-d0", "regroup-4-d0"
DOCUMENT = {
    "study": "small",
    "datasets": {
        "shapes": {"source": {"kind": "shapes-textures"}, "size": 16},
        "large": {"source": {"kind": "shapes-textures"}, "size": 24},
    },
    "tiers": {
        "regroup": {
            "kind": "regroup",
            "dataset": "shapes",
            "label": "texture",
            "classes": 12,
            "groups": [2, 4],
            "draws": 1,
        },
        "labels": {"kind": "labels", "dataset": "large", "labels": ["shape"], "seeds": 1},
        "control": {"kind": "control", "of": TIER, "seeds": 1},
    },
    "claims": [
        {
            "kind": "separated",
            "text": "Two groups lie below four",
            "lower": "regroup-2",
            "higher": "regroup-4",
            "reading": "matched-loss",
        }
    ],
}
STUDY = parse_study(DOCUMENT)


def spectra(level, rings, seed=0, scalars=SCALARS):
    """Measured spectra whose centroid is `level`, `level + 1`, `level + 3` at steps 0, 9 and 99."""
    described = {"units": "1", "long_name": "made up"}
    cycles = {"units": "cycles/image", "long_name": "ring"}
    share = np.random.default_rng(seed).dirichlet(np.ones(rings), size=len(STEPS))
    data = dict.fromkeys(("share", "share_se", "density"), (("checkpoint", "ring"), share, described))
    for name in scalars:
        units = {"units": "cycles/image" if "centroid" in name else "1", "long_name": name}
        data[name] = ("checkpoint", level + np.array([0.0, 1.0, 3.0]), units)
        data[f"{name}_se"] = ("checkpoint", np.array([0.1, 0.2, 0.4]), units)
    data["n"] = ("checkpoint", np.array([50, 50, 49]), described)
    coordinates = {
        "step": ("checkpoint", STEPS, described),
        "epoch": ("checkpoint", STEPS / 10, described),
        "ring": ("ring", np.arange(1, rings + 1), cycles),
    }
    return xr.Dataset(data, coordinates)


def write_study(results, study=STUDY, loss=(1.0, 0.8, 0.4)):
    """Write the files of every run; the centroid of a tier starts at its number of classes."""
    folder = results / study.study
    for tier in study.list_tiers():
        control = "shuffled" if tier.family == "control" else None
        manifest = {
            "tier": tier.name,
            "chain": None,
            "control": control,
            "manifest_sha256": f"of {tier.name}",
        }
        write_json(folder / "tiers" / f"{tier.name}.json", manifest)
        classes = float({"2": 2, "4": 4}.get(tier.level, 3))
        complexity = complexity_of({tier.name: np.log2(classes)})
        write_csv(folder / "complexity" / f"{tier.name}.csv", complexity)
    for run in study.list_runs():
        at = folder / "runs" / run.tier / run.recipe / f"seed{run.seed}"
        name = f"{run.tier}/{run.seed}"
        facts = {**run._asdict(), "fingerprint": name, "code": "c0de", "manifest_sha256": f"of {run.tier}"}
        write_json(at / "run.json", facts)
        history = pd.DataFrame(0.25, index=range(len(STEPS)), columns=list(HISTORY))
        write_csv(at / "history.csv", history.assign(step=STEPS, loss_fraction=loss))
        level = {"2": 2, "4": 4}.get(study.tier(run.tier).level, 3)
        size = study.datasets[study.dataset_of(run.tier)].size
        made = spectra(level + 0.1 * run.seed, size // 2)
        provenance = {"run_fingerprint": name, "code": "50de"}
        for instance in study.measures:
            write_dataset(at / "spectra" / f"{instance}.h5", made, "measure:gradient", provenance)
    return folder


def run_folder(results, tier=TIER, seed=0):
    return results / "small" / "runs" / tier / "base" / f"seed{seed}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_study(folder)
    return folder


@pytest.fixture
def results(whole, tmp_path):
    """The results folder of a whole study, to be spoilt."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


def refused(results):
    with pytest.raises(InputError) as error:
        gather(STUDY, results)
    return str(error.value)


def edit(path, **changes):
    write_json(path, {**read_json(path), **changes})


def test_every_run_instance_reading_and_scalar_has_a_row(results):
    priority = gather(STUDY, results).priority
    assert tuple(priority.columns) == PRIORITY
    readings = ["last", "mean", "matched-loss", "matched-loss", "matched-loss", "matched-accuracy"]
    runs = 2 + 2 + 1 + 1
    assert len(priority) == runs * len(readings) * len(SCALARS)
    assert not priority.duplicated(
        ["tier", "recipe", "seed", "instance", "reading", "fraction", "scalar"]
    ).any()


def test_readings_of_a_run_are_those_of_its_files(results):
    priority = gather(STUDY, results).priority
    rows = priority[(priority["tier"] == TIER) & (priority["seed"] == 1) & (priority["scalar"] == "centroid")]
    last = rows[rows["reading"] == "last"].iloc[0]
    assert (last["value"], last["standard_error"], last["untrained"]) == pytest.approx((5.1, 0.4, 2.1))
    assert (last["unit"], last["n"], last["reached"]) == ("cycles/image", 49, True)
    assert (last["family"], last["kind"], last["level"], last["draw"]) == ("regroup", "regroup", "2", 0)
    mean = rows[rows["reading"] == "mean"].iloc[0]
    assert mean["value"] == pytest.approx(2.1 + (0.5 + 2) / 2)  # trapezoids over the decades 1–10 and 10–100
    matched = rows[rows["fraction"].eq(0.5) & rows["reading"].eq("matched-loss")].iloc[0]
    assert matched["value"] == pytest.approx(
        2.1 + 1 + 0.75 * 2
    )  # 0.8 → 0.4 falls to 0.5 after three quarters
    never = rows[rows["fraction"] == 0.3].iloc[0]
    assert not never["reached"]
    assert never[["value", "standard_error", "n"]].isna().all()


def test_controls_are_marked(results):
    priority = gather(STUDY, results).priority
    control = priority[priority["tier"] == "control-shuffled-d0"]
    assert set(control["kind"]) == {"control"}
    assert set(control["control"]) == {"shuffled"}
    assert priority.loc[priority["kind"] != "control", "control"].isna().all()


def test_histories_and_complexity_are_kept_whole(results):
    found = gather(STUDY, results)
    assert found.learning.columns.tolist() == ["tier", "recipe", "seed", *HISTORY]
    assert len(found.learning) == 6 * len(STEPS)
    assert tuple(found.complexity.columns) == COMPLEXITY
    assert found.complexity["tier"].tolist() == [tier.name for tier in STUDY.list_tiers()]


def test_profiles_of_all_sizes_share_one_axis(results):
    profiles = gather(STUDY, results).profiles
    assert profiles.sizes == {"profile": 6 * len(STEPS), "ring": 12}
    small = profiles.share.values[profiles["size"].values == 16]
    assert np.isnan(small[:, 8:]).all()
    assert np.allclose(small[:, :8].sum(axis=1), 1)
    assert np.isfinite(profiles.share.values[profiles["size"].values == 24]).all()
    assert profiles["step"].values[:3].tolist() == STEPS.tolist()
    assert set(profiles["tier"].values) == {tier.name for tier in STUDY.list_tiers()}
    write_dataset(results / "profiles.h5", profiles, "profiles", {})
    assert read_dataset(results / "profiles.h5", "profiles").sizes == profiles.sizes


def test_an_instance_without_profile_scalars_stays_out_of_priority(tmp_path):
    study = parse_study({**DOCUMENT, "measures": {"gradient": {}, "other": {"measure": "gradient"}}})
    write_study(tmp_path, study)
    for run in study.list_runs():
        path = run_folder(tmp_path, run.tier, run.seed) / "spectra" / "other.h5"
        provenance = {"run_fingerprint": f"{run.tier}/{run.seed}", "code": "50de"}
        size = study.datasets[study.dataset_of(run.tier)].size
        write_dataset(path, spectra(0, size // 2, scalars=()), "measure:gradient", provenance)
    found = gather(study, tmp_path)
    assert set(found.priority["instance"]) == {"gradient"}
    assert set(found.profiles["instance"].values) == {"gradient", "other"}


def rates(value, drop=()):
    """A measure without a profile: scalars at steps 0, 9 and 99."""
    described = {"units": "1", "long_name": "made up"}
    data = {}
    for place, name in enumerate(OF_MEASURE["shortcuts"]):
        ends = ("_lower", "_upper") if name == "headline_shortcuts" else ("_se",)
        for end in ("", *ends):
            data[name + end] = ("checkpoint", value + place + np.array([0, 2, 4]) * (end == ""), described)
    data["n"] = ("checkpoint", np.array([7, 7, 7]), described)
    steps = dict.fromkeys(("step", "epoch"), ("checkpoint", STEPS, described))
    return xr.Dataset(data, steps).drop_vars(list(drop))


def test_scalars_of_other_measures_have_a_table_of_their_own(tmp_path):
    study = parse_study({**DOCUMENT, "measures": {"gradient": {}, "there": {"measure": "shortcuts"}}})
    write_study(tmp_path, study)

    def write(drop=()):
        for run in study.list_runs():
            path = run_folder(tmp_path, run.tier, run.seed) / "spectra" / "there.h5"
            provenance = {"run_fingerprint": f"{run.tier}/{run.seed}", "code": "50de"}
            write_dataset(path, rates(run.seed, drop), "measure:shortcuts", provenance)

    write()
    found = gather(study, tmp_path)
    assert set(found.priority["instance"]) == {"gradient"} and set(found.measures["instance"]) == {"there"}
    assert tuple(found.measures.columns) == PRIORITY and len(found.measures) == 6 * 6 * 4
    last = found.measures[(found.measures["reading"] == "last") & (found.measures["seed"] == 1)]
    last = last[last["tier"] == TIER].set_index("scalar")
    assert last["value"].to_dict() == {
        "headline_tpr": 5, "headline_fpr": 6, "headline_shortcuts": 7, "mean_clean_tpr": 8,
    }  # fmt: skip
    assert last["standard_error"].isna().to_dict() == {
        name: name == "headline_shortcuts" for name in OF_MEASURE["shortcuts"]
    }
    assert (last["untrained"] == last["value"] - 4).all() and (last["n"] == 7).all()
    for lacking in (["headline_tpr"], ["headline_fpr_se"], ["headline_shortcuts_lower"], ["n"]):
        write(lacking)
        with pytest.raises(
            InputError, match=rf"there\.h5: has no variable {lacking[0].removesuffix('_lower')}"
        ):
            gather(study, tmp_path)


def test_spectra_of_another_training_are_refused(results):
    edit(run_folder(results) / "run.json", fingerprint="trained anew")
    message = refused(results)
    assert message.startswith(
        f"{run_folder(results) / 'spectra' / 'gradient.h5'}: was measured on run {TIER}/0, but"
    )
    assert "is run trained anew" in message


def test_runs_of_different_code_are_refused(results):
    edit(run_folder(results, OTHER, 1) / "run.json", code="edited")
    message = refused(results)
    assert message.startswith(f"{run_folder(results, OTHER, 1) / 'run.json'}: was made with code edited, but")
    assert f"{run_folder(results) / 'run.json'} with code c0de" in message


def test_spectra_of_different_code_are_refused(results):
    path = run_folder(results, OTHER) / "spectra" / "gradient.h5"
    provenance = {"run_fingerprint": f"{OTHER}/0", "code": "edited"}
    write_dataset(path, spectra(4, 8), "measure:gradient", provenance)
    assert refused(results).startswith(f"{path}: was made with code edited, but")


def test_runs_and_spectra_of_other_options_are_refused(results):
    path = run_folder(results, OTHER, 1) / "run.json"
    options = STUDY.recipes["base"].model_dump(mode="json")
    edit(path, options={**options, "threads": 7})  # no result depends on these
    gather(STUDY, results)
    edit(path, options={**options, "steps": 7})
    assert refused(results).startswith(
        f"{path}: was made with steps: 7, but the study says {options['steps']}"
    )
    edit(path, options=options)
    spectra_file = run_folder(results) / "spectra" / "gradient.h5"
    measured = {**STUDY.measures["gradient"].model_dump(mode="json"), "objective": "x"}
    said = {"run_fingerprint": f"{TIER}/0", "code": "50de", "options": measured}
    write_dataset(spectra_file, spectra(2, 8), "measure:gradient", said)
    assert refused(results).startswith(f"{spectra_file}: was made with objective: 'x', but the study says")


def test_runs_of_another_manifest_are_refused(results):
    edit(results / "small" / "tiers" / f"{OTHER}.json", manifest_sha256="chosen anew")
    message = refused(results)
    assert message.startswith(
        f"{run_folder(results, OTHER) / 'run.json'}: was trained on manifest of regroup-4"
    )
    assert "the tier's manifest is now chosen anew" in message


def test_a_run_copied_to_another_place_is_refused(results):
    path = run_folder(results, OTHER) / "run.json"
    path.write_text((run_folder(results) / "run.json").read_text())
    assert refused(results) == (
        f"{path}: is of tier 'regroup-2-d0'. Allowed: tier 'regroup-4-d0', as its place says."
    )


def test_complexity_of_another_tier_is_refused(results):
    path = results / "small" / "complexity" / f"{OTHER}.csv"
    path.write_text((results / "small" / "complexity" / f"{TIER}.csv").read_text())
    assert refused(results) == f"{path}: is of tier {TIER}. Allowed: complexity of tier {OTHER}."


def test_spectra_at_other_checkpoints_than_the_history_are_refused(results):
    path = run_folder(results) / "history.csv"
    write_csv(path, pd.read_csv(path).iloc[:2])
    message = refused(results)
    assert str(run_folder(results) / "spectra" / "gradient.h5") in message
    assert (
        "has 3 checkpoints (steps 0, 9, 99), but the run's history has 2 checkpoints (steps 0, 9)" in message
    )


def test_a_history_that_does_not_start_untrained_is_refused(results):
    path = run_folder(results) / "history.csv"
    write_csv(path, pd.read_csv(path).iloc[1:])
    assert refused(results).startswith(f"{path}: has 2 checkpoints (steps 9, 99). Allowed: ascending")


def test_a_damaged_file_is_named(results):
    path = run_folder(results, OTHER) / "spectra" / "gradient.h5"
    path.write_bytes(path.read_bytes()[:2000])
    assert refused(results).startswith(f"{path}: is damaged or no netCDF-4 file")


@pytest.mark.parametrize("name", ["run.json", "history.csv", "spectra/gradient.h5"])
def test_a_missing_file_is_named(results, name):
    path = run_folder(results) / name
    path.unlink()
    assert refused(results) == f"{path}: there is no such file."


def test_a_foreign_file_is_named(results):
    path = run_folder(results) / "run.json"
    path.write_text(json.dumps({"tier": TIER, "recipe": "base", "seed": 0}))
    assert refused(results).startswith(f"{path}: has no fingerprint")
    path = results / "small" / "tiers" / f"{TIER}.json"
    path.write_text("[]")
    assert refused(results).startswith(f"{path}: has no tier")


def test_a_scalar_without_its_standard_error_is_refused(results):
    path = run_folder(results) / "spectra" / "gradient.h5"
    provenance = {"run_fingerprint": f"{TIER}/0", "code": "50de"}
    write_dataset(path, spectra(2, 8).drop_vars("slope_se"), "measure:gradient", provenance)
    assert refused(results) == f"{path}: has no variable slope_se."


def program(name, *options):
    command = [sys.executable, "-X", "importtime", SCRIPTS / f"{name}.py", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True)


def test_both_programs_run_one_after_the_other_without_torch(results):
    study = results / "study.yaml"
    study.write_text(yaml.safe_dump(DOCUMENT))
    made = {
        name: results / f"{name}.csv"
        for name in ("priority", "measures", "complexity", "learning", "correlations", "contrasts", "claims")
    }
    tables = [part for name in ("priority", "measures", "complexity") for part in (f"--{name}", made[name])]
    ended = program(
        "gather", "--study", study, "--results", results, *tables,
        "--learning", made["learning"], "--profiles", results / "profiles.h5",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "loss fraction 0.5: reached by 6 of 6 runs" in ended.stderr
    assert "loss fraction 0.3: reached by 0 of 6 runs" in ended.stderr
    assert " torch\n" not in ended.stderr
    ended = program(
        "correlate",
        "--study",
        study,
        *tables,
        "--learning",
        made["learning"],
        "--correlations",
        made["correlations"],
        "--contrasts",
        made["contrasts"],
        "--claims",
        made["claims"],
    )
    assert ended.returncode == 0, ended.stderr
    assert not any(f" {module}\n" in ended.stderr for module in ("torch", "xarray", "statsmodels"))
    correlations = pd.read_csv(made["correlations"])
    primary = correlations[correlations["hypothesis"] == "primary-1"].iloc[0]
    assert (primary["draws"], primary["note"]) == (2, "too few draws: 2; at least 5")
    assert primary["slope"] == pytest.approx(2.0)  # from 2 to 4 in one doubling
    unreached = correlations[(correlations["hypothesis"] == "robustness") & (correlations["fraction"] == 0.3)]
    assert unreached["note"].str.startswith("no matched result: 4 of 4 runs never reach the level").all()
    assert pd.read_csv(made["contrasts"]).empty, "one recipe: a header and nothing else"
    claims = pd.read_csv(made["claims"])
    assert claims["held"].tolist() == [True]
    assert claims["found"][0] == pytest.approx(
        2 - 2 * 0.05 * 4.302653, rel=1e-6
    )  # seeds 0.1 apart in both groups: a common spread, t on two degrees of freedom
    assert "t interval over 2 seeds" in claims["detail"][0]


def test_programs_end_with_one_line_for_a_fault_of_the_input(results):
    (run_folder(results) / "run.json").unlink()
    study = results / "study.yaml"
    study.write_text(yaml.safe_dump(DOCUMENT))
    outputs = [
        part
        for name in ("priority", "measures", "complexity", "learning", "profiles")
        for part in (f"--{name}", results / name)
    ]
    ended = program("gather", "--study", study, "--results", results, *outputs)
    assert ended.returncode == 2
    assert f"error: {run_folder(results) / 'run.json'}: there is no such file." in ended.stderr
    assert not (results / "priority").exists()
