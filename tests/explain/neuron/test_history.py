"""The life of a unit: births, deaths and revivals, as a plain loop counts them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import sevensteps as ss
from sevensteps.explain.neuron.history import UnitHistory, UnitMoment, unit_history
from sevensteps.explain.neuron.units import locate_layer
from tests.explain.neuron.runs import QUICK


def firing_by_hand(seed: int, steps: int, rate: float) -> Tensor:
    """[steps + 1, 6]: the share of samples on which each unit of the second hidden layer fires,
    trained by a plain loop of PyTorch.
    """
    run = ss.train(
        "circles(n=200)",
        predict="mlp(6, 6)",
        step=f"sgd(lr={rate})",
        stop="max_steps(0)",
        seed=seed,
        precision="float64",
        out=False,
    )
    network, data = run.network, ss.data.load("circles(n=200)").train
    x, y = data.x.double(), data.y.double()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    shares = []
    for _ in range(steps + 1):
        sums = network.layer2(network.layer1(x).relu())
        shares.append((sums > 0).double().mean(0))
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network.output(sums.relu()), y).backward()
        optimizer.step()
    return torch.stack(shares)


def test_births_deaths_and_revivals_are_those_of_a_plain_loop() -> None:
    expected = firing_by_hand(1, 40, 2.0)
    run = ss.train(
        "circles(n=200)",
        predict="mlp(6, 6)",
        step="sgd(lr=2.0)",
        repeat="full_batch()",
        stop="max_steps(40)",
        seed=1,
        watch=0,
        precision="float64",
        out=False,
    )
    subject = run.explain.subject
    revived = 0
    for unit in range(6):
        history = unit_history(subject, locate_layer(run.network, "layer2", unit), unit, None)
        assert history.source == "trained again"
        assert history.same
        assert [moment.step for moment in history.moments] == list(range(41))
        assert [moment.firing for moment in history.moments] == pytest.approx(
            expected[:, unit].tolist()
        )
        on = expected[:, unit] > 0
        back = [step for step in range(1, 41) if on[step] and not on[step - 1]]
        gone = [step for step in range(1, 41) if on[step - 1] and not on[step]]
        assert [step for step, what in history.events if what in ("revived", "born")] == back
        assert [step for step, what in history.events if what == "silent"] == gone
        revived += len(back)
    assert revived, "none of the units came back, so this test tells nothing"


def test_watching_saw_the_same_life() -> None:
    run = ss.train(
        "circles(n=200)",
        predict="mlp(6, 6)",
        step="sgd(lr=2.0)",
        repeat="full_batch()",
        stop="max_steps(30)",
        seed=1,
        watch=1.0,
        precision="float64",
        out=False,
    )
    watched, repeated = run.explain.neuron("layer2", 2), run.explain.neuron("layer2", 2, again=True)
    assert (watched.life.source, repeated.life.source) == ("watched", "trained again")
    by_step = {moment.step: moment for moment in repeated.life.moments}
    assert len(watched.life.moments) > 10
    for moment in watched.life.moments:
        assert moment.firing == pytest.approx(by_step[moment.step].firing), moment.step
        assert moment.weights == pytest.approx(by_step[moment.step + 1].weights), (
            "a look sees the weights after its step"
        )
    assert "trained again, on 160 samples" in " ".join(repeated.text().split())
    assert "seen on the batches" in " ".join(watched.text().split())


def test_events_in_words() -> None:
    def of(*firing: float) -> tuple[tuple[int, str], ...]:
        return UnitHistory(
            tuple(UnitMoment(step, share, None, None) for step, share in enumerate(firing)),
            "watched",
        ).events

    assert of(0, 0, 0.5, 0.2) == ((2, "born"),)
    assert of(0.5, 0, 0, 0.1, 0) == ((1, "silent"), (3, "revived"), (4, "silent"))
    assert of(0.5, 0.4) == of(0, 0) == of() == ()


def test_a_life_that_nobody_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    from sevensteps.explain.neuron import history as module

    run = ss.train("iris", predict="mlp(3)", watch=0, **QUICK)
    monkeypatch.setattr(module, "MAX_REPEAT_SECONDS", -1.0)
    unwatched = run.explain.neuron("layer1", 0)
    assert unwatched.life.moments == ()
    assert "--again" in unwatched.text()
    assert run.explain.neuron("layer1", 0, again=True).life.source == "trained again"
    assert "was not watched" in run.explain.neuron("layer1", 0, again=False).text()
