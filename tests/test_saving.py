"""Checkpoints that are written while training goes on."""

import threading
import time

import pytest
import torch

from g3dr.training.checkpoint import Checkpoint
from orchestrator.computing.saving import CheckpointSaver


def checkpoint(step: int, tensor: torch.Tensor | None = None) -> Checkpoint:
    return Checkpoint(step, {"weight": torch.zeros(2) if tensor is None else tensor}, {})


def test_training_goes_on_while_a_checkpoint_is_written_and_does_not_change_it() -> None:
    written, gate, weight = [], threading.Event(), torch.ones(2)

    def write(copy: Checkpoint) -> None:
        gate.wait(10)
        written.append((copy.step, copy.model["weight"].tolist()))

    with CheckpointSaver() as saver:
        saver.save(checkpoint(1, weight), write)
        weight += 1
        assert written == []
        gate.set()
        saver.save(checkpoint(2, weight), write)
    assert written == [(1, [1.0, 1.0]), (2, [2.0, 2.0])]


def test_only_one_is_under_way_at_a_time() -> None:
    running, most = [], []

    def write(copy: Checkpoint) -> None:
        running.append(copy.step)
        most.append(len(running))
        time.sleep(0.01)
        running.remove(copy.step)

    with CheckpointSaver() as saver:
        for step in range(5):
            saver.save(checkpoint(step), write)
    assert most == [1, 1, 1, 1, 1]


def test_what_goes_wrong_is_raised_once_by_the_next_call() -> None:
    def write(copy: Checkpoint) -> None:
        if copy.step == 1:
            raise OSError("the disk is full")

    with CheckpointSaver() as saver:
        saver.save(checkpoint(1), write)
        with pytest.raises(OSError, match="full"):
            saver.save(checkpoint(2), write)
        saver.save(checkpoint(3), write)
        saver.wait()
