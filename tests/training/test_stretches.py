"""Many steps in one call: the numbers of single steps, whatever the stretches, whoever watches."""

from __future__ import annotations

import dataclasses
import json
from importlib.util import find_spec
from typing import Any

import pytest
import torch

from sevensteps.doctor.observer import DoctorObserver
from sevensteps.record.writer import Writer
from sevensteps.steps.step import Optimizer, sgd
from sevensteps.steps.stop import Progress, Stop
from sevensteps.training import loop, stretches
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training
from sevensteps.training.state import start as begin
from sevensteps.training.state_dict import load_state_dict, state_dict
from sevensteps.view.progress import LiveLine, LogLines
from tests.training.trainings import (
    DATA,
    PLAIN,
    StretchingChainRule,
    Watcher,
    same_bits,
    stretched,
    trained,
    without_times,
)

RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "uneven batches": {"repeat": "batches(10)"},
    "the last batch dropped": {"repeat": "batches(10, drop_last=True)"},
    "not shuffled": {"repeat": "batches(10, shuffle=False)"},
    "an order of its own": {"repeat": "batches(10, seed=7)"},
    "all at once": {"repeat": "full_batch()"},
    "momentum": {"step": "sgd(lr=0.1, momentum=0.9, weight_decay=0.01)", "repeat": "batches(7)"},
    "adam": {"step": "adam(lr=one_cycle(0.05))", "repeat": "batches(7)"},
    "dropout": {"predict": "mlp(6, dropout=0.3)", "repeat": "batches(7)"},
    "clipped": {"gradient": "chain_rule(clip=0.1)", "repeat": "batches(7)"},
    "accumulated": {"gradient": "chain_rule(accumulate=3)", "repeat": "batches(5)"},
    "one by one": {"step": "sgd(lr=0.05)", "repeat": "batches(1)"},
    "in mid-epoch": {"repeat": "batches(7)", "stop": "max_steps(10)"},
}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch may take its time: how long it is depends on no clock."""
    monkeypatch.setattr(stretches, "SECONDS", 1e6)


def engine_of(training: Training) -> StretchingChainRule:
    assert isinstance(training.engine, StretchingChainRule)
    return training.engine


# -- the numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_stretches_train_as_single_steps_do(name: str) -> None:
    given = RECIPES[name]
    one, ended = trained(**given)
    many, ended_too = stretched(**given)
    assert ended == ended_too
    assert max(engine_of(many).stretches) > 1 or given.get("repeat") == "full_batch()"
    torch.testing.assert_close(
        one.engine.parameters, many.engine.parameters, rtol=1e-12, atol=1e-12
    )
    for counter in ("epoch", "step", "samples"):
        assert getattr(one.progress, counter) == getattr(many.progress, counter)
    assert many.progress.loss == pytest.approx(one.progress.loss, rel=1e-12)
    assert many.progress.lr == one.progress.lr
    assert len(one.progress.history) == len(many.progress.history)
    for row, other in zip(one.progress.history, many.progress.history, strict=True):
        assert (row["epoch"], row["step"], row["lr"]) == (
            other["epoch"],
            other["step"],
            other["lr"],
        )
        for part in ("train", "valid"):
            assert row[part]["loss"] == pytest.approx(other[part]["loss"], rel=1e-12)
    for key, generator in one.generators.items():
        assert torch.equal(generator.get_state(), many.generators[key].get_state()), key


@pytest.mark.parametrize("name", RECIPES)
def test_the_bits_do_not_depend_on_the_length_of_stretches(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, _ = stretched(**RECIPES[name])
    monkeypatch.setattr(stretches, "SECONDS", 0.0)
    short, _ = stretched(**RECIPES[name])
    assert set(engine_of(short).stretches) == {1}
    assert same_bits(long.network, short.network)
    assert without_times(long.progress.history) == without_times(short.progress.history)
    assert long.progress.loss == short.progress.loss


class StateAt(Observer):
    """The state where a stretch ends at or after one step, as JSON and tensors of its own."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, training: Training) -> None:
        if training.progress.step == self.step:
            tensors, plain = state_dict(training)
            self.tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            self.plain = json.loads(json.dumps(plain))

    def free_steps(self, training: Training) -> int:
        return max(1, self.step - training.progress.step)


@pytest.mark.parametrize("name", ["momentum", "adam", "dropout", "accumulated", "clipped"])
@pytest.mark.sampled(1)
def test_resumed_after_any_step_it_ends_in_the_same_bits(name: str) -> None:
    whole, _ = stretched(**RECIPES[name])
    for step in range(1, whole.progress.step):
        middle = StateAt(step)
        stretched(observers=(middle,), **RECIPES[name])
        resumed, _ = stretched(
            begin=lambda training, at=middle: load_state_dict(training, at.tensors, at.plain),
            **RECIPES[name],
        )
        assert resumed.progress.step == whole.progress.step
        assert same_bits(whole.network, resumed.network), step
        assert without_times(whole.progress.history) == without_times(resumed.progress.history)


# -- who watches -----------------------------------------------------------------------------------


def test_an_observer_of_steps_sees_every_one() -> None:
    one, many = Watcher(), Watcher()
    trained(observers=(one,), step="sgd(lr=cosine(0.3))")
    training, _ = stretched(observers=(many,), step="sgd(lr=cosine(0.3))")
    assert set(engine_of(training).stretches) == {1}
    assert many.seen == one.seen
    assert many.losses == pytest.approx(one.losses, rel=1e-12)
    assert many.rates == one.rates


class Stretched(Observer):
    """Notes what it is told of stretches of at most `most` steps."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.calls: list[str] = []

    def started(self, training: Training) -> None:
        self.calls.append("started")

    def compiling(self, training: Training) -> None:
        self.calls.append("compiling")

    def free_steps(self, training: Training) -> int:
        return self.most

    def stepped(self, training: Training) -> None:
        self.calls.append("stepped")
        self.losses.append(training.progress.loss)
        self.rates.append(training.progress.lr)

    def stretched(self, training: Training, losses: torch.Tensor, rates: torch.Tensor) -> None:
        assert len(losses) == len(rates) > 1
        assert (losses[-1], rates[-1]) == (training.progress.loss, training.progress.lr)
        self.calls.append("stretched")
        self.losses += losses.tolist()
        self.rates += rates.tolist()


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_losses_and_rates_of_stretches_are_those_of_their_steps(most: int) -> None:
    watcher, observer = Watcher(), Stretched(most)
    recipe = {"step": "sgd(lr=cosine(0.3))", "repeat": "batches(7)"}
    trained(observers=(watcher,), **recipe)
    training, _ = stretched(observers=(observer, LogLines()), **recipe)
    assert max(engine_of(training).stretches) <= most
    assert observer.losses == pytest.approx(watcher.losses, rel=1e-12)
    assert observer.rates == watcher.rates
    assert ("stretched" in observer.calls) == (most > 1)


def test_observers_change_no_bit_and_hear_of_the_compiling(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {"predict": "mlp(6, dropout=0.3)", "step": "adam(lr=0.01)", "repeat": "batches(7)"}
    alone, ended = stretched(**recipe)
    noting = Stretched(4)
    observers = (
        DoctorObserver(),
        Writer(tmp_path / "run", "three"),
        LogLines(),
        LiveLine(),
        noting,
    )
    watched, ended_too = stretched(observers=observers, **recipe)
    assert max(engine_of(watched).stretches) > 1
    assert noting.calls[:2] == ["started", "compiling"]
    assert "compiling the steps of compiled(), once on this machine" in capsys.readouterr().err
    assert (engine_of(watched).compile_calls, watched.compile_seconds) == (1, 2.5)
    assert same_bits(alone.network, watched.network)
    assert ended == ended_too
    assert without_times(alone.progress.history) == without_times(watched.progress.history)


def test_a_look_is_a_stretch_of_one_traced_step() -> None:
    every, most = DoctorObserver(1.0), DoctorObserver(0.5)
    training, _ = stretched(observers=(every,), repeat="batches(4)")
    engine = engine_of(training)
    assert set(engine.stretches) == {1}
    assert engine.traced == [True] * len(engine.traced)
    training, _ = stretched(observers=(most,), repeat="batches(4)", stop="epochs(40)")
    engine = engine_of(training)
    assert {steps for steps, traced in zip(engine.stretches, engine.traced, strict=True) if traced}
    assert all(
        steps == 1 for steps, traced in zip(engine.stretches, engine.traced, strict=True) if traced
    )
    assert engine.traced[:3] == [True] * 3
    assert sum(engine.stretches) == training.progress.step
    looks = most.watcher.observation.looks if most.watcher.observation else []
    assert [look.step for look in looks[:3]] == [0, 1, 2]
    assert sum(engine.traced) >= len(looks) > 3
    one = DoctorObserver(0.5)
    trained(observers=(one,), repeat="batches(4)", stop="epochs(40)")
    assert one.watcher.observation is not None
    assert most.watcher.observation is not None
    assert [step for step, _ in one.watcher.observation.losses] == [
        step for step, _ in most.watcher.observation.losses
    ]
    assert one.watcher.observation.rates == most.watcher.observation.rates
    assert one.watcher.observation.steps == most.watcher.observation.steps


# -- when it is enough -----------------------------------------------------------------------------


class Third(Stop):
    """A rule from elsewhere, which knows nothing of stretches."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        self.asked.append(progress.step)
        return ("third", "three steps") if progress.step >= 3 else None


def test_a_rule_that_knows_nothing_of_stretches_is_asked_after_every_step() -> None:
    rule = Third()
    training, ended = stretched(repeat="batches(7)", stop=rule)
    assert ended == ("third", "three steps")
    assert training.progress.step == 3
    assert rule.asked == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "stop", ["epochs(2)", "max_steps(9)", "patience(1)", "accuracy(0.5)", "loss_below(0.9)"]
)
def test_each_rule_ends_a_training_where_it_ends_that_of_single_steps(stop: str) -> None:
    rules = f"{stop} | epochs(6)"
    (one, ended), (many, ended_too) = trained(stop=rules), stretched(stop=rules)
    assert ended == ended_too
    assert one.progress.step == many.progress.step
    assert one.progress.history[-1]["epoch"] == many.progress.history[-1]["epoch"]


def test_seconds_end_it_within_a_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "SECONDS", 0.001)
    training, (rule, _) = stretched(stop="seconds(0.02)")
    assert rule == "seconds"
    assert training.progress.seconds >= 0.02


class Interrupting(Observer):
    def __init__(self, at: int) -> None:
        self.at = at

    def stepped(self, training: Training) -> None:
        if training.progress.step >= self.at:
            training.progress.interrupted = True

    def free_steps(self, training: Training) -> int:
        return max(1, self.at - training.progress.step)


def test_an_interrupt_ends_it_after_the_stretch_under_way() -> None:
    training, ended = stretched(observers=(Interrupting(4),), repeat="batches(7)")
    assert ended == ("interrupt", "interrupted after step 4")
    assert training.position.steps == training.progress.step == 4


@pytest.mark.parametrize("lr", [3e38, 1e37, 1e25, 1e12])
def test_a_loss_that_is_not_finite_ends_it_before_its_step(lr: float) -> None:
    recipe: dict[str, Any] = {
        "predict": "mlp(5, activation='relu')",
        "step": f"sgd(lr={lr})",
        "loss": "mean_squared_error()",
        "repeat": "batches(7)",
        "stop": "epochs(40)",
    }
    (one, ended), (many, ended_too) = trained(**recipe), stretched(**recipe)
    assert ended[0] == ended_too[0] == "not_finite"
    assert ended == ended_too
    for counter in ("epoch", "step", "samples"):
        assert getattr(one.progress, counter) == getattr(many.progress, counter)
    assert dataclasses.replace(one.position, order=None, loss_sum=0.0) == dataclasses.replace(
        many.position, order=None, loss_sum=0.0
    )
    assert many.position.loss_sum == pytest.approx(one.position.loss_sum, rel=1e-9)
    torch.testing.assert_close(one.engine.parameters, many.engine.parameters, rtol=1e-9, atol=0.0)


# -- compiled() ------------------------------------------------------------------------------------

NEEDS_NUMBA = pytest.mark.skipif(find_spec("numba") is None, reason="needs Numba")


def compiled(
    observers: tuple[Observer, ...] = (), state: StateAt | None = None, **given: Any
) -> Training:
    """A training by `compiled()` that has ended; it goes on from a state, where one is given."""
    training = begin(resolve(Recipe(DATA, **{**PLAIN, **given, "gradient": "compiled()"})))
    if state is not None:
        load_state_dict(training, state.tensors, state.plain)
    loop.train(training, observers)
    return training


@NEEDS_NUMBA
@pytest.mark.parametrize("name", ["one by one", "uneven batches", "momentum", "adam", "dropout"])
@pytest.mark.long  # the machine code of float64 takes long to compile
def test_machine_code_comes_to_the_same_bits_watched_resumed_and_in_any_stretches(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, observers = RECIPES[name], (DoctorObserver(0.5), Writer(tmp_path / "run", "three"))
    long, watched, middle = compiled(**given), compiled(observers, **given), StateAt(8)
    compiled((middle,), **given)
    resumed = compiled(state=middle, **given)
    monkeypatch.setattr(stretches, "SECONDS", 0.0)
    short = compiled(**given)
    for other in (watched, resumed, short):
        assert same_bits(long.network, other.network)
        assert without_times(long.progress.history) == without_times(other.progress.history)
    one, _ = trained(**given)
    torch.testing.assert_close(one.engine.parameters, long.engine.parameters, rtol=1e-9, atol=1e-12)


@NEEDS_NUMBA
@pytest.mark.long
def test_an_optimizer_from_elsewhere_takes_single_steps() -> None:
    class halved(sgd):
        @property
        def torch_class(self) -> Any:
            return torch.optim.Rprop

        def options(self) -> dict[str, Any]:
            return {}

        prepare = Optimizer.prepare

    training = compiled(step=halved(lr=0.01))
    one, _ = trained(step=halved(lr=0.01))
    torch.testing.assert_close(
        one.engine.parameters, training.engine.parameters, rtol=1e-9, atol=1e-12
    )
