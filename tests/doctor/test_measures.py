"""What conditions read off a case, for cases whose numbers are set by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.doctor import measures
from sevensteps.doctor.case import Case
from sevensteps.observe.look import Change, Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from sevensteps.training.recipe import Recipe

pytestmark = pytest.mark.draws


def case(*layers: nn.Module, **parts: Any) -> Case:
    network = nn.Sequential(*layers)
    parameters = list(network.parameters())
    optimizers = [torch.optim.SGD(parameters, lr=0.1, momentum=0.9)] if parameters else []
    return Case(Observation(network_facts(network, optimizers)), **parts)


def with_losses(*losses: float) -> Case:
    observed = case()
    observed.observation.losses.extend(enumerate(losses))
    observed.observation.steps = len(losses)
    return observed


MLP = (nn.Linear(4, 6), nn.ReLU(), nn.BatchNorm1d(6), nn.Linear(6, 3), nn.Sigmoid())


def test_hidden_and_output_layers_are_told_apart() -> None:
    observed = case(*MLP)
    assert [name for _, name in measures.weight_layers(observed)] == ["0.weight", "3.weight"]
    assert [layer.name for layer, _ in measures.hidden_layers(observed)] == ["0"]
    assert [layer.name for layer in measures.hidden_activations(observed)] == ["1"]
    closing = measures.output_activation(observed)
    assert closing is not None
    assert closing.name == "4"
    assert measures.output_activation(case(nn.Linear(2, 2))) is None


def test_updates_are_relative_to_the_weights() -> None:
    change = Change(torch.tensor([3.0, 4.0]), update=torch.tensor([0.3, 0.4]))
    assert measures.total_norm(change.weight) == 5
    assert measures.relative_update(change) == pytest.approx(0.1)
    assert math.isnan(measures.relative_update(Change(torch.zeros(2), update=torch.ones(2))))
    assert math.isnan(measures.relative_update(Change(torch.ones(2))))
    look = Look(0, 1.0, changes={"0.weight": change, "3.weight": Change(torch.ones(1))})
    assert measures.largest_relative_update(case(*MLP), look) == (pytest.approx(0.1), "0")


@pytest.mark.parametrize(
    ("losses", "falls", "swing"),
    [
        ([2.0 - 0.01 * i for i in range(160)], True, None),
        ([1.0] * 160, False, 0.0),
        ([0.5, 1.5] * 80, False, 0.5),
        ([1.0, 0.5], False, 0.0),
    ],
)
def test_whether_the_loss_still_falls(
    losses: list[float], falls: bool, swing: float | None
) -> None:
    observed = with_losses(*losses)
    assert measures.loss_still_falls(observed) is falls
    assert measures.first_loss(observed) == losses[0]
    if swing is not None:
        assert measures.loss_swing(observed) == pytest.approx(swing)
    assert math.isnan(measures.first_loss(with_losses()))


def test_a_step_with_another_rate_keeps_its_form() -> None:
    recipe = Recipe("iris", step="adam(lr=cosine(0.1))")
    observed = case(nn.Linear(2, 2), recipe=recipe)
    observed.observation.looks.append(Look(0, 1.0, lr=(0.1,)))
    assert measures.step_with_rate(observed, 0.01) == "adam(lr=cosine(0.01))"
    assert measures.step_with_rate(case(nn.Linear(2, 2)), 0.234) == "sgd(lr=0.2, momentum=0.9)"


def test_changes_of_a_network_of_dense_layers() -> None:
    assert measures.change_to_mlp(case(*MLP), 2) == {
        "predict": "mlp(16)",
        "initialize": "kaiming_normal()",
    }
    assert measures.change_to_mlp(case(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))) == {}
    recipe = Recipe("digits", predict="cnn(4)")
    assert measures.change_activation(case(recipe=recipe), "tanh") == {
        "predict": 'cnn(4, activation="tanh")'
    }
    recipe = Recipe("digits", stop="epochs(9) | patience(3)")
    assert measures.stop_with_patience(case(recipe=recipe), 5) == "epochs(9) | patience(5)"


def test_numbers() -> None:
    assert measures.median([3, math.nan, 1, 2]) == 2
    assert math.isnan(measures.median([math.nan]))
    assert measures.significant(1234.5) == 1230
    assert measures.significant(-0.00056789, 2) == -0.00057
    assert measures.layer_label("_orig_mod.2") == "layer 2"
    assert measures.layer_label("output") == "output"
