"""The metrics of several networks at once are those of each network's outputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.racing.ensemble_metrics import EnsembleMetrics, evaluation_mode
from sevensteps.racing.grouping import resolve_all
from sevensteps.racing.run_race import prepare_race
from sevensteps.training.evaluation import measure
from sevensteps.training.state import Training
from tests.racing.alone import raced, recipe

TASKS = {
    "classes": "iris",
    "two classes": "breast_cancer",
    "numbers": "diabetes",
    "labels": ss.data.from_arrays(
        torch.linspace(-3, 3, 60).reshape(20, 3).sin(),
        (torch.arange(40).reshape(20, 2) % 3 == 0).float(),
        name="labels",
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_they_are_those_of_the_outputs_of_each(name: str) -> None:
    entry = resolve_all([recipe(TASKS[name], repeat="full_batch()")])[0]
    training = prepare_race([entry]).trainings[0]
    x, y = training.parts["train"]
    draw = torch.Generator().manual_seed(0)
    outputs = torch.randn(3, len(x), training.output.size, dtype=torch.float64, generator=draw)
    metrics = EnsembleMetrics(3, y, training.loss, training.output, torch.float64)
    for piece in outputs.split(7, dim=1):
        metrics.add(piece)
    for actual, of_one in zip(metrics.metrics(), outputs, strict=True):
        wanted = measure(of_one, y, training.loss, training.output)
        same_metrics(actual, wanted)


@pytest.mark.parametrize("options", [{}, {"gradient": "autograd()"}], ids=["chain rule", "vmap"])
def test_the_last_and_the_best_networks_are_measured_on_the_training_part(
    options: dict[str, Any],
) -> None:
    # rates so large that the last epoch is not the best of all of them
    recipes = [
        recipe(step=f"sgd(lr={lr})", stop="epochs(7)", **options)
        for lr in (0.1, 3.0, 5.0, 8.0, 11.0, 15.0, 20.0, 30.0)
    ]
    earlier = 0
    for training in raced(recipes).trainings:
        measured = training.train_metrics
        assert measured is not None
        same_metrics(measured["last"], of_network(training, training.network))
        if "best" in measured:
            earlier += 1
            same_metrics(measured["best"], of_network(training, training.best_network()))
    assert earlier


def of_network(training: Training, network: torch.nn.Module) -> dict[str, Any]:
    x, y = training.parts["train"]
    with torch.no_grad():
        metrics = measure(network.eval()(x), y, training.loss, training.output)
    return metrics


def same_metrics(actual: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert actual.keys() == wanted.keys()
    for name, value in wanted.items():
        assert actual[name] == pytest.approx(value, rel=1e-9)


def test_modes_are_put_back() -> None:
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.ReLU()).train()
    network[1].eval()
    with evaluation_mode([network]):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
