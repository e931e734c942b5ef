"""Dropout that works in evaluation mode is named; what is to be random is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.mode_mismatch import examine
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

X = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] + X[:, 1] > 0).long()


class Net(nn.Module):
    def __init__(self, drop: Any) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 24), nn.Linear(24, 2)
        self.drop = [drop]

    def forward(self, x: Tensor) -> Any:
        hidden = self.drop[0](self.first(x).relu(), self)
        return self.last(hidden)


def trained(drop: Any) -> tuple[Finding | None, Any]:
    network = Net(drop)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(8):
            for rows in torch.randperm(300).split(50):
                loss = F.cross_entropy(network(X[rows]), Y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=Y[rows])
    assert watch.failure is None
    case: Any = watch.diagnose(train=(X, Y), loss_fn=F.cross_entropy).case
    return examine(case), case


@pytest.mark.parametrize(
    "drop", [lambda x, net: F.dropout(x), lambda x, net: F.dropout(x, 0.4, bool(net))]
)
def test_dropout_that_is_always_on_is_named_with_its_place(drop: Any) -> None:
    finding, _ = trained(drop)
    assert finding is not None
    assert finding.severity == "warning"
    assert "Asked the same twice in evaluation mode" in finding.explanation
    assert "test_mode_mismatch.py:" in finding.where["places"][0]
    assert finding.evidence[0].observed > 0.1
    assert "training=self.training" in finding.remedies[0].advice


@pytest.mark.parametrize(
    "drop",
    [
        lambda x, net: F.dropout(x, 0.4, training=net.training),
        lambda x, net: x + 0.5 * torch.randn_like(x),
        lambda x, net: x,
    ],
)
def test_what_evaluation_stops_and_what_is_drawn_is_no_fault(drop: Any) -> None:
    assert trained(drop)[0] is None


def test_dropout_that_is_to_work_is_ruled_out() -> None:
    finding, case = trained(lambda x, net: F.dropout(x, 0.1, training=True))
    assert finding is None
    assert case.ruled_out[-1][0] == "mode_mismatch"


@pytest.mark.parametrize("always", [True, False])
def test_noise_in_evaluation_mode_is_named_where_it_costs(always: bool) -> None:
    finding, _ = trained(
        lambda x, net: x + 2 * torch.randn_like(x) if always or net.training else x
    )
    assert (finding is not None) == always
    if finding is not None:
        assert "random numbers are drawn in forward()" in finding.explanation
        assert "self.training" in finding.remedies[0].advice


def test_a_little_noise_in_evaluation_mode_is_not_accused() -> None:
    assert trained(lambda x, net: x + 0.05 * torch.randn_like(x))[0] is None


class Normed(nn.Module):
    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(8, 24), nn.BatchNorm1d(24, momentum=momentum), nn.ReLU(), nn.Linear(24, 2)
        )

    def forward(self, x: Tensor) -> Any:
        return self.body(x)


@pytest.mark.parametrize("momentum", [0.1, 1e-4])
def test_statistics_behind_the_weights_are_told_from_those_that_do_not_follow(
    momentum: float,
) -> None:
    torch.manual_seed(0)
    network = Normed(momentum)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(8):
            for rows in torch.randperm(300).split(50):
                loss = F.cross_entropy(network(20 * X[rows] + 40), Y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=Y[rows])
    if momentum == 0.1:  # as after a few long steps
        network.body[1].running_mean.add_(150)
    diagnosis = watch.diagnose(train=(20 * X + 40, Y), loss_fn=F.cross_entropy)
    case: Any = diagnosis.case
    finding = examine(case)
    assert (finding is None) == (momentum == 0.1)
    if finding is None:
        assert any("a few steps behind the weights" in why for _, why in case.ruled_out)
    else:
        assert "the running statistics of batch norm do not fit" in finding.explanation
        assert [f.condition for f in diagnosis.findings] == ["mode_mismatch"]  # and not the inputs


class Channel(nn.Module):
    def forward(self, message: Tensor) -> Tensor:
        return F.one_hot(message, 8).float() + 0.5 * torch.randn(len(message), 8)


def test_what_is_to_come_through_noise_as_it_went_in_is_no_fault() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(Channel(), nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(150):
            message = torch.randint(8, (64,))
            loss = F.cross_entropy(network(message), message)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=message)
    assert examine(watch.diagnose().case) is None
