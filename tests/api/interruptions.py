"""Trainings that are interrupted, and whether two runs are the same."""

from __future__ import annotations

import json
from typing import Any

import torch

import sevensteps as ss
from sevensteps.record.tensors import to_safetensors
from sevensteps.training import state_dict
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

PLAIN: dict[str, Any] = {
    "predict": "mlp(6)",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(30)",
    "stop": "epochs(2)",
}


class Keeping(Observer):
    """Takes the state after every step, as the files hold it, and may interrupt the training after
    one.
    """

    def __init__(self, interrupt_at: int = 0) -> None:
        self.states: list[tuple[bytes, str]] = []
        self.interrupt_at = interrupt_at

    def stepped(self, training: Training) -> None:
        tensors, plain = state_dict.state_dict(training)
        self.states.append((to_safetensors(tensors), json.dumps(plain)))
        if training.progress.step == self.interrupt_at:
            training.progress.interrupted = True


def same(one: ss.Run, two: ss.Run) -> bool:
    """Whether two runs are the same in all but their times and places."""

    def timeless(run: ss.Run) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if key != "seconds"} for row in run.history
        ]

    mine, theirs = one.network.state_dict(), two.network.state_dict()
    return (
        all(torch.equal(mine[name], theirs[name]) for name in mine)
        and timeless(one) == timeless(two)
        and one.metrics == two.metrics
        and one.best.metrics == two.best.metrics
        and one.best.epoch == two.best.epoch
        and one.summary["stop"] == two.summary["stop"]
        and one.summary["steps"] == two.summary["steps"]
    )


def interrupted(at: int, out: str = "run", **options: Any) -> ss.Run:
    return ss.train("xor", **{**PLAIN, **options}, out=out, observers=[Keeping(at)])


def interrupted_twice() -> None:
    """A training in the folder `run`, interrupted after step 3 and then after step 8."""
    interrupted(3)
    ss.resume("run", observers=[Keeping(8)])
