"""A training of `ss.train` is observed alike whether hooks or the engine itself show its layers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.observe import training_watcher
from sevensteps.observe.look import Signal
from sevensteps.observe.look_measures import measure_signals
from sevensteps.observe.look_schedule import THINNED_SECONDS
from sevensteps.observe.observation import Observation
from sevensteps.training.observer import Observer


def observation_of(gradient: str, watch: float = 1.0) -> Observation:
    run = ss.train(
        "iris",
        predict="mlp(5)",
        gradient=gradient,
        step="sgd(lr=0.1, momentum=0.5)",
        repeat="batches(32)",
        stop="max_steps(6)",
        watch=watch,
        out=False,
    )
    assert run.diagnosis is not None
    observation: Observation = run.diagnosis.case.observation
    return observation


def test_hooks_and_the_written_chain_rule_show_the_same() -> None:
    hooks, written = observation_of("autograd()"), observation_of("chain_rule()")
    assert len(hooks.looks) == len(written.looks) == 6
    assert hooks.facts == written.facts
    for a, b in zip(hooks.looks, written.looks, strict=True):
        assert (a.lr, a.batch, a.leftover_gradient) == (b.lr, b.batch, b.leftover_gradient)
        assert a.shapes["output"] == b.shapes["output"] == (a.batch, 3)
        assert a.output_gradient is not None
        assert b.output_gradient is not None
        assert torch.allclose(a.output_gradient, b.output_gradient, atol=1e-6)
        common = a.signals.keys() & b.signals.keys()
        assert "output" in common
        for name in common:
            assert torch.allclose(a.signals[name].mean, b.signals[name].mean, atol=1e-5)
            assert torch.allclose(a.signals[name].std, b.signals[name].std, atol=1e-5)
        assert a.changes.keys() == b.changes.keys()
        for name, change in a.changes.items():
            update, other = change.update, b.changes[name].update
            assert update is not None
            assert other is not None
            assert torch.allclose(update, other, atol=1e-5)


def test_step_5_is_the_one_optimizer_group() -> None:
    facts = observation_of("auto()").facts
    assert [(group["optimizer"], group["lr"]) for group in facts.groups] == [("SGD", 0.1)]
    assert facts.groups[0]["momentum"] == 0.5
    assert {parameter.group for parameter in facts.parameters.values()} == {0}


def test_every_loss_and_rate_is_recorded_though_nobody_looks() -> None:
    observation = observation_of("auto()", watch=1e-9)
    assert [step for step, _ in observation.losses] == list(range(6))
    assert observation.rates == [(0, 0.1)]
    assert observation.steps == 6
    assert 0 < observation.watching_seconds < observation.seconds


@pytest.mark.parametrize("gradient", ["autograd()", "chain_rule()"])
def test_the_same_steps_are_looked_at_whatever_the_clock_says(
    gradient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks(tick: float) -> list[int]:
        """By a clock that is one `tick` later whenever it is read: other processes do not move
        it."""
        clock = itertools.count(1000.0, tick)
        monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
        run = ss.train(
            "iris",
            predict="mlp(5)",
            gradient=gradient,
            repeat="batches(32)",
            stop="max_steps(300)",
            out=False,
        )
        assert run.diagnosis is not None
        observation = run.diagnosis.case.observation
        assert "thinned" not in observation.notes
        seconds.append(observation.watching_seconds)
        return [look.step for look in observation.looks]

    seconds: list[float] = []
    expected = looks(tick=1e-6)
    assert expected[:5] == [0, 1, 2, 3, 4]
    assert 100 < expected[-1] < 299, "looks go on, and become rare"
    assert looks(tick=0.02) == expected, "on a machine that is far slower"
    assert seconds[1] > 2 * THINNED_SECONDS > 1000 * seconds[0]


def test_looks_that_take_far_too_long_are_thinned_out_and_the_diagnosis_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, clock, lost = measure_signals, time.perf_counter, [0.0]

    def slow(*arguments: Any) -> Mapping[str, Signal]:
        lost[0] += 0.5
        return real(*arguments)

    monkeypatch.setattr(training_watcher, "measure_signals", slow)
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + lost[0])
    run = ss.train(
        "iris",
        predict="mlp(5)",
        gradient="chain_rule()",
        repeat="batches(32)",
        stop="max_steps(300)",
        out=False,
    )
    assert run.diagnosis is not None
    observation = run.diagnosis.case.observation
    assert 0 < observation.notes["thinned"] < 300
    assert len(observation.looks) < 15
    assert "observed than planned" in " ".join(str(run.diagnosis).split())


@pytest.mark.parametrize("gradient", ["autograd()", "chain_rule()"])
def test_a_training_that_breaks_off_leaves_no_hooks(gradient: str) -> None:
    class Breaks(Observer):
        def stepped(self, training: Any) -> None:
            if training.progress.step == 3:
                raise KeyError("the third step")

    hooks = torch.nn.modules.module._global_forward_hooks
    before = len(hooks)
    data = ss.data.from_arrays(torch.zeros(32, 4), torch.arange(32) % 2)
    with pytest.raises(KeyError, match="the third step"):
        ss.train(
            data,
            predict="mlp(3)",
            gradient=gradient,
            repeat=ss.batches(8),
            stop=ss.epochs(3),
            watch=1.0,
            observers=[Breaks()],
            out=False,
            progress=False,
        )
    assert len(hooks) == before
