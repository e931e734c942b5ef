"""A copy is trained on; the network, the random numbers and its gradients are left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.conditions.stopped_early import examine
from sevensteps.doctor.questions.more_steps import more_steps

pytestmark = pytest.mark.draws

X = torch.randn(900, 6, generator=torch.Generator().manual_seed(0))
# no simple model knows these
Y = (X[:, 0] * X[:, 1] > 0).long() + 2 * (X[:, 2].abs() > 0.7).long()


def trained(epochs: int, lr: float = 2e-3) -> Any:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
    network.append(nn.Linear(48, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    with ss.watch(network, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(700).split(25):
                loss = F.cross_entropy(network(X[rows]), Y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=Y[rows])
    data = {"train": (X[:700], Y[:700]), "valid": (X[700:], Y[700:])}
    return watch.diagnose(**data, loss_fn=F.cross_entropy).case


def test_a_copy_of_a_short_training_goes_on_learning() -> None:
    case = trained(2)
    before = [p.detach().clone() for p in case.network.parameters()]
    state = torch.get_rng_state()
    answers = more_steps(case)
    assert answers is not None
    assert answers.after > answers.before + 0.1
    assert answers.steps == 2 * case.steps
    assert torch.equal(torch.get_rng_state(), state)
    for p, old in zip(case.network.parameters(), before, strict=True):
        torch.testing.assert_close(p.detach(), old, rtol=0, atol=0)
    assert more_steps(case) == answers
    finding = examine(case)
    assert finding is not None
    assert "A copy that was trained on" in finding.explanation


def test_a_training_that_has_learned_is_not_trained_on() -> None:
    assert examine(trained(40, 5e-3)) is None


def test_without_validation_data_those_of_the_training_are_asked() -> None:
    case = trained(2)
    case.hand_over("valid", None)
    answers = more_steps(case)
    assert answers is not None
    assert answers.of == "training"
    assert answers.after > answers.before + 0.1
    case.hand_over("train", None)
    assert more_steps(case) is None


class Sum(nn.Module):
    """Adds up what two inputs say."""

    def __init__(self) -> None:
        super().__init__()
        self.of = nn.ModuleList(
            nn.Sequential(nn.Linear(3, 48), nn.ReLU(), nn.Linear(48, 4)) for _ in range(2)
        )

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.of[0](a) + self.of[1](b)
        return answer


def test_a_network_of_several_inputs_is_trained_on() -> None:
    torch.manual_seed(0)
    network, y = Sum(), (X[:, 0] > 0).long() + 2 * (X[:, 3] > 0).long()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(900).split(60):
            loss = F.cross_entropy(network(X[rows, :3], X[rows, 3:]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    diagnosis = watch.diagnose(train=((X[:, :3], X[:, 3:]), y))
    answers = more_steps(diagnosis.case)
    assert answers is not None
    assert answers.after > answers.before + 0.1
    assert "stopped_early" in [f.condition for f in diagnosis.findings]
