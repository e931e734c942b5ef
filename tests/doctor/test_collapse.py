"""A training that went well and collapsed was not stopped early: its steps had become too long."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.stopped_early import examine as stopped_early
from tests.helpers.seeds import five_seeds, three_seeds

pytestmark = pytest.mark.draws


def trained(
    seed: int,
    rate: Callable[[int], float],
    order: Callable[[int, Tensor], Tensor] = lambda step, y: torch.randint(len(y), (64,)),
    steps: int = 400,
) -> ss.Diagnosis:
    """Three classes on a plane, by SGD with a rate of its own in each step."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        y = torch.arange(600) % 3
        x = torch.randn(600, 8) + 3 * F.one_hot(y, 8)
        network = nn.Sequential(
            nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3)
        )
        optimizer = torch.optim.SGD(network.parameters(), rate(0), momentum=0.9)
        with ss.watch(network, optimizer) as watch:
            for step in range(steps):
                optimizer.param_groups[0]["lr"] = rate(step)
                rows = order(step, y)
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
        return watch.diagnose(train=(x, y), loss_fn=F.cross_entropy)


def conditions(diagnosis: ss.Diagnosis) -> list[str]:
    return [finding.condition for finding in diagnosis.findings]


@five_seeds
def test_a_rate_that_grew_too_high_on_the_way(seed: int) -> None:
    found = trained(seed, lambda step: min(0.02 + max(step - 80, 0) / 100, 1.0))
    assert found.findings[0].condition == "learning_rate_too_high"
    onset = found.findings[0].onset
    assert onset is not None
    assert onset > 80
    assert stopped_early(found.case) is None


@three_seeds
@pytest.mark.long
def test_a_cycle_whose_top_is_too_high(seed: int) -> None:
    run = ss.train(
        "digits",
        step=ss.sgd(lr=ss.one_cycle(0.5), momentum=0.9),
        seed=seed,
        out=False,
        progress=False,
    )
    assert run.findings[0].condition == "learning_rate_too_high"
    (change, *_) = [remedy.change for remedy in run.findings[0].remedies]
    assert change == {"step": "sgd(lr=one_cycle(0.05), momentum=0.9)"}


@five_seeds
def test_a_rate_that_grows_and_does_no_harm(seed: int) -> None:
    assert conditions(trained(seed, lambda step: 0.01 + 0.04 * step / 400)) == []


@five_seeds
def test_classes_that_come_one_after_the_other(seed: int) -> None:
    """What was forgotten is no matter of the rate."""

    def one_class(step: int, y: Tensor) -> Tensor:
        rows = (y == step // 135).nonzero()[:, 0]
        return rows[torch.randint(len(rows), (64,))]

    found = trained(seed, lambda step: 0.02, one_class)
    assert conditions(found)[:1] == ["not_shuffled"]


def test_a_training_that_was_stopped_early() -> None:
    run = ss.train(
        "digits", step=ss.sgd(lr=0.01), stop=ss.epochs(1), out=False, progress=False, seed=0
    )
    assert run.findings[0].condition == "stopped_early"
