"""A replayed step is that of the training, to the bit."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.training import threads
from sevensteps.training.observer import Observer
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training, start
from tests.explain.one_step.trainings import OPTIMIZERS, flat_index, trained


@pytest.mark.parametrize("at", [0, 24])
@pytest.mark.parametrize("step", OPTIMIZERS)
@pytest.mark.sampled(5)
def test_the_weight_is_that_of_the_training_to_the_bit(step: str, at: int) -> None:
    run, history = trained(step=step)
    steps = run.explain.steps(at)
    index = flat_index(steps.weight.name, history)
    assert (steps.weight.old, steps.weight.new) == (
        float(history.before[at][index]),
        float(history.before[at + 1][index]),
    )
    assert steps.weight.gradient == float(history.gradients[at][index])
    assert steps.loss == history.losses[at]
    assert steps.same is True
    # the formula, filled in
    assert steps.weight.update.value == pytest.approx(steps.weight.new, rel=1e-5, abs=1e-7)
    assert abs(steps.weight.update.value - steps.weight.new) < 1e-3 * abs(
        steps.weight.new - steps.weight.old
    )


@pytest.mark.parametrize(
    ("repeat", "gradient"),
    [
        ("batches(64)", "auto()"),
        ("batches(64, shuffle=False)", "auto()"),
        ("batches(50, seed=3)", "auto(accumulate=3)"),
        ("full_batch()", "auto()"),
        ("batches(64)", "auto(clip=0.05)"),
    ],
)
@pytest.mark.sampled(1)
def test_batch_loss_and_gradient_are_those_of_the_samples_it_names(
    repeat: str, gradient: str
) -> None:
    run, history = trained(step="sgd(lr=0.1)", repeat=repeat, gradient=gradient)
    at = 1
    steps = run.explain.steps(at)
    data = ss.data.load("digits")
    network = copy.deepcopy(run.network).double()
    torch.nn.utils.vector_to_parameters(history.before[at].double(), network.parameters())
    rows = list(steps.rows)
    assert len(rows) == steps.size
    loss = nn.functional.cross_entropy(network(data.train.x[rows].double()), data.train.y[rows])
    gradients = torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))]
    )
    assert steps.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    assert steps.losses[0] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert steps.gradient == pytest.approx(float(gradients.norm()), rel=1e-4)
    if steps.clipped is not None:
        assert steps.clipped == pytest.approx(min(0.05, float(gradients.norm())), rel=1e-3)
    changed = (history.before[at] - history.before[at + 1]).double()
    assert steps.foreseen == pytest.approx(float(gradients @ changed), rel=1e-4)
    torch.nn.utils.vector_to_parameters(history.before[at + 1].double(), network.parameters())
    after = nn.functional.cross_entropy(network(data.train.x[rows].double()), data.train.y[rows])
    assert steps.losses[1] == pytest.approx(float(after.detach()), rel=1e-5)
    prediction = steps.guesses[0]
    assert prediction.row == rows[0]
    right = network(data.train.x[rows[:1]].double()).softmax(-1)[0, int(data.train.y[rows[0]])]
    assert prediction.after == pytest.approx(float(right.detach()), rel=1e-4)
    assert sum(steps.members.values()) == steps.size


def test_layers_start_and_change_as_the_training_has_it() -> None:
    run, history = trained(step="sgd(lr=0.1)", initialize="normal(0.3)")
    steps = run.explain.steps(2)
    assert [layer.name for layer in steps.layers] == ["layer1", "output"]
    for layer in steps.layers:
        places = [
            where for name, (where, _) in history.slices.items() if name.startswith(layer.name)
        ]

        def length(of: Tensor, places: list[slice] = places) -> float:
            return math.sqrt(sum(float(of[where].double().square().sum()) for where in places))

        assert layer.parameters == pytest.approx(length(history.before[2]), rel=1e-9)
        assert layer.gradient == pytest.approx(length(history.gradients[2]), rel=1e-9)
        assert layer.change == pytest.approx(
            length(history.before[3].double() - history.before[2].double()), rel=1e-9
        )
        start = history.before[0][places[0]]
        assert layer.started[0][3] == pytest.approx(float(start.std(correction=0)), rel=1e-5)


def test_dropout_leaves_out_the_same_before_and_after() -> None:
    run, _ = trained(predict="mlp(40, dropout=0.5)", step="sgd(lr=1e-6)", seed=3)
    steps = run.explain.steps(30)
    assert steps.same is True
    assert steps.losses[0] == pytest.approx(steps.loss, rel=1e-6)
    assert abs(steps.fall) < 1e-4  # other units left out would move it by a hundred times more


def test_a_schedule_goes_on_as_if_the_training_did() -> None:
    run, _ = trained(step="sgd(lr=one_cycle(0.5))")
    rates = [run.explain.steps(at).lr for at in (0, 13, 45)]
    assert rates == [run.recipe.step.lr(at, 46) for at in (0, 13, 45)]


@pytest.mark.parametrize("stop", ["seconds(0.2)", "epochs(3) | seconds(100)"])
def test_a_limit_in_seconds_does_not_end_it_elsewhere(stop: str) -> None:
    run, history = trained(data="iris", stop=stop, step="sgd(lr=0.1)")
    last = run.summary["steps"] - 1
    steps = run.explain.steps(last)
    assert (steps.loss, steps.same) == (history.losses[last], True)


def test_a_folder_gives_the_same_and_stays_as_it_was(tmp_path: Any) -> None:
    run, history = trained(out=tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    again = ss.load(tmp_path / "run").explain.steps(7)
    assert again.to_dict() == run.explain.steps(7).to_dict()
    assert again.same is True
    assert {
        path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()
    } == before
    after = torch.cat([p.detach().flatten() for p in run.network.parameters()])
    assert torch.equal(after, history.before[-1])


@pytest.mark.draws
def test_a_network_of_ones_own_with_random_numbers_of_its_own() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 20), nn.Dropout(0.3), nn.GELU(), nn.Linear(20, 10)
    )
    run, history = trained(predict=network, step="sgd(lr=0.1)")
    steps = run.explain.steps(5)
    index = flat_index(steps.weight.name, history)
    assert (steps.loss, steps.weight.new) == (history.losses[5], float(history.before[6][index]))
    assert steps.losses[0] == pytest.approx(steps.loss, rel=1e-6)


def test_again_takes_the_threads_of_the_run() -> None:
    run, _ = trained()
    thread_counts = []

    class Look(Observer):
        def started(self, training: Training) -> None:
            thread_counts.append(torch.get_num_threads())

    with threads.threads(2):
        run.explain.subject.rerun([Look()], stop="max_steps(0)")
        assert torch.get_num_threads() == 2
    assert thread_counts == [1]


def test_the_start_is_that_of_a_training_set_up_by_hand() -> None:
    run, history = trained()
    training = start(resolve(replace(run.recipe, stop=ss.steps.parse("stop", "epochs(0)"))))
    training.recipe.initialize(
        training.network,
        training.generators["initialize"],
        *training.parts["train"],
        training.output,
    )
    assert torch.equal(training.engine.parameters, history.before[0])
