"""No file that is read can run code: a pickle planted in the place of any of them is refused by name, and never run."""

from __future__ import annotations

import ast
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import spectral_priority
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.data.npz import read_rows
from spectral_priority.data.torchvision_sets.plain_pickle import read_plain
from spectral_priority.errors import InputError
from spectral_priority.store.arrays import read_arrays
from spectral_priority.store.atomic import read_json
from spectral_priority.store.netcdf import read_dataset
from spectral_priority.store.tables import read_csv
from spectral_priority.training.checkpoints import open_checkpoints
from spectral_priority.training.sources import file_source
from spectral_priority.training.state import load_state
from spectral_priority.training.weights import read_weights
from spectral_priority.training.work_folder import PREVIOUS, STATE

PROJECT = Path(spectral_priority.__file__).resolve().parents[2]


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


def as_pickle(path: Path, trap: Trap) -> None:
    path.write_bytes(pickle.dumps({"data": trap}, protocol=2))


def as_torch(path: Path, trap: Trap) -> None:
    torch.save({"state_dict": {"network.weight": torch.ones(2)}, "more": trap}, path)


def as_npy(path: Path, trap: Trap) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([trap], dtype=object), allow_pickle=True)


def as_npz(path: Path, trap: Trap) -> None:
    names = ["header", "0", "x", *(f"{part}_{what}" for part in ("train", "validation", "probe")
                                   for what in ("index", "label"))]  # fmt: skip
    with path.open("wb") as file:
        np.savez(file, **dict.fromkeys(names, np.array([trap], dtype=object)))


def as_member(path: Path, trap: Trap) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(trap))


def state_of(path: Path) -> None:
    """A training's own state is never refused, but set aside with a word; the training then begins anew."""
    said: list[str] = []
    assert load_state(path.parent, "0123", said.append) is None
    raise InputError(path, said[0])


def manifest_of(path: Path) -> None:
    path.with_suffix(".json").write_text("{}")
    read_manifest(path.with_suffix(".json"), path)


READERS = {
    "images.h5": PackedImages,
    "gradient.h5": lambda path: read_dataset(path, "measure:gradient"),
    "some.h5": lambda path: read_dataset(path, "measure:gradient", {"share"}),
    "tier.npz": manifest_of,
    "part.npz": read_arrays,
    "pathmnist.npz": lambda path: list(read_rows(path, "x")),
    "checkpoints.safetensors": open_checkpoints,
    STATE: state_of,
    PREVIOUS: state_of,
    "weights.pth": lambda path: read_weights(file_source(path.name, path.parent)),
    "weights.safetensors": lambda path: read_weights(file_source(path.name, path.parent)),
    "data_batch_1": lambda path: read_plain(path.read_bytes(), str(path)),
    "run.json": read_json,
    "history.csv": lambda path: read_csv(path, ["step"]),
}
"""Everything that reads a file of the project's own, or weights and batches of others."""


@pytest.mark.parametrize("plant", [as_pickle, as_torch, as_npy, as_npz, as_member])
@pytest.mark.parametrize("name", READERS)
def test_a_planted_pickle_is_refused_by_name_and_not_run(tmp_path, name, plant):
    mark, path = tmp_path / "it ran", tmp_path / name
    plant(path, Trap(mark))
    with pytest.raises(InputError) as error:
        READERS[name](path)
    assert name in str(error.value) and not mark.exists()


def test_the_trap_works(tmp_path):
    as_pickle(tmp_path / "a", Trap(tmp_path / "it ran"))
    pickle.loads((tmp_path / "a").read_bytes())
    assert (tmp_path / "it ran").exists()


# --- the source ---------------------------------------------------------------------------------------------

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "os.system", "os.popen", "torch.save", "torch.hub.load", "torch.jit.load"),
    *("yaml.unsafe_load", "yaml.full_load", "np.lib.format.read_array", "pd.read_pickle", "pd.read_hdf"),
}
FORBIDDEN_METHODS = {"extract", "extractall", "unpack_archive", "to_pickle"}
DEMANDED = {
    "torch.load": ("weights_only", "True"),
    "np.load": ("allow_pickle", "False"),
    "np.savez": ("allow_pickle", "False"),
}
"""Calls that must say so."""
EXCEPTIONS = {
    (
        "data/torchvision_sets/plain_pickle.py",
        "imports pickle",
    ): "CIFAR's batches, by stand-ins only: tested above",
    (
        "config/loading.py",
        "calls yaml.load",
    ): "by a loader that is PyYAML's safe one, but refuses keys given twice",
    ("store/arrays.py", "calls np.savez without allow_pickle=False"): "objects are made text before",
}


def faults(tree: ast.AST):
    """Go through what a module does that could run what a file says, or write where an archive says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            yield from (f"imports {name}" for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if (
            called in FORBIDDEN_CALLS
            or called.rpartition(".")[2] in FORBIDDEN_METHODS
            or called == "yaml.load"
        ):
            yield f"calls {called}"
        if given.get("shell") not in (None, "False") or given.get("allow_pickle") == "True":
            yield f"calls {called} with {given}"
        name, value = DEMANDED.get(called, (None, None))
        if name and given.get(name) != value:
            yield f"calls {called} without {name}={value}"


def test_no_module_unpickles_extracts_or_starts_a_shell():
    found = {}
    package = PROJECT / "src" / "spectral_priority"
    for file in [*package.rglob("*.py"), *(PROJECT / "workflow" / "scripts").glob("*.py")]:
        folder = package if file.is_relative_to(package) else PROJECT
        for fault in faults(ast.parse(file.read_text(encoding="utf-8"))):
            found[file.relative_to(folder).as_posix(), fault] = file
    assert set(found) == set(EXCEPTIONS)


@pytest.mark.parametrize("line", ["import pickle", "from joblib import load", "torch.load(path)", "np.load(path)",
                                  "yaml.load(text, Loader=yaml.Loader)", "subprocess.run(text, shell=True)",
                                  "archive.extractall(folder)", "np.save(path, x, allow_pickle=True)"])  # fmt: skip
def test_what_is_looked_for_would_be_found(line):
    assert list(faults(ast.parse(line)))


def test_the_one_reader_of_pickles_takes_no_name_of_the_files_choosing():
    text = (PROJECT / "src/spectral_priority/data/torchvision_sets/plain_pickle.py").read_text()
    assert "def find_class" in text and "pickle.load" not in text


def test_a_study_can_name_no_object_of_python(tmp_path):
    from spectral_priority.config import load_study

    (tmp_path / "s.yaml").write_text(f"study: !!python/object/apply:os.system ['touch {tmp_path}/ran']\n")
    with pytest.raises(InputError, match=r"s\.yaml: can't be read as YAML"):
        load_study(tmp_path / "s.yaml")
    assert not (tmp_path / "ran").exists()
