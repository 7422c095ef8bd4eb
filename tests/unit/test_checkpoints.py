"""Checkpoints come back as they were written, and a damaged file is refused by name."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from spectral_priority.errors import InputError
from spectral_priority.training.checkpoints import assemble, open_checkpoints, part_name, write_checkpoints
from spectral_priority.training.tensorfile import CODES, join_files, read_header, write_tensors


def weights(seed: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    image_order = torch.randn(4, 3, 3, 3, generator=random).to(memory_format=torch.channels_last)
    return {
        "head.bias": torch.randn(5, generator=random),
        "convolution.weight": image_order,
        "norm.num_batches_tracked": torch.tensor(seed),
        "empty": torch.empty(0, 3),
    }


def write_parts(folder, steps, fingerprint="abc") -> list[Path]:
    parts = [folder / part_name(step) for step in steps]
    for part, step in zip(parts, steps, strict=True):
        write_checkpoints(part, {step: weights(step)}, fingerprint)
    return parts


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_assembled_parts_are_one_file_that_the_safetensors_library_reads(tmp_path):
    target = tmp_path / "checkpoints.safetensors"
    assemble(write_parts(tmp_path, [30, 0, 10]), target)
    opened = open_checkpoints(target)
    assert (opened.steps, opened.fingerprint) == ([0, 10, 30], "abc")
    for step in opened.steps:
        assert_same(opened.load(step), weights(step))
    assert "step_00000010/head.bias" in load_file(target)
    assert json.loads(read_header(target)[1]["steps"]) == [0, 10, 30]


def test_equal_weights_give_equal_bytes_whatever_the_order_of_the_parts(tmp_path):
    parts = write_parts(tmp_path, [0, 10, 30])
    assemble(parts, tmp_path / "one")
    assemble(parts[::-1], tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("dtype", CODES)
def test_every_kind_of_number_is_kept(tmp_path, dtype):
    tensor = (torch.arange(12).reshape(3, 4) % 2).to(dtype)
    write_tensors(tmp_path / "file", {"x": tensor, "scalar": tensor[0, 1].clone()}, {})
    assert_same(load_file(tmp_path / "file"), {"x": tensor, "scalar": tensor[0, 1]})


def test_joining_holds_a_piece_of_a_tensor_only(tmp_path):
    for number in range(3):
        write_tensors(tmp_path / str(number), {f"big{number}": torch.ones(4_000_000)}, {})
    tracemalloc.start()
    join_files([tmp_path / str(number) for number in range(3)], tmp_path / "joined", {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "joined").stat().st_size > 48_000_000
    assert peak < 5_000_000


def test_damaged_and_foreign_files_are_refused_by_name(tmp_path):
    whole = tmp_path / "whole"
    assemble(write_parts(tmp_path, [0, 10]), whole)
    content = whole.read_bytes()
    for name, damaged in {
        "cut": content[:-5],
        "longer": content + b"more",
        "only-a-beginning": content[:20],
        "empty": b"",
        "text": b"this was never a file of tensors",
        "no-header": (2**62).to_bytes(8, "little") + content[8:],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(InputError, match=f"{name}: is damaged or no safetensors file"):
            open_checkpoints(tmp_path / name)
    with pytest.raises(InputError, match="missing: there is no such file"):
        open_checkpoints(tmp_path / "missing")
    save_file({"x": torch.ones(2)}, tmp_path / "foreign")
    with pytest.raises(InputError, match="foreign: holds None"):
        open_checkpoints(tmp_path / "foreign")


def test_a_step_that_was_not_kept_is_refused_with_those_that_were(tmp_path):
    assemble(write_parts(tmp_path, [0, 10]), tmp_path / "whole")
    with pytest.raises(InputError, match=r"has no checkpoint of step 5\. Allowed: 0, 10"):
        open_checkpoints(tmp_path / "whole").load(5)


def test_parts_of_different_runs_or_of_one_step_twice_are_refused(tmp_path):
    mixed = write_parts(tmp_path, [0]) + write_parts(tmp_path, [10], fingerprint="other")
    with pytest.raises(InputError, match="different runs"):
        assemble(mixed, tmp_path / "target")
    with pytest.raises(InputError, match="overlap"):
        assemble([mixed[0], mixed[0]], tmp_path / "target")
    assert not (tmp_path / "target").exists()
