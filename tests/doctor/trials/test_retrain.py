"""Trials of a recipe: what a training counts for, when fewer samples will do, and a fault that
stands behind another.
"""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.data import Data, from_arrays
from sevensteps.doctor.finding import Finding, Remedy
from sevensteps.doctor.trials import retrain
from sevensteps.doctor.trials.changes import Change, changed
from sevensteps.doctor.trials.retrain import FEWEST, RecipeBackend, try_recipe
from sevensteps.doctor.trials.trial import best_trial
from sevensteps.errors import ArgumentError, DataError
from sevensteps.training import loop, state, threads
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from tests.helpers.interrupts import InterruptAt

ZEROS = Recipe(
    "digits", predict="mlp(30)", initialize="zeros()", step="adam(lr=0.01)", stop="epochs(3)"
)
CURE: Change = {"initialize": "kaiming_normal()"}


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes during trials; how long a training takes is what a test says."""
    monkeypatch.setattr(
        "sevensteps.doctor.trials.scheduler.time", SimpleNamespace(perf_counter=lambda: 0.0)
    )


def finding(*changes: Change, condition: str = "symmetric_units") -> Finding:
    return Finding(
        condition,
        "initialize",
        "error",
        0.9,
        "All units are the same.",
        [],
        [Remedy(change, "differ") for change in changes],
    )


def resolved(recipe: Recipe) -> Recipe:
    return resolve(recipe).recipe


def clouds(count: int = 3000, rare: int = 0) -> Data:
    """Two clouds of points, and a third of `rare` points."""
    draw = np.random.default_rng(0)
    y = np.arange(count) % 2
    y[:rare] = 2
    return from_arrays(draw.normal(size=(count, 4)) + 2.0 * np.eye(4)[y], y)


# -- one training ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "metric"),
    [
        (replace(ZEROS, initialize="kaiming_normal()"), "accuracy"),
        (Recipe("speed", predict="polynomial(2)", step="sgd(lr=0.01)", stop="epochs(30)"), "r2"),
    ],
)
def test_a_training_counts_for_what_train_gives(recipe: Recipe, metric: str) -> None:
    for change, seed in (({}, 0), ({"step": "sgd(lr=0.05)"}, 3)):
        run = ss.train(recipe, **change, seed=seed, out=False, progress=False)
        train = RecipeBackend(recipe, ss.data.load(recipe.source))
        [(result, seconds)] = train.train([train.prepare(change, seed)])
        assert train.value("underfitting", result) == max(run.metrics["valid"][metric], 0.0)
        assert train.value("overfitting", result) == pytest.approx(
            -math.log(run.metrics["valid"]["loss"])
        )
        assert seconds > 0


def test_what_it_measures_is_said() -> None:
    train = RecipeBackend(ZEROS, ss.data.load("digits"))
    assert train.measure("underfitting") == "validation accuracy"
    assert train.measure("overfitting") == "-log(validation loss)"
    assert (
        RecipeBackend(Recipe("speed"), ss.data.load("speed")).measure("underfitting")
        == "validation r2"
    )


class Explodes(nn.Module):
    """A network whose answers are not a number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x.flatten(1)[:, :1]) * torch.nan


@pytest.mark.parametrize(("data", "worst"), [("speed", 0.0), ("xor", 0.5)])
def test_a_training_that_came_to_no_number_is_worth_an_ignorant_answer(
    data: str, worst: float
) -> None:
    train = RecipeBackend(
        Recipe(data, predict=Explodes(), step="sgd(lr=0.1)", stop="epochs(2)"), ss.data.load(data)
    )
    [(result, _)] = train.train([train.prepare({}, 0)])
    assert train.value("underfitting", result) == worst
    assert train.value("overfitting", result) == -math.inf
    bad = RecipeBackend(
        Recipe(
            "speed",
            predict="linear()",
            initialize="constant(1000.0)",
            step="sgd(lr=1e-9)",
            stop="epochs(1)",
        ),
        ss.data.load("speed"),
    )
    [(result, _)] = bad.train([bad.prepare({}, 0)])
    assert bad.value("underfitting", result) == 0.0  # and so is one much worse than the mean


def test_it_leaves_nothing_behind() -> None:
    network = nn.Linear(2, 1, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    before, drawn = [p.clone() for p in network.parameters()], torch.random.get_rng_state()
    recipe = resolved(
        Recipe("xor", predict=network, step="sgd(lr=0.1)", stop="epochs(3)", threads=1)
    )
    with threads.threads(3):
        try_recipe(recipe, [finding({"step": "sgd(lr=0.5)"})], 0.01)
        assert torch.get_num_threads() == 3
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert torch.equal(drawn, torch.random.get_rng_state())
    assert torch.is_grad_enabled()


# -- many at once ----------------------------------------------------------------------------------


def alone(recipe: Recipe, change: Change, seed: int) -> dict[str, Any]:
    """The last row of the history of the same training by itself."""
    resolved = resolve(changed(replace(recipe, seed=seed), change))
    with threads.threads(1):
        training = state.start(resolved)
        loop.train(training)
    return training.progress.history[-1]


JOBS: list[tuple[Change, int]] = [
    ({}, 0),
    (CURE, 0),
    ({"step": "sgd(lr=0.2)"}, 0),
    ({"predict": "mlp(12)", **CURE}, 0),
    ({"data": "standardize()", **CURE}, 0),
    (CURE, 1),
    ({"step": "adam(lr=0.001)", **CURE}, 1),
    (CURE, 2),
    ({"repeat": "batches(50)", **CURE}, 2),
    ({"data": "standardize()", **CURE}, 2),
]


@pytest.mark.parametrize("predict", ["mlp(30)", "mlp(16, dropout=0.2)", "mlp(16, batch_norm=True)"])
@pytest.mark.sampled(1)
def test_a_race_comes_to_what_each_comes_to_alone(predict: str) -> None:
    recipe = resolved(replace(ZEROS, predict=predict, precision="float64", threads=1))
    train = RecipeBackend(recipe, ss.data.load("digits"))
    ready = [train.prepare(change, seed) for change, seed in JOBS]
    assert max(map(len, train.lockstep_groups(ready))) >= 3
    for (change, seed), (result, _) in zip(JOBS, train.train(ready), strict=True):
        wanted = alone(replace(recipe, data=train.data), change, seed)
        assert result["valid"]["accuracy"] == wanted["valid"]["accuracy"], (change, seed)
        assert result["valid"]["loss"] == pytest.approx(wanted["valid"]["loss"], rel=1e-9), (
            change,
            seed,
        )


def test_one_that_is_trained_alone_comes_to_the_same_bits() -> None:
    recipe = resolved(replace(ZEROS, **CURE, threads=1))
    train = RecipeBackend(recipe, ss.data.load("digits"))
    [(result, _)] = train.train([train.prepare({}, 3)])
    assert {**result, "seconds": 0} == {**alone(recipe, {}, 3), "seconds": 0}


def test_all_trainings_with_a_change_of_the_data_share_them() -> None:
    train = RecipeBackend(resolved(ZEROS), ss.data.load("digits"))
    first, second = (train.prepare({"data": "standardize()"}, seed) for seed in (0, 1))
    assert first.data is second.data is not train.data
    assert train.prepare({}, 0).data is train.data


def test_trials_of_several_findings_are_one_race_and_those_until_proven_are_not() -> None:
    findings = [
        finding({"step": "sgd(lr=0.001)"}, CURE),
        finding({"initialize": "xavier_normal()"}, condition="overfitting"),
    ]
    said: list[str] = []
    made = try_recipe(resolved(ZEROS), findings, 0.02, report=said.append)
    assert said[0] == "symmetric_units, overfitting, 3 remedies: seed 1 of 3, 4 trainings"
    assert [(trial.condition, trial.measure) for trial in made] == [
        ("symmetric_units", "validation accuracy"),
        ("symmetric_units", "validation accuracy"),
        ("overfitting", "-log(validation loss)"),
    ]
    assert [trial.proven for trial in made] == [False, True, True]
    assert [held.trials for held in findings] == [made[:2], made[2:]]
    said.clear()
    assert [
        trial.change
        for trial in try_recipe(
            resolved(ZEROS), findings, 0.02, until_proven=True, report=said.append
        )
    ] == [trial.change for trial in made[:2]]
    assert said[0] == "symmetric_units, 2 remedies: seed 1 of 3, 3 trainings"


def test_what_a_training_holds_grows_with_its_network_and_its_batch() -> None:
    train = RecipeBackend(resolved(ZEROS), ss.data.load("digits"))
    size = {
        predict: train.size(train.prepare({"predict": predict, "repeat": "batches(50)"}, 0))
        for predict in ("mlp(30)", "cnn(8, 16)")
    }
    parameters = 64 * 30 + 30 + 30 * 10 + 10
    layers = 64 + 30 + 30 + 10  # the flat input, the first layer, its activation, the output
    batch = 1438 / 29  # on average
    assert size["mlp(30)"] == pytest.approx(6 * parameters + 2 * batch * layers)
    assert size["cnn(8, 16)"] > 2 * batch * 8 * 64
    assert train.size(train.prepare({"predict": "mlp(30)"}, 0)) != size["mlp(30)"]


def test_an_interrupt_ends_trials_and_keeps_those_that_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finding({"initialize": "ones()"}, CURE)
    before, races = signal.getsignal(signal.SIGINT), list[int]()
    real = retrain.run_race

    def run(racing: Any) -> None:
        races.append(len(racing.members))
        if len(races) == 2:
            racing.members[0].observers = [Presses()]
        real(racing)

    class Presses(InterruptAt):
        """Presses Ctrl-C after a step."""

        def stepped(self, training: Any) -> None:
            if training.progress.step == self.step:
                signal.raise_signal(signal.SIGINT)

        def __init__(self) -> None:
            super().__init__(5)

    monkeypatch.setattr(retrain, "run_race", run)
    with pytest.raises(KeyboardInterrupt):
        try_recipe(resolved(ZEROS), [found], 0.02)
    assert races == [3, 7]
    assert [(trial.change, trial.proven) for trial in found.trials] == [
        ({"initialize": "ones()"}, False)
    ]
    assert signal.getsignal(signal.SIGINT) is before


# -- fewer samples ---------------------------------------------------------------------------------


def test_where_there_is_time_the_whole_problem_is_taken() -> None:
    found = finding(CURE)
    [made] = try_recipe(resolved(ZEROS), [found], 0.01, budget=60)
    assert made.problem == "whole"
    assert made.proven
    assert found.trials == [made]
    assert made.seeds == [0, 1, 2]
    assert all(
        change["initialize"] not in ("zeros()", "kaiming_normal()")
        for change in made.random_changes
    )
    assert len(made.random_changes) == 3


def test_where_time_is_short_fewer_samples_show_the_fault_and_its_cure() -> None:
    recipe, said = resolved(replace(ZEROS, data=clouds(), seed=4)), list[str]()
    # 20 s that it did not take
    [made] = try_recipe(recipe, [finding(CURE)], 20.0, budget=60, report=said.append)
    # 60 s, eleven of 20 s
    assert said[0] == "symmetric_units: does it show with 655 of 2,400 samples?"
    assert made.problem == "655 of 2,400 training samples"
    assert made.verdict.endswith("on 655 of 2,400 training samples")
    assert made.proven
    assert made.seeds == [4, 5, 6]


def test_fewer_samples_are_a_part_of_those_there_are() -> None:
    whole = RecipeBackend(Recipe(clouds()), clouds())
    some = whole.with_fewer_samples(0.3)
    assert (len(some.data.train), len(some.data.valid)) == (720, FEWEST)
    for part in ("train", "valid"):
        mine, all_ = getattr(some.data, part), getattr(whole.data, part)
        rows = {(*x.tolist(), y.item()) for x, y in zip(all_.x, all_.y.flatten(), strict=True)}
        chosen = [(*x.tolist(), y.item()) for x, y in zip(mine.x, mine.y.flatten(), strict=True)]
        assert set(chosen) <= rows
        assert len(set(chosen)) == len(chosen)
        # the same ones for every trial
        assert torch.equal(mine.x, getattr(whole.with_fewer_samples(0.3).data, part).x)
    assert len(whole.with_fewer_samples(0.01).data.train) == FEWEST
    assert len(whole.with_fewer_samples(1.0).data.train) == 2400


def test_where_fewer_samples_do_not_show_it_the_whole_problem_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def shows(self: RecipeBackend, condition: str) -> bool:
        sizes.append(len(self.data.train))
        return len(self.data.train) > 5000

    monkeypatch.setattr(RecipeBackend, "shows", shows)
    for count, seconds, tried, problem in (
        (20_000, 50.0, [1745, 5236], "5,236 of 16,000 training samples"),
        (5_000, 50.0, [FEWEST, 1500], "whole"),
        (1_000, 50.0, [FEWEST], "whole"),
        (800, 50.0, [], "whole"),
        (20_000, 0.1, [], "whole"),
        (20_000, 1e6, [FEWEST, 1500, 4500], "whole"),
    ):
        sizes.clear()
        recipe = resolved(replace(ZEROS, data=clouds(count), stop="epochs(1)"))
        [made] = try_recipe(recipe, [finding(CURE)], seconds, budget=60)
        assert (sizes, made.problem) == (tried, problem), count


def test_a_fault_that_is_not_there_is_not_shown() -> None:
    healthy = RecipeBackend(resolved(replace(ZEROS, **CURE)), ss.data.load("digits"))
    faulty = RecipeBackend(resolved(ZEROS), ss.data.load("digits"))
    assert faulty.shows("symmetric_units")
    assert faulty.shows("underfitting")  # a symptom
    assert not faulty.shows("learning_rate_too_high")
    assert not healthy.shows("symmetric_units")


def test_a_class_that_is_rare_may_be_missing_there() -> None:
    recipe = resolved(replace(ZEROS, data=clouds(3000, rare=3), stop="epochs(1)"))
    with pytest.raises(DataError, match="has no sample of 1 of 3 classes"):
        RecipeBackend(recipe, clouds(3000, rare=3)).with_fewer_samples(FEWEST / 2400)
    [made] = try_recipe(recipe, [finding(CURE)], 40.0, budget=60)
    assert made.problem == "1,500 of 2,399 training samples"


def test_a_loader_brings_samples_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecipeBackend, "shows", lambda self, condition: True)
    data = clouds()
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data.train.x, data.train.y), batch_size=100
    )
    recipe = resolved(replace(ZEROS, data=data, repeat=loader, stop="epochs(1)"))
    [made] = try_recipe(recipe, [finding(CURE)], 20.0, budget=60)
    assert made.problem == "whole"


# -- one fault behind another ----------------------------------------------------------------------


@pytest.mark.long
def test_a_fault_behind_a_fault_is_proven_together() -> None:
    recipe = resolved(replace(ZEROS, step="sgd(lr=20.0)"))
    found = finding(CURE)
    made = try_recipe(recipe, [found], 0.05, budget=100)
    assert made[0].change == CURE
    assert not made[0].proven
    last = best_trial(made)
    assert last is not None
    assert set(last.change) == {"initialize", "step"}
    assert last.change["initialize"] == CURE["initialize"]
    assert last.condition == "symmetric_units"
    assert found.trials == made
    network = ss.train(recipe, **last.change, out=False, progress=False)
    assert network.metrics["valid"]["accuracy"] > 0.3


@pytest.mark.long
def test_behind_a_cure_that_is_enough_there_is_nothing() -> None:
    data = ss.data.load("digits")
    assert RecipeBackend(resolved(ZEROS), data).remedies_behind("symmetric_units", CURE) == []
    twice = RecipeBackend(resolved(replace(ZEROS, step="sgd(lr=20.0)")), data)
    assert {tuple(change) for _, change in twice.remedies_behind("symmetric_units", CURE)} == {
        ("step",)
    }
    # it is still there
    assert twice.remedies_behind("symmetric_units", {"initialize": "constant(0.5)"}) == []
    # which does not fit
    assert twice.remedies_behind("symmetric_units", {"loss": "binary_cross_entropy()"}) == []


def test_nothing_is_tried_together_where_one_is_enough() -> None:
    changes: list[Change] = [{"initialize": "ones()"}, CURE, {"initialize": "xavier_normal()"}]
    made = try_recipe(resolved(ZEROS), [finding(*changes)], 0.02)
    assert [(trial.change, trial.proven) for trial in made] == list(
        zip(changes, (False, True, True), strict=True)
    )
    made = try_recipe(resolved(ZEROS), [finding(*changes)], 0.02, until_proven=True)
    assert [trial.proven for trial in made] == [False, True, True]


# -- what does not fit -----------------------------------------------------------------------------


def test_of_a_change_that_does_not_fit_the_trial_says_so_and_the_others_go_on() -> None:
    first, second = try_recipe(resolved(ZEROS), [finding({"predict": "neuron()"}, CURE)], 0.02)
    assert first.verdict.startswith("not tried, a neuron has one output, but ")
    assert second.proven


@pytest.mark.parametrize("budget", [0, -5, math.nan])
def test_a_budget_is_a_positive_number(budget: Any) -> None:
    with pytest.raises(ArgumentError, match="budget must be"):
        try_recipe(ZEROS, [finding(CURE)], 1.0, budget=budget)


@pytest.mark.parametrize(
    ("condition", "measure"),
    [
        ("overfitting", "-log(validation loss)"),
        ("label_noise", "-log(validation loss)"),
        ("underfitting", "validation accuracy"),
    ],
)
def test_what_shows_in_the_loss_first_is_measured_by_it(condition: str, measure: str) -> None:
    [made, *_] = try_recipe(
        resolved(replace(ZEROS, stop="epochs(1)")), [finding(CURE, condition=condition)], 0.01
    )
    assert made.measure == measure
    assert made.least == retrain.LEAST
