"""The spread of codes, of networks in which it is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.codes import Codes, Posterior, codes
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

X = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def answers(
    function: Any, x: Tensor = X, first: Tensor | None = None
) -> tuple[list[Codes], list[Posterior]]:
    network = Net(function)
    known = Case(Observation(network_facts(network)), network, train=(x, torch.zeros(len(x))))
    known.observation.looks.append(Look(0, 1.0, output=first))
    given = codes(known)
    assert known.not_judged == []
    return given or ([], [])


def test_the_spread_is_that_between_samples() -> None:
    ((code,), posteriors) = answers(lambda x: 10 + 0.1 * x, first=3 * X[:10])
    assert (code.samples, code.dimensions) == (64, 6)
    assert code.spread == pytest.approx(0.1, rel=0.2)
    assert code.size == pytest.approx(10, rel=0.01)
    assert code.relative == pytest.approx(0.01, rel=0.2)
    assert code.at_first == pytest.approx(3, rel=0.2)
    assert posteriors == []


def test_one_point_for_all_has_no_spread() -> None:
    ((code,), _) = answers(lambda x: 0 * x + torch.arange(6.0))
    assert (code.spread, code.at_first) == (0, None)


def test_numbers_and_inputs_that_are_alike_are_no_codes() -> None:
    assert answers(lambda x: x.sum(1, keepdim=True)) == ([], [])
    assert answers(lambda x: x / 0) == ([], [])
    assert answers(lambda x: x, torch.ones(200, 6)) == ([], [])
    assert answers(lambda x: x, X[:4]) == ([], [])


def test_a_posterior_is_measured_against_its_prior() -> None:
    """The divergence in closed form: ½ (μ² + σ² - 1 - log σ²) for each number."""
    for mean, log_variance in ((0.0, 0.0), (1.0, 0.0), (0.5, -2.0)):
        shift = torch.full((1, 3), mean)
        _, posteriors = answers(
            lambda x, m=shift, v=log_variance: (x, m + 0 * x[:, :3], 0 * x[:, :3] + v)
        )
        (posterior,) = posteriors
        assert (posterior.mean, posterior.log_variance) == ("1", "2")
        wanted = 1.5 * (mean**2 + math.exp(log_variance) - 1 - log_variance)
        assert posterior.divergence == pytest.approx(wanted, abs=1e-6)
    assert answers(lambda x: (x[:, :3], x[:, 3:]))[1] == []  # two outputs are no three
