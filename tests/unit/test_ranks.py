"""Processes that share a training learn what one process alone learns (on the CPU, by torch's gloo)."""

from __future__ import annotations

import contextlib
import os
import socket

import numpy as np
import pytest
import torch
from tiny_training import make_task, train_in_process, write_data
from torch import nn

from spectral_priority.program import Stopped
from spectral_priority.store.atomic import read_json
from spectral_priority.training import loop, run
from spectral_priority.training.checkpoints import open_checkpoints
from spectral_priority.training.feed import Feed
from spectral_priority.training.ranks import Ranks
from spectral_priority.training.run import END, KEEP, STEP


def linear_model(recipe, classes, channels, size):
    """A model without batch normalisation, which on the CPU each process would do by itself."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, classes))
    nn.init.normal_(model[1].weight, std=0.1)
    return model


def learn(folder, device, ranks, steps=12):
    loop.build_model = linear_model
    training = loop.Training(make_task(folder, augment="none"), device, ranks)
    for _ in range(steps):
        ranks.told(STEP)
        training.take_step()
    ranks.told(END)
    training.look_at_losses()
    return training


def one_of_two(rank, folder, port, out):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2", RANK=str(rank))
    torch.set_num_threads(1)
    ranks = Ranks(torch.device("cpu"), 2, rank)
    words = [ranks.told(word if rank == 0 else None) for word in (STEP, KEEP, END)]
    assert words == [STEP, KEEP, END]
    own = {"b": torch.full((3,), float(rank)), "a": torch.full((2,), 5.0 + rank)}
    ranks.copy_from_first(own)
    assert own["b"].tolist() == [0.0] * 3 and own["a"].tolist() == [5.0] * 2
    assert ranks.mean(torch.tensor([float(rank)])).item() == 0.5
    training = learn(folder, torch.device("cpu"), ranks)
    torch.save(
        {"weights": training.model.state_dict(), "loss": training.loss_sum / training.loss_count},
        out / f"{rank}.pt",
    )
    ranks.close()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def test_two_processes_learn_what_one_learns(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "build_model", linear_model)
    alone = learn(data, torch.device("cpu"), Ranks(torch.device("cpu")))
    torch.multiprocessing.spawn(one_of_two, (data, free_port(), tmp_path), nprocs=2)
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name, weight in alone.model.state_dict().items():
        assert torch.equal(found[0]["weights"][name], found[1]["weights"][name])
        torch.testing.assert_close(found[0]["weights"][name], weight, rtol=1e-4, atol=1e-6)
    assert found[0]["loss"] == pytest.approx(alone.loss_sum / alone.loss_count, rel=1e-5)


def whole_training(rank, folder, port, work, stop_after):
    """One of two processes, stopped early or not."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2", RANK=str(rank))
    loop.build_model = linear_model
    run.sharing = lambda device: (2, rank)
    task = make_task(folder, augment="none", gpus=2)
    with pytest.raises(Stopped) if stop_after else contextlib.nullcontext():
        if rank == 0:
            train_in_process(task, work, stop=lambda steps: "test" if steps == stop_after else None)
        else:
            run.follow_training(task, "cpu")


def test_two_processes_are_stopped_go_on_and_finish_as_one(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "build_model", linear_model)
    alone = train_in_process(make_task(data, augment="none", gpus=2), tmp_path / "alone")
    for stop_after in (7, None):
        arguments = (data, free_port(), tmp_path / "shared", stop_after)
        torch.multiprocessing.spawn(whole_training, arguments, nprocs=2)
    shared = next((tmp_path / "shared" / "finished").iterdir())
    facts = read_json(shared / "run.json")
    assert [(attempt["from_step"], attempt["to_step"]) for attempt in facts["attempts"]] == [(0, 7), (7, 40)]
    one, other = (open_checkpoints(folder / "checkpoints.safetensors") for folder in (alone, shared))
    assert one.steps == other.steps
    for name, weight in one.load(40).items():
        torch.testing.assert_close(other.load(40)[name], weight, rtol=1e-3, atol=1e-5)


def test_the_shares_of_a_batch_are_all_of_it():
    parts = [np.arange(12)[Ranks.share(_Fake(3, rank), 12)] for rank in range(3)]
    assert np.concatenate(parts).tolist() == list(range(12))


class _Fake:
    def __init__(self, number, rank):
        self.number, self.rank = number, rank


class SlowSubset:
    """Notes what is read, as a subset that must be decoded."""

    is_cheap, device = False, torch.device("cpu")

    def __init__(self):
        self.read = []

    def cut(self, positions):
        self.read.append(int(positions[0]))
        return torch.from_numpy(positions), torch.from_numpy(positions)


def test_a_feed_reads_ahead_each_batch_once_and_none_beyond_the_end():
    subset = SlowSubset()
    feed = Feed(subset, lambda step: np.array([step, step + 100]), steps=10)
    for step in range(4, 10):
        positions, raw, _ = feed.take(step)
        assert positions.tolist() == raw.tolist() == [step, step + 100]
    feed.close()
    assert sorted(subset.read) == list(range(4, 10))


def test_a_feed_passes_on_what_reading_fails_with():
    subset = SlowSubset()
    subset.cut = lambda positions: 1 / 0
    feed = Feed(subset, lambda step: np.array([step]), steps=3)
    with pytest.raises(ZeroDivisionError):
        feed.take(0)
    feed.close()
