"""Faults brought into trainings from outside: what they alter, what they put back, what counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import injected
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.injected import FAULTS
from benchmarks.doctor.cases.injected.injection import Injection
from sevensteps.doctor.conditions import condition_names

pytestmark = pytest.mark.draws


def train() -> Trained:
    """Two classes, told apart by the sign of a number."""
    torch.manual_seed(0)
    x = torch.randn(160, 6)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(
        nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    with ss.watch(model, optimizer) as watch:
        for batch in batches(160, 20, 12):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            descend(watch, optimizer, loss, y[batch])
    return Trained(watch, accuracy(model, x, y), {"train": (x, y), "loss_fn": F.cross_entropy})


def with_fault(name: str) -> tuple[Injection, Trained, list[str]]:
    injection = Injection(FAULTS[name].apply, 96, 0)
    with injection.entered():
        trained = train()
        findings = trained.watch.diagnose(**trained.data).findings
    return injection, trained, [f.condition for f in findings if f.severity != "info"]


def test_untouched_it_trains_as_without_the_benchmark() -> None:
    with Injection(None).entered():
        unwatched = train()
    assert unwatched.watch.observation.steps == 96
    assert unwatched.score == train().score > 0.9


@pytest.mark.parametrize(
    "name",
    [
        "loss negated",
        "softmax before cross-entropy",
        "gradients cleared before the step",
        "gradients never cleared",
        "optimizer of a copy",
        "middle layer detached",
        "learning rate ÷ 1000",
        "targets of other samples",
        "warm-up that never ends",
    ],
)
@pytest.mark.sampled(2)
def test_the_doctor_names_what_was_brought_in(name: str) -> None:
    injection, _, conditions = with_fault(name)
    assert injection.touched > 0
    assert set(conditions) & set(FAULTS[name].conditions)


@pytest.mark.slow
def test_whatever_was_replaced_is_put_back() -> None:
    def replaceable() -> list[Any]:
        return [
            ss.watch,
            Tensor.backward,
            Tensor.relu,
            nn.Module.__call__,
            nn.Module.zero_grad,
            nn.Linear.forward,
            nn.Sequential.forward,
            F.cross_entropy,
            F.relu,
            globals()["batches"],
            globals().get("range"),
        ]

    before = replaceable()
    for name in FAULTS:
        with_fault(name)
    assert all(a is b for a, b in zip(before, replaceable(), strict=True))


def test_a_loss_is_altered_once_although_its_function_is_listened_to() -> None:
    calls: list[float] = []

    def double(loss: Tensor) -> Tensor:
        calls.append(float(loss.detach()))
        return 2 * loss

    with Injection(lambda injection: injection.alter_backward(double), 96).entered():
        trained = train()
    losses = trained.watch.observation.losses
    assert len(calls) == 96
    assert losses[0][1] == pytest.approx(2 * calls[0])


def test_what_is_evaluated_alone_may_be_altered() -> None:
    def alter(injection: Injection) -> None:
        injection.alter_inputs(lambda x: -x, evaluation_only=True)

    injection = Injection(alter, 96)
    with injection.entered():
        trained = train()
    assert injection.touched == 1  # the accuracy, not one of 96 steps
    assert trained.score < 0.5


def test_it_is_stopped_after_a_share_of_its_steps() -> None:
    _, trained, _ = with_fault("stopped after 3 %")
    assert trained.watch.observation.steps == 3


def test_each_fault_has_answers_that_there_are() -> None:
    assert len(FAULTS) >= 35
    for fault in FAULTS.values():
        assert fault.conditions
        assert set(fault.conditions) <= set(condition_names())


@pytest.mark.parametrize(
    ("score", "untouched", "fails"),
    [
        (0.5, 0.9, True),
        (0.8, 0.9, False),
        (float("nan"), 0.9, True),
        (-9.0, 0.0, False),  # it learns nothing without the fault
    ],
)
def test_a_run_counts_where_its_score_is_clearly_lower(
    score: float, untouched: float, fails: bool
) -> None:
    assert injected.fails(score, untouched) == fails


def test_halves_are_about_as_large_and_of_one_nothing_is_shown() -> None:
    trainings = list(injected.families())
    apart = {half: [t for t in trainings if injected.is_kept_back(t) == half] for half in (0, 1)}
    assert min(map(len, apart.values())) > 0.3 * len(trainings)
    run = {"fault": "loss negated", "seed": 0, "untouched": 0.9, "score": 0.1, "counts": True}
    run |= {"found": True, "first": False, "called healthy": False}
    lines = injected.report(
        [
            {**run, "training": apart[0][0], "conditions": ["dead_units"]},
            {**run, "training": apart[1][0]},
            {**run, "training": apart[1][1], "found": False, "called healthy": True},
        ]
    )
    row = "1 | 1 (100 %) | 0 (0 %) | 0 (0 %) | 2 | 1 (50 %) | 0 (0 %) | 1 (50 %) |"
    assert f"| loss negated | {row}" in lines
    assert f"| all | {row}" in lines
    assert sum("dead_units" in line for line in lines) == 1
    assert not any(apart[1][0].removeprefix("field: ") in line for line in lines)
