"""One step against an oracle: the same recipe trained alone, its gradient by autograd, its
optimizer torch's own.
"""

from __future__ import annotations

import copy
import math
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.explain.one_step.answer import Steps
from sevensteps.training import threads
from sevensteps.training.observer import Observer
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training, start

SHORT: dict[str, Any] = {
    "predict": "mlp(12)",
    "stop": "epochs(2)",
    "threads": 1,
    "out": False,
    "progress": False,
}


class Keeper(Observer):
    """What each step of a training started from and came to."""

    def __init__(self) -> None:
        self.before: list[Tensor] = []
        self.gradients: list[Tensor] = []
        self.losses: list[float] = []

    def started(self, training: Training) -> None:
        self.slices = training.engine.slices
        self.before.append(training.engine.parameters.clone())

    def stepped(self, training: Training) -> None:
        self.before.append(training.engine.parameters.clone())
        self.gradients.append(training.engine.gradients.clone())
        self.losses.append(training.progress.loss)


def trained(data: Any = "digits", **steps: Any) -> tuple[ss.Run, Keeper]:
    kept = Keeper()
    return ss.train(data, observers=[kept], **{**SHORT, **steps}), kept


def place(name: str, kept: Keeper) -> int:
    """Where a weight such as `layer1.weight[3, 1]` lies in the flat vector."""
    tensor, _, index = name.partition("[")
    where, shape = kept.slices[tensor]
    return where.start + int(
        torch.arange(shape.numel()).reshape(shape)[
            tuple(int(i) for i in index.rstrip("]").split(","))
        ]
    )


OPTIMIZERS = [
    "sgd(lr=0.1)",
    "sgd(lr=0.1, momentum=0.9)",
    "sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)",
    "sgd(lr=0.1, weight_decay=0.1)",
    "adam(lr=0.01)",
    "adam(lr=one_cycle(0.02), weight_decay=0.1)",
    "adamw(lr=0.01)",
    "rmsprop(lr=0.001)",
    "rmsprop(lr=0.001, momentum=0.5, weight_decay=0.1)",
    "adagrad(lr=0.01, weight_decay=0.1)",
]


@pytest.mark.parametrize("at", [0, 24])
@pytest.mark.parametrize("step", OPTIMIZERS)
def test_the_weight_is_that_of_the_training_to_the_bit(step: str, at: int) -> None:
    run, kept = trained(step=step)
    found = run.explain.steps(at)
    where = place(found.weight.name, kept)
    assert (found.weight.old, found.weight.new) == (
        float(kept.before[at][where]),
        float(kept.before[at + 1][where]),
    )
    assert found.weight.gradient == float(kept.gradients[at][where])
    assert found.loss == kept.losses[at]
    assert found.same is True
    assert found.weight.update.value == pytest.approx(
        found.weight.new, rel=1e-5, abs=1e-7
    )  # the formula, filled in
    assert abs(found.weight.update.value - found.weight.new) < 1e-3 * abs(
        found.weight.new - found.weight.old
    )


@pytest.mark.parametrize("step", OPTIMIZERS)
def test_the_formula_is_that_of_torch(step: str) -> None:
    """25 steps of torch's optimizer on one float64 weight, with the gradients that the training
    had.
    """
    run, kept = trained(step=step, precision="float64")
    found = run.explain.steps(24)
    where = place(found.weight.name, kept)
    weight = nn.Parameter(kept.before[0][where].clone().reshape(1))
    optimizer = run.recipe.step.torch_class([weight], lr=1.0, **run.recipe.step.options())
    for number, gradient in enumerate(kept.gradients[:25]):
        weight.grad = gradient[where].reshape(1)
        rate = run.recipe.step.lr
        optimizer.param_groups[0]["lr"] = (
            rate(number, len(kept.gradients)) if callable(rate) else rate
        )
        optimizer.step()
    assert found.weight.update.value == pytest.approx(float(weight.detach()), rel=1e-12)
    assert found.weight.new == pytest.approx(float(weight.detach()), rel=1e-12)


def test_what_is_printed_reads_back_to_the_same_bits() -> None:
    for precision in ("float32", "float64"):
        run, kept = trained(precision=precision)
        found = run.explain.steps(3)
        was, now = re.search(r" was (\S+),\s+is\s+(\S+)", str(found)).groups()  # type: ignore[union-attr]
        kind = kept.before[0].dtype
        where = place(found.weight.name, kept)
        assert torch.tensor(float(was), dtype=kind) == kept.before[3][where]
        assert torch.tensor(float(now), dtype=kind) == kept.before[4][where]


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
def test_batch_loss_and_gradient_are_those_of_the_samples_it_names(
    repeat: str, gradient: str
) -> None:
    run, kept = trained(step="sgd(lr=0.1)", repeat=repeat, gradient=gradient)
    at = 1
    found = run.explain.steps(at)
    data = ss.data.load("digits")
    network = copy.deepcopy(run.network).double()
    torch.nn.utils.vector_to_parameters(kept.before[at].double(), network.parameters())
    rows = list(found.rows)
    assert len(rows) == found.size
    loss = nn.functional.cross_entropy(network(data.train.x[rows].double()), data.train.y[rows])
    gradients = torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))]
    )
    assert found.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    assert found.losses[0] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert found.gradient == pytest.approx(float(gradients.norm()), rel=1e-4)
    if found.clipped is not None:
        assert found.clipped == pytest.approx(min(0.05, float(gradients.norm())), rel=1e-3)
    changed = (kept.before[at] - kept.before[at + 1]).double()
    assert found.foreseen == pytest.approx(float(gradients @ changed), rel=1e-4)
    torch.nn.utils.vector_to_parameters(kept.before[at + 1].double(), network.parameters())
    after = nn.functional.cross_entropy(network(data.train.x[rows].double()), data.train.y[rows])
    assert found.losses[1] == pytest.approx(float(after.detach()), rel=1e-5)
    guess = found.guesses[0]
    assert guess.row == rows[0]
    right = network(data.train.x[rows[:1]].double()).softmax(-1)[0, int(data.train.y[rows[0]])]
    assert guess.after == pytest.approx(float(right.detach()), rel=1e-4)
    assert sum(found.members.values()) == found.size


def test_plain_descent_promises_lr_times_the_squared_gradient() -> None:
    run, _ = trained(step="sgd(lr=0.001)", precision="float64")
    found = run.explain.steps()
    assert found.foreseen == pytest.approx(0.001 * found.gradient**2, rel=1e-9)
    assert found.fall == pytest.approx(
        found.foreseen, rel=0.01
    )  # so short a step that the slope holds
    assert "lr · |gradient|²" in str(found)


def test_layers_start_and_change_as_the_training_has_it() -> None:
    run, kept = trained(step="sgd(lr=0.1)", initialize="normal(0.3)")
    found = run.explain.steps(2)
    assert [layer.name for layer in found.layers] == ["layer1", "output"]
    for layer in found.layers:
        places = [where for name, (where, _) in kept.slices.items() if name.startswith(layer.name)]

        def length(of: Tensor, places: list[slice] = places) -> float:
            return math.sqrt(sum(float(of[where].double().square().sum()) for where in places))

        assert layer.parameters == pytest.approx(length(kept.before[2]), rel=1e-9)
        assert layer.gradient == pytest.approx(length(kept.gradients[2]), rel=1e-9)
        assert layer.change == pytest.approx(
            length(kept.before[3].double() - kept.before[2].double()), rel=1e-9
        )
        start = kept.before[0][places[0]]
        assert layer.started[0][3] == pytest.approx(float(start.std(correction=0)), rel=1e-5)


def test_dropout_leaves_out_the_same_before_and_after() -> None:
    run, _ = trained(predict="mlp(40, dropout=0.5)", step="sgd(lr=1e-6)", seed=3)
    found = run.explain.steps(30)
    assert found.same is True
    assert found.losses[0] == pytest.approx(found.loss, rel=1e-6)
    assert abs(found.fall) < 1e-4  # other units left out would move it by a hundred times more


def test_a_schedule_goes_on_as_if_the_training_did() -> None:
    run, _ = trained(step="sgd(lr=one_cycle(0.5))")
    rates = [run.explain.steps(at).lr for at in (0, 13, 45)]
    assert rates == [run.recipe.step.lr(at, 46) for at in (0, 13, 45)]


@pytest.mark.parametrize("stop", ["seconds(0.2)", "epochs(3) | seconds(100)"])
def test_a_limit_in_seconds_does_not_end_it_elsewhere(stop: str) -> None:
    run, kept = trained(data="iris", stop=stop, step="sgd(lr=0.1)")
    last = run.summary["steps"] - 1
    found = run.explain.steps(last)
    assert (found.loss, found.same) == (kept.losses[last], True)


def test_a_folder_says_the_same_and_stays_as_it_was(tmp_path: Any) -> None:
    run, kept = trained(out=tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    again = ss.load(tmp_path / "run").explain.steps(7)
    assert again.to_dict() == run.explain.steps(7).to_dict()
    assert again.same is True
    assert {
        path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()
    } == before
    after = torch.cat([p.detach().flatten() for p in run.network.parameters()])
    assert torch.equal(after, kept.before[-1])


@pytest.mark.draws
def test_a_network_of_ones_own_with_random_numbers_of_its_own() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 20), nn.Dropout(0.3), nn.GELU(), nn.Linear(20, 10)
    )
    run, kept = trained(predict=network, step="sgd(lr=0.1)")
    found = run.explain.steps(5)
    where = place(found.weight.name, kept)
    assert (found.loss, found.weight.new) == (kept.losses[5], float(kept.before[6][where]))
    assert found.losses[0] == pytest.approx(found.loss, rel=1e-6)


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        ("diabetes", {}),
        ("speed", {"predict": "polynomial(2)", "step": "sgd(lr=1e-5)"}),
        ("circles", {"predict": "neuron()"}),
        ("digits", {"predict": "cnn(4)"}),
        ("digits", {"loss": "mean_squared_error()"}),
        ("digits37", {"loss": "hinge()"}),
        ("digits", {"predict": "mlp(6, 6, 6, 6, 6, 6, 6, 6, 6, batch_norm=True)"}),
        ("iris", {"precision": "bf16"}),
        ("xor", {"predict": "mlp(3)", "gradient": "finite_differences()"}),
    ],
)
def test_every_kind_of_training_fits_a_screen(data: str, steps: dict[str, Any]) -> None:
    run, kept = trained(data, **steps)
    found: Steps = run.explain.steps()
    assert found.loss == kept.losses[0]
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 44
    heads = [line.split()[1] for line in lines if re.match(r"\d  \w", line)]
    assert heads == list(ss.steps.STEPS)


def test_a_rule_that_is_no_slope_promises_nothing() -> None:
    rows = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    data = ss.data.from_arrays(rows.repeat(5, 1).numpy(), [0, 0, 0, 1] * 5)
    run, _ = trained(data, predict="neuron('step')")
    found = run.explain.steps()
    assert found.foreseen is None
    assert "promises no fall" in " ".join(str(found).split())


@pytest.mark.parametrize("at", [-1, 46, 10**9])
def test_a_step_that_there_was_not(at: int) -> None:
    run, _ = trained()
    with pytest.raises(ss.Error, match="46, counted from 0 to 45"):
        run.explain.steps(at)


def test_nothing_was_trained() -> None:
    run = ss.train("digits37", predict="pixel_similarity()", out=False, progress=False)
    with pytest.raises(ss.Error, match="took no step"):
        run.explain.steps()


def test_again_takes_the_threads_of_the_run() -> None:
    run, _ = trained()
    seen = []

    class Look(Keeper):
        def started(self, training: Training) -> None:
            seen.append(torch.get_num_threads())

    with threads.threads(2):
        run.explain.subject.rerun([Look()], stop="max_steps(0)")
        assert torch.get_num_threads() == 2
    assert seen == [1]


def test_the_start_is_that_of_a_training_set_up_by_hand() -> None:
    run, kept = trained()
    training = start(resolve(replace(run.recipe, stop=ss.steps.parse("stop", "epochs(0)"))))
    training.recipe.initialize(
        training.network,
        training.generators["initialize"],
        *training.parts["train"],
        training.output,
    )
    assert torch.equal(training.engine.parameters, kept.before[0])
