"""The loop: seven calls in order, the same numbers as a loop written by hand, observers that change
nothing, and every way to stop.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.errors import DataError
from sevensteps.seeds import generator
from sevensteps.steps.stop import Progress, Stop
from sevensteps.training import loop, state
from sevensteps.training.evaluation import evaluate
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training
from tests.training.trainings import (
    DATA,
    PLAIN,
    Watcher,
    same_bits,
    trained,
    without_times,
)

# -- the seven calls -------------------------------------------------------------------------------


class Spy:
    """Stands before a step's value, notes each call of one method, and hands it on."""

    def __init__(self, calls: list[str], real: Any, **noted: str) -> None:
        self._calls, self._real, self._noted = calls, real, noted

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in self._noted:
            return found

        def noting(*given: Any, **named: Any) -> Any:
            self._calls.append(self._noted[name])
            return found(*given, **named)

        return noting

    def __call__(self, *given: Any, **named: Any) -> Any:
        self._calls.append(self._noted["__call__"])
        return self._real(*given, **named)


class SpyStop(Stop):
    def __init__(self, calls: list[str], real: Stop) -> None:
        self.calls, self.real = calls, real

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        self.calls.append("stop")
        return self.real.reason(progress)


def test_the_seven_steps_are_called_in_their_order() -> None:
    training = state.start(
        resolve(Recipe(DATA, **{**PLAIN, "repeat": "batches(24)", "stop": "epochs(2)"}))
    )
    calls: list[str] = []
    recipe = training.recipe
    training.recipe = SimpleNamespace(  # type: ignore[assignment]
        initialize=Spy(calls, recipe.initialize, __call__="initialize"),
        repeat=Spy(calls, recipe.repeat, epoch="repeat"),
        gradient=recipe.gradient,
        stop=SpyStop(calls, recipe.stop),
        loss=recipe.loss,
    )
    training.engine = Spy(
        calls, training.engine, predict="predict", loss="loss", gradient="gradient"
    )  # type: ignore[assignment]
    training.stepper = Spy(calls, training.stepper, __call__="step")  # type: ignore[assignment]
    loop.train(training)
    one_step = ["predict", "loss", "gradient", "step", "stop"]
    assert calls == [
        "initialize",
        "stop",
        *["repeat", *one_step, *one_step, "stop"],
        "repeat",
        *one_step,
        *one_step,
        "stop",
    ]


# -- the same numbers as a loop written by hand ----------------------------------------------------


def by_hand(
    network: nn.Module,
    make: Callable[[Any], torch.optim.Optimizer],
    *,
    epochs: int,
    size: int = 16,
    shuffle: bool = True,
    clip: float | None = None,
    schedule: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> list[float]:
    """Plain PyTorch on DATA, in float64; the loss of each step."""
    x, y = DATA.train.x.double(), DATA.train.y
    order, optimizer, losses = generator(seed, "order"), make(network.parameters()), []
    scheduler = schedule(optimizer) if schedule else None
    for _ in range(epochs):
        indices = torch.randperm(len(x), generator=order) if shuffle else torch.arange(len(x))
        for index in indices.split(size):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x[index]), y[index])
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            if scheduler:
                scheduler.step()
            losses.append(loss.item())
    return losses


ORACLES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"step": "sgd(lr=0.3)"}, {"make": lambda p: torch.optim.SGD(p, lr=0.3)}),
    (
        {"step": "sgd(lr=0.3, momentum=0.9, nesterov=True, weight_decay=0.01)"},
        {
            "make": lambda p: torch.optim.SGD(
                p, lr=0.3, momentum=0.9, nesterov=True, weight_decay=0.01
            )
        },
    ),
    ({"step": "adam(lr=0.02)"}, {"make": lambda p: torch.optim.Adam(p, lr=0.02)}),
    (
        {"step": "sgd(lr=0.3)", "repeat": "batches(20)"},
        {"make": lambda p: torch.optim.SGD(p, lr=0.3), "size": 20},
    ),
    (
        {"step": "sgd(lr=0.3)", "repeat": "batches(16, shuffle=False)"},
        {"make": lambda p: torch.optim.SGD(p, lr=0.3), "shuffle": False},
    ),
    (
        {"step": "sgd(lr=0.3)", "repeat": "full_batch()"},
        {"make": lambda p: torch.optim.SGD(p, lr=0.3), "size": 48, "shuffle": False},
    ),
    (
        {"step": "sgd(lr=0.3)", "gradient": "chain_rule(clip=0.1)"},
        {"make": lambda p: torch.optim.SGD(p, lr=0.3), "clip": 0.1},
    ),
    (
        {"step": "sgd(lr=0.3)", "gradient": "autograd(clip=0.1)"},
        {"make": lambda p: torch.optim.SGD(p, lr=0.3), "clip": 0.1},
    ),
    (
        {"step": "sgd(lr=cosine(0.5))"},
        {
            "make": lambda p: torch.optim.SGD(p, lr=0.5),
            "schedule": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 12),
        },
    ),
    (
        {"step": "adam(lr=0.02)", "seed": 3},
        {"make": lambda p: torch.optim.Adam(p, lr=0.02), "seed": 3},
    ),
]


@pytest.mark.parametrize(
    ("given", "oracle"), ORACLES, ids=[" ".join(map(str, given.values())) for given, _ in ORACLES]
)
def test_it_trains_as_plain_pytorch_does(given: dict[str, Any], oracle: dict[str, Any]) -> None:
    watcher = Watcher()
    training, _ = trained(observers=(watcher,), **{**given, "stop": "epochs(4)"})
    assert watcher.start is not None
    reference = watcher.start
    losses = by_hand(reference, epochs=4, **oracle)
    assert watcher.losses == pytest.approx(losses, rel=1e-12, abs=1e-12)
    for mine, theirs in zip(training.network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_accumulating_two_batches_is_one_of_twice_the_size() -> None:
    halves, _ = trained(repeat="batches(8, shuffle=False)", gradient="chain_rule(accumulate=2)")
    whole, _ = trained(repeat="batches(16, shuffle=False)", gradient="chain_rule()")
    assert halves.progress.step == whole.progress.step == 9
    assert halves.progress.samples == whole.progress.samples == 3 * 48
    for mine, theirs in zip(halves.network.parameters(), whole.network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_accumulating_weighs_uneven_batches_by_their_samples() -> None:
    # 32 and 16 samples
    halves, _ = trained(
        repeat="batches(32, shuffle=False)", gradient="autograd(accumulate=2, clip=0.05)"
    )
    whole, _ = trained(repeat="full_batch()", gradient="autograd(clip=0.05)")
    assert halves.progress.step == whole.progress.step == 3
    for mine, theirs in zip(halves.network.parameters(), whole.network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("other", ["autograd()", "finite_differences()"])
def test_every_gradient_method_trains_the_same(other: str) -> None:
    given = {"predict": "mlp(5, 4, activation='tanh')", "stop": "epochs(2)"}
    one, _ = trained(gradient="chain_rule()", **given)
    two, _ = trained(gradient=other, **given)
    tolerance = 1e-9 if other == "autograd()" else 1e-6
    torch.testing.assert_close(
        one.engine.parameters, two.engine.parameters, rtol=tolerance, atol=tolerance
    )


# -- observers, evaluation, randomness -------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    given = {"predict": "mlp(6, dropout=0.3)"}
    one, again, other = (trained(seed=seed, **given)[0] for seed in (5, 5, 6))
    assert same_bits(one.network, again.network)
    assert without_times(one.progress.history) == without_times(again.progress.history)
    assert not same_bits(one.network, other.network)


def test_a_batch_size_does_not_shift_the_initial_weights() -> None:
    one, other = Watcher(), Watcher()
    trained(observers=(one,), repeat="batches(16)", predict="mlp(6, dropout=0.5)")
    trained(observers=(other,), repeat="full_batch()", predict="mlp(6, dropout=0.5)")
    assert one.start is not None
    assert other.start is not None
    assert same_bits(one.start, other.start)


def foreign_network() -> nn.Module:
    """A network that draws from PyTorch's global generator when it trains."""
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3)).double()


@pytest.mark.draws
def test_a_network_that_draws_by_itself_repeats_and_leaves_no_trace() -> None:
    network = foreign_network()
    before, weights = torch.random.get_rng_state(), copy.deepcopy(network.state_dict())
    one, _ = trained(predict=network, seed=1)
    torch.testing.assert_close(torch.random.get_rng_state(), before)
    torch.rand(7)  # whatever happens outside in between
    again, _ = trained(predict=network, seed=1)
    other, _ = trained(predict=network, seed=2)
    assert same_bits(one.network, again.network)
    assert not same_bits(one.network, other.network)
    assert all(torch.equal(weights[name], held) for name, held in network.state_dict().items()), (
        "it is a copy that is trained"
    )


@pytest.mark.draws
def test_dropout_of_a_foreign_network_is_really_on() -> None:
    network = foreign_network()
    still = copy.deepcopy(network)
    still[1].p = 0.0
    one, other = trained(predict=network)[0], trained(predict=still)[0]
    assert not same_bits(one.network, other.network)
    assert evaluate(one, "valid") == evaluate(one, "valid"), "and off while it is judged"


class Noisy(nn.Module):
    """Draws from PyTorch's global generator whenever it is asked, also while it is judged."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3, 4, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x + torch.randn_like(x)) @ self.weight.T


def test_a_network_that_draws_while_it_is_judged_repeats_too() -> None:
    before = torch.random.get_rng_state()
    one, again = trained(predict=Noisy())[0], trained(predict=Noisy())[0]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert without_times(one.progress.history) == without_times(again.progress.history)
    assert same_bits(one.network, again.network)


def test_a_loader_gives_its_own_batches() -> None:
    x, y = DATA.train.x, DATA.train.y
    pairs = [(x[start : start + 16], y[start : start + 16]) for start in range(0, 48, 16)]
    one, _ = trained(repeat=ss.loader(pairs))
    other, _ = trained(repeat="batches(16, shuffle=False)")
    assert same_bits(one.network, other.network)


def test_a_shuffling_dataloader_repeats_and_leaves_no_trace() -> None:
    def batches() -> torch.utils.data.DataLoader[Any]:
        return torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(DATA.train.x, DATA.train.y), batch_size=16, shuffle=True
        )

    one, again, other = (trained(repeat=batches(), seed=seed)[0] for seed in (1, 1, 2))
    assert same_bits(one.network, again.network)
    assert one.progress.step == 9
    ordered, _ = trained(repeat="batches(16, shuffle=False)", seed=1)
    assert not same_bits(one.network, ordered.network), "it shuffles"
    assert not same_bits(one.network, other.network)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            [torch.zeros(2, 3), torch.zeros(2)],
            "the loader gives inputs [2, 3], but the data have ['B', 4]; give both the same shape",
        ),
        (
            [torch.zeros(2, 4), torch.zeros(2, 1)],
            "the loader gives targets [2, 1], but the data have ['B']; give both the same shape",
        ),
        ([torch.zeros(2, 4)], "the loader gave a list; a batch must be a pair (x, y)"),
        (torch.zeros(2, 4), "the loader gave a Tensor; a batch must be a pair (x, y)"),
    ],
)
def test_a_loader_of_something_else_is_refused(batch: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        trained(repeat=ss.loader([batch]))
    assert str(caught.value) == message


# -- history, best, and every way to stop ----------------------------------------------------------


def test_a_row_of_the_history() -> None:
    watcher = Watcher()
    training, ended = trained(
        observers=(watcher,),
        repeat="batches(20)",
        step="sgd(lr=exponential(0.5))",
        stop="epochs(2)",
    )
    rows = training.progress.history
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 3), (2, 6)]
    assert ended == ("epochs", "all 2 epochs are done")
    for row, first in zip(rows, (0, 3), strict=True):
        mean = (
            sum(
                n * loss
                for n, loss in zip((20, 20, 8), watcher.losses[first : first + 3], strict=True)
            )
            / 48
        )
        assert row["train"] == {"loss": pytest.approx(mean, rel=1e-12)}, (
            "weighted by samples, not by batches"
        )
        assert row["lr"] == watcher.rates[first + 2]
        assert set(row) == {"epoch", "step", "seconds", "lr", "train", "valid"}
        assert set(row["valid"]) == {"loss", "accuracy", "by_class"}
    assert rows[-1]["valid"] == evaluate(training, "valid")
    assert rows[0]["seconds"] <= rows[1]["seconds"] == training.progress.seconds
    assert watcher.rates == pytest.approx([0.5 * 0.01 ** (k / 6) for k in range(6)])
    assert (training.per_epoch, training.total) == (3, 6)


def test_steps_stop_in_the_middle_of_an_epoch() -> None:
    watcher = Watcher()
    training, ended = trained(observers=(watcher,), stop="max_steps(5)")
    assert ended == ("max_steps", "all 5 steps are done")
    assert [(row["epoch"], row["step"]) for row in training.progress.history] == [(1, 3), (1, 5)]
    assert training.progress.history[-1]["train"]["loss"] == pytest.approx(
        sum(watcher.losses[3:]) / 2
    )
    whole, _ = trained(stop="epochs(2)")
    assert not same_bits(training.network, whole.network)
    exact, ended = trained(stop="max_steps(6)")
    assert same_bits(exact.network, whole.network)
    assert [row["epoch"] for row in exact.progress.history] == [1, 2]


def test_no_epoch_at_all_only_evaluates() -> None:
    watcher = Watcher()
    training, ended = trained(observers=(watcher,), stop="epochs(0)")
    assert ended == ("epochs", "nothing was to be trained")
    assert watcher.seen == ["started", "evaluated", "stopped by epochs: nothing was to be trained"]
    [row] = training.progress.history
    assert (row["epoch"], row["step"], row["seconds"], row["lr"]) == (0, 0, 0.0, 0.0)
    assert row["train"] == evaluate(training, "train")
    assert row["valid"] == evaluate(training, "valid")
    assert watcher.start is not None
    assert same_bits(training.network, watcher.start)
    assert training.best is not None
    assert training.best.epoch == 0


def diverging(**given: Any) -> tuple[Training, tuple[str, str]]:
    """A training whose loss (w - 0.5)² grows by the same factor each epoch, as its lr is too
    large.
    """
    data = ss.data.from_arrays([[1.0], [-1.0]], [0.5, -0.5], valid=None, name="pair")
    return trained(
        data,
        **{
            "predict": "linear()",
            "initialize": "constant(1.0)",
            "repeat": "full_batch()",
            "step": "sgd(lr=1.25)",
            "stop": "epochs(5)",
            **given,
        },
    )


def test_the_best_and_the_last_are_both_kept() -> None:
    training, _ = diverging()
    # w - 0.5 is multiplied by 1 - 2 lr = -1.5 at each step, from 0.5; the best of the epochs is
    # then the first
    weights = [0.5 + 0.5 * (-1.5) ** k for k in range(6)]
    assert training.network.state_dict()["output.weight"].item() == pytest.approx(
        weights[5], rel=1e-12
    )
    assert training.best is not None
    assert training.best.epoch == 1
    assert training.best.weights["output.weight"].item() == pytest.approx(weights[1], rel=1e-12)
    assert training.best.valid == training.progress.history[0]["valid"]
    assert [row["valid"]["loss"] for row in training.progress.history] == pytest.approx(
        [(w - 0.5) ** 2 for w in weights[1:]]
    )
    assert [row["train"]["loss"] for row in training.progress.history] == pytest.approx(
        [(w - 0.5) ** 2 for w in weights[:5]]
    )


def test_the_first_of_equals_is_the_best() -> None:
    training, _ = diverging(initialize="constant(0.5)")  # the solution: no step changes anything
    assert training.best is not None
    assert (training.best.epoch, training.progress.epoch) == (1, 5)
    assert len({row["valid"]["loss"] for row in training.progress.history}) == 1


def test_patience_ends_it() -> None:
    training, ended = diverging(stop="epochs(50) | patience(2)")
    assert ended == ("patience", "no better loss than 0.5625 of epoch 1 for 2 epochs")
    assert training.progress.epoch == 3


def test_the_first_rule_that_answers_ends_it() -> None:
    _, ended = diverging(stop="patience(9) | loss_below(0.7) | epochs(9)")
    assert ended == ("loss_below", "valid loss 0.5625 is below 0.7")
    training, ended = trained(stop="epochs(500) | accuracy(0.8)", step="sgd(lr=0.03)")
    assert ended[0] == "accuracy"
    assert [row["valid"]["accuracy"] >= 0.8 for row in training.progress.history] == [False] * (
        training.progress.epoch - 1
    ) + [True]


def test_a_loss_that_is_not_finite_ends_it_before_its_step() -> None:
    training, ended = diverging(step="sgd(lr=1e38)", stop="epochs(50)")
    assert ended == ("not_finite", "the loss is inf at step 6; the parameters are those before it")
    assert training.progress.step == 5
    assert training.network.state_dict()["output.weight"].isfinite().all()
    before, _ = diverging(step="sgd(lr=1e38)", stop="max_steps(5)")
    assert same_bits(training.network, before.network), "the step of the infinite loss is not taken"
    assert math.isinf(training.progress.history[-1]["valid"]["loss"])
    assert training.best is not None
    assert training.best.epoch == 1


def test_a_loss_that_is_not_finite_from_the_start() -> None:
    training, ended = diverging(initialize="constant(1e200)", stop="epochs(50)")
    assert ended == ("not_finite", "the loss is inf at step 1; the parameters are those before it")
    assert (training.progress.step, training.progress.epoch, training.progress.samples) == (0, 0, 0)
    assert training.network.state_dict()["output.weight"].item() == 1e200
    assert [row["train"] for row in training.progress.history] == [{"loss": math.inf}]


# -- time ------------------------------------------------------------------------------------------


class Clock:
    """Time that moves only when told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_only_training_counts_as_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)

    def slow_evaluate(training: Training, part: str) -> dict[str, Any]:
        clock.now += 1000
        return evaluate(training, part)

    def slow_observer(training: Training) -> None:
        clock.now += 100

    monkeypatch.setattr(loop, "evaluate", slow_evaluate)

    def timed(stop: str, observers: tuple[Observer, ...]) -> tuple[Training, tuple[str, str]]:
        training = state.start(resolve(Recipe(DATA, **{**PLAIN, "stop": stop})))
        forward = training.engine._forward

        def slow_forward(x: Tensor) -> Tensor:
            clock.now += 0.5
            return forward(x)

        monkeypatch.setattr(training.engine, "_forward", slow_forward)
        return training, loop.train(training, observers)

    for observers in ((), (Watcher(slow_observer),)):
        training, _ = timed("epochs(2)", observers)
        assert training.progress.seconds == 3.0
        assert [row["seconds"] for row in training.progress.history] == [1.5, 3.0]
        training, ended = timed("seconds(2)", observers)
        assert ended == ("seconds", "2.0 s of training, 2 s were allowed")
        assert training.progress.step == 4
