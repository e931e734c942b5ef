"""The contract table of step 3: every loss on every task it takes, against its derivative,
PyTorch's own losses and closed forms.
"""

from __future__ import annotations

import math
from typing import Any

import jaxtyping
import numpy
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sevensteps.errors import ArgumentError, ShapeError
from sevensteps.head import Output
from sevensteps.steps import loss as losses
from sevensteps.steps.loss import Loss
from tests.steps.examples import examples
from tests.steps.loss_table import LOSS_ROWS, TASKS

LOSSES = examples("loss", "auto")

OUTPUTS = {name: row.outputs for name, row in LOSS_ROWS.items()}
ORACLES = {text: oracle for row in LOSS_ROWS.values() for text, oracle in row.oracles.items()}
KINKS = {text: kink for row in LOSS_ROWS.values() for text, kink in row.kinks.items()}
TAKEN = [
    (loss, kind)
    for loss in LOSSES
    for kind in TASKS
    if not isinstance(OUTPUTS[type(loss).__name__][kind], str)
]


def sample(
    loss: Loss, kind: str, size: int, seed: int, scale: float = 2.0
) -> tuple[Tensor, Tensor, Output]:
    """Outputs in float64 and coded targets, for `loss` on the task of that kind."""
    task, draw = TASKS[kind], torch.Generator().manual_seed(seed)
    output = loss.output(task)
    outputs = scale * torch.randn(size, output.size, generator=draw, dtype=torch.float64)
    if output.layer == "log_softmax":
        outputs = outputs.log_softmax(1)
    if task.kind == "regression":
        target = torch.randn(size, task.targets, generator=draw, dtype=torch.float64)
    elif task.kind == "multiclass":
        target = torch.randint(len(task.classes), (size,), generator=draw)
    else:
        target = torch.randint(2, (size, task.targets), generator=draw).double()
    coded = output.encode(target)
    return outputs, coded.double() if coded.is_floating_point() else coded, output


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for users: without the check of types, which says the same, to programmers."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def test_the_tables_hold_every_loss() -> None:
    assert [name for name in losses.__all__ if name != "auto"] == list(OUTPUTS)
    assert {repr(loss) for loss in LOSSES} == set(ORACLES)
    assert all(set(rows) == set(TASKS) for rows in OUTPUTS.values())


# -- what it asks of the output layer --------------------------------------------------------------


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_each_task_gets_its_output_layer_or_a_reason(loss: Loss, kind: str) -> None:
    wanted = OUTPUTS[type(loss).__name__][kind]
    if isinstance(wanted, str):
        with pytest.raises(ArgumentError) as refused:
            loss.output(TASKS[kind])
        assert str(refused.value) == wanted
    else:
        size, link, coding, threshold, layer, reason = wanted
        found: Any = Output(TASKS[kind], size, link, coding, reason, layer, threshold)  # type: ignore[arg-type]
        assert loss.output(TASKS[kind]) == found


@pytest.mark.parametrize(
    ("kind", "hard", "chosen", "reason"),
    [
        (
            "regression",
            False,
            "mean_squared_error()",
            "each target is a number: the squared distance to it",
        ),
        (
            "columns",
            False,
            "mean_squared_error()",
            "each target is 3 numbers: the squared distance to it",
        ),
        (
            "binary",
            False,
            "binary_cross_entropy()",
            "the targets are two classes, 3 and 7: minus the log of the probability given to the "
            "true answer",
        ),
        (
            "multiclass",
            False,
            "cross_entropy()",
            "the targets are 4 classes: minus the log of the probability given to the right one",
        ),
        (
            "multilabel",
            False,
            "binary_cross_entropy()",
            "each target has 3 yes/no labels: minus the log of the probability given to the true "
            "answer",
        ),
        (
            "binary",
            True,
            "mean_absolute_error()",
            "the answers are 0 or 1: their mean distance to the targets is the share of wrong ones",
        ),
    ],
)
def test_auto_takes_what_the_task_asks_for(kind: str, hard: bool, chosen: str, reason: str) -> None:
    value, why = losses.choose(TASKS[kind], hard)
    assert (repr(value), why) == (chosen, reason)


# -- value and derivative --------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "kind"), TAKEN, ids=repr)
@given(size=st.integers(1, 12), seed=st.integers(0, 10**6), scale=st.floats(0.01, 20))
def test_one_number_per_sample_and_none_below_the_floor(
    loss: Loss, kind: str, size: int, seed: int, scale: float
) -> None:
    outputs, target, _ = sample(loss, kind, size, seed, scale)
    found = loss(outputs, target)
    assert found.shape == (size,)
    assert found.dtype == torch.float64
    assert bool((found >= loss.floor).all())
    assert torch.equal(
        loss(outputs.float(), target).double() >= loss.floor, torch.ones(size, dtype=torch.bool)
    )
    for index in range(size):  # a sample's loss knows nothing of the others
        assert torch.allclose(
            loss(outputs[index : index + 1], target[index : index + 1]),
            found[index : index + 1],
            rtol=1e-12,
        )


@pytest.mark.parametrize(("loss", "kind"), TAKEN, ids=repr)
@given(size=st.integers(1, 12), seed=st.integers(0, 10**6), scale=st.floats(0.01, 20))
def test_the_value_is_that_of_the_oracle(
    loss: Loss, kind: str, size: int, seed: int, scale: float
) -> None:
    outputs, target, _ = sample(loss, kind, size, seed, scale)
    wanted = ORACLES[repr(loss)](outputs, target)
    assert torch.allclose(loss(outputs, target), wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("loss", "kind"), TAKEN, ids=repr)
@given(size=st.integers(1, 12), seed=st.integers(0, 10**6), scale=st.floats(0.01, 20))
def test_the_derivative_is_autograd_s(
    loss: Loss, kind: str, size: int, seed: int, scale: float
) -> None:
    outputs, target, _ = sample(loss, kind, size, seed, scale)
    outputs.requires_grad_()
    (wanted,) = torch.autograd.grad(loss(outputs, target).sum(), outputs)
    found = loss.derivative(outputs.detach(), target)
    assert found.shape == outputs.shape
    assert float((found - wanted).norm()) <= 1e-9 * float(wanted.norm()) + 1e-300


@pytest.mark.parametrize(("loss", "kind"), TAKEN, ids=repr)
@given(size=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_the_derivative_is_that_of_central_differences(
    loss: Loss, kind: str, size: int, seed: int
) -> None:
    outputs, target, _ = sample(loss, kind, size, seed)
    if repr(loss) in KINKS:  # moved to where there is none within reach
        near = KINKS[repr(loss)](outputs, target) < 1e-3
        outputs = torch.where(near, outputs + 0.01, outputs)
    found = loss.derivative(outputs, target)
    wanted = torch.zeros_like(outputs)
    for column in range(outputs.shape[1]):
        step = torch.zeros(outputs.shape[1], dtype=torch.float64)
        step[column] = 1e-5
        wanted[:, column] = (loss(outputs + step, target) - loss(outputs - step, target)) / 2e-5
    assert float((found - wanted).norm()) <= 1e-6 * float(wanted.norm()) + 1e-9


@pytest.mark.parametrize(
    ("loss", "output", "target", "value", "derivative"),
    [
        (losses.mean_squared_error(), [[3.0]], [[1.0]], 4.0, [[4.0]]),
        (losses.mean_squared_error(), [[3.0, 1.0]], [[1.0, 1.0]], 2.0, [[2.0, 0.0]]),
        (losses.mean_absolute_error(), [[3.0, 1.0]], [[1.0, 1.0]], 1.0, [[0.5, 0.0]]),
        (losses.huber(0.5), [[3.0]], [[1.0]], 0.5 * (2 - 0.25), [[0.5]]),
        (losses.huber(2.0), [[3.0]], [[2.0]], 0.5, [[1.0]]),
        (losses.binary_cross_entropy(), [[0.0]], [[1.0]], math.log(2), [[-0.5]]),
        (losses.binary_cross_entropy(), [[-1000.0]], [[1.0]], 1000.0, [[-1.0]]),
        (losses.binary_cross_entropy(), [[1000.0]], [[1.0]], 0.0, [[0.0]]),
        (losses.cross_entropy(), [[0.0, 0.0]], [1], math.log(2), [[0.5, -0.5]]),
        (losses.cross_entropy(), [[1000.0, 0.0]], [1], 1000.0, [[1.0, -1.0]]),
        (losses.cross_entropy(), [[1000.0, 0.0]], [0], 0.0, [[0.0, 0.0]]),
        (losses.mnist_loss(), [[0.0]], [[0.0]], 0.5, [[0.25]]),
        (losses.mnist_loss(), [[1000.0]], [[0.0]], 1.0, [[0.0]]),
        (losses.negative_log_likelihood(), [[-0.5, -2.0]], [1], 2.0, [[0.0, -1.0]]),
        (losses.hinge(), [[0.25]], [[1.0]], 0.75, [[-1.0]]),
        (losses.hinge(), [[0.25]], [[0.0]], 1.25, [[1.0]]),
        (losses.hinge(), [[1.0]], [[1.0]], 0.0, [[0.0]]),
    ],
)
def test_values_known_by_hand(
    loss: Loss, output: list[list[float]], target: Any, value: float, derivative: list[list[float]]
) -> None:
    outputs, targets = torch.tensor(output, dtype=torch.float64), torch.tensor(target)
    assert loss(outputs, targets).tolist() == [pytest.approx(value)]
    assert torch.allclose(
        loss.derivative(outputs, targets), torch.tensor(derivative, dtype=torch.float64)
    )


@pytest.mark.parametrize(("loss", "kind"), TAKEN, ids=repr)
def test_the_best_output_reaches_the_floor(loss: Loss, kind: str) -> None:
    _, target, output = sample(loss, kind, 6, 0)
    if output.coding == "index":
        best = 200 * F.one_hot(target, output.size).double()
        best = best.log_softmax(1) if output.layer == "log_softmax" else best
    elif TASKS[kind].kind == "regression" or output.threshold == 0.5:
        best = target
    else:
        best = 200 * (2 * target - 1)
    assert loss(best, target).tolist() == pytest.approx([loss.floor] * 6, abs=1e-12)
    if type(loss) is not losses.negative_log_likelihood:  # whose slope is the same everywhere
        assert float(loss.derivative(best, target).abs().max()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "loss",
    [loss for loss in LOSSES if OUTPUTS[type(loss).__name__]["binary"][2] == "value"],
    ids=repr,
)
def test_whole_number_targets_of_yes_and_no_count_as_numbers(loss: Loss) -> None:
    outputs, target, _ = sample(loss, "binary", 5, 0)
    assert torch.equal(loss(outputs, target.long()), loss(outputs, target))
    assert torch.equal(loss.derivative(outputs, target.long()), loss.derivative(outputs, target))
    assert torch.equal(loss.derivative(outputs, target.float()), loss.derivative(outputs, target))


def test_the_hinge_of_yes_and_no_is_scikit_learn_s() -> None:
    from sklearn.metrics import hinge_loss

    outputs, target, _ = sample(losses.hinge(), "binary", 50, 3)
    assert float(losses.hinge()(outputs, target).mean()) == pytest.approx(
        hinge_loss(target[:, 0].numpy(), outputs[:, 0].numpy())
    )


def test_negative_log_likelihood_after_log_softmax_is_cross_entropy() -> None:
    outputs, target, _ = sample(losses.cross_entropy(), "multiclass", 20, 1)
    assert torch.allclose(
        losses.negative_log_likelihood()(outputs.log_softmax(1), target),
        losses.cross_entropy()(outputs, target),
    )


def test_negative_log_likelihood_of_probabilities_lies_between_minus_one_and_zero() -> None:
    outputs, target, _ = sample(losses.cross_entropy(), "multiclass", 20, 1)
    found = losses.negative_log_likelihood()(outputs.softmax(1), target)
    assert -1 < float(found.min()) <= float(found.max()) < 0


# -- a network that knows nothing ------------------------------------------------------------------

NUMBERS = torch.tensor([[1.0, 0.0], [2.0, 4.0], [6.0, 5.0]])
SHARES = torch.tensor([[1.0], [0.0], [0.0], [0.0]])


@pytest.mark.parametrize(
    ("loss", "target", "size", "wanted"),
    [
        (losses.mean_squared_error(), NUMBERS, 2, NUMBERS.numpy().var(0).mean()),
        (losses.mean_squared_error(), SHARES, 1, 0.25 * 0.75),
        (
            losses.mean_absolute_error(),
            NUMBERS,
            2,
            numpy.abs(NUMBERS.numpy() - numpy.median(NUMBERS.numpy(), 0)).mean(),
        ),
        (losses.mean_absolute_error(), SHARES, 1, 0.25),
        (losses.huber(), NUMBERS, 2, (1.5 + 0.5 + 2.5 + 2.5 + 0.5 + 1.5) / 6),
        (losses.huber(100.0), NUMBERS, 2, NUMBERS.numpy().var(0).mean() / 2),
        (losses.binary_cross_entropy(), SHARES, 1, math.log(2)),
        (losses.binary_cross_entropy(), torch.zeros(5, 3), 3, math.log(2)),
        (losses.cross_entropy(), torch.tensor([0, 1, 2]), 10, math.log(10)),
        (losses.negative_log_likelihood(), torch.tensor([0, 1, 2]), 4, math.log(4)),
        (losses.mnist_loss(), SHARES, 1, 0.5),
        (losses.hinge(), SHARES, 1, 1.0),
    ],
)
def test_the_loss_of_an_ignorant_network(
    loss: Loss, target: Tensor, size: int, wanted: float
) -> None:
    assert loss.baseline(target, size) == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize(("loss", "kind"), TAKEN, ids=repr)
@given(seed=st.integers(0, 10**6))
def test_an_ignorant_network_gives_one_answer_to_all(loss: Loss, kind: str, seed: int) -> None:
    _, target, output = sample(loss, kind, 9, seed)
    if TASKS[kind].kind == "regression" or output.threshold == 0.5:
        middle = (
            target.median(0).values if type(loss) is losses.mean_absolute_error else target.mean(0)
        )
        answer = middle.expand(9, -1)
    else:
        answer = torch.zeros(9, output.size, dtype=torch.float64)
        answer = answer.log_softmax(1) if output.layer == "log_softmax" else answer
    assert loss.baseline(target, output.size) == pytest.approx(
        float(loss(answer, target).mean()), rel=1e-9
    )


@given(seed=st.integers(0, 10**6), guess=st.floats(-5, 5))
def test_no_constant_answer_beats_the_ignorant_one(seed: int, guess: float) -> None:
    for loss in (losses.mean_squared_error(), losses.mean_absolute_error()):
        _, target, _ = sample(loss, "regression", 9, seed)
        assert float(loss(torch.full_like(target, guess), target).mean()) >= loss.baseline(
            target, 1
        ) * (1 - 1e-12)


# -- shapes ----------------------------------------------------------------------------------------

ONE_BY_ONE = [
    loss
    for loss in LOSSES
    if type(loss) not in (losses.cross_entropy, losses.negative_log_likelihood)
]
INDEXED = [losses.cross_entropy(), losses.negative_log_likelihood()]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("loss", ONE_BY_ONE, ids=repr)
@pytest.mark.parametrize(
    ("output", "target", "message"),
    [
        (
            (4, 1),
            (4,),
            "output [4, 1] against target [4] would be stretched to [4, 4]; give the target a "
            "column: target[:, None]",
        ),
        (
            (1, 1),
            (1,),
            "output [1, 1] against target [1] would be stretched to [1, 1]; give the target a "
            "column: target[:, None]",
        ),
        (
            (4, 3),
            (4,),
            "output [4, 3] against target [4]: it takes one number per output; for class indices "
            "use cross_entropy, "
            "or torch.nn.functional.one_hot(target, 3).float()",
        ),
        (
            (3, 3),
            (3,),
            "output [3, 3] against target [3]: it takes one number per output; for class indices "
            "use cross_entropy, "
            "or torch.nn.functional.one_hot(target, 3).float()",
        ),
        (
            (4, 3),
            (4, 1),
            "output [4, 3] against target [4, 1]: it takes one number per output; for class "
            "indices use cross_entropy, "
            "or torch.nn.functional.one_hot(target, 3).float()",
        ),
        ((4,), (4,), "output [4] against target [4]; both must be [samples, outputs]"),
        ((4,), (4, 1), "output [4] against target [4, 1]; both must be [samples, outputs]"),
        ((4, 1), (3, 1), "output [4, 1] against target [3, 1]; both must be [samples, outputs]"),
        ((4, 1), (1, 1), "output [4, 1] against target [1, 1]; both must be [samples, outputs]"),
        ((4, 1), (), "output [4, 1] against target []; both must be [samples, outputs]"),
        (
            (4, 2, 2),
            (4, 2, 2),
            "output [4, 2, 2] against target [4, 2, 2]; both must be [samples, outputs]",
        ),
        ((), (), "output [] against target []; both must be [samples, outputs]"),
    ],
)
def test_shapes_that_would_be_stretched_are_refused(
    loss: Loss, output: tuple[int, ...], target: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError) as refused:
        loss(torch.zeros(output), torch.ones(target))
    assert str(refused.value) == f"{type(loss).__name__}: {message}"


ONE_OUTPUT = (
    "with one output there is nothing to choose from and the loss is always 0; "
    "use binary_cross_entropy, or one output per class"
)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("loss", INDEXED, ids=repr)
@pytest.mark.parametrize(
    ("output", "target", "dtype", "message"),
    [
        ((4, 1), (4,), torch.int64, f"output [4, 1] against target [4]: {ONE_OUTPUT}"),
        ((4, 1), (4, 1), torch.float32, f"output [4, 1] against target [4, 1]: {ONE_OUTPUT}"),
        (
            (4, 3),
            (4, 1),
            torch.int64,
            "output [4, 3] against target [4, 1]; it takes [samples, classes] against [samples]; "
            "drop the target's column: target[:, 0]",
        ),
        (
            (4, 3),
            (4, 3),
            torch.float32,
            "output [4, 3] against target [4, 3]; it takes [samples, classes] against [samples]",
        ),
        (
            (4, 3),
            (5,),
            torch.int64,
            "output [4, 3] against target [5]; it takes [samples, classes] against [samples]",
        ),
        (
            (4, 3),
            (),
            torch.int64,
            "output [4, 3] against target []; it takes [samples, classes] against [samples]",
        ),
        (
            (4,),
            (4,),
            torch.int64,
            "output [4] against target [4]; it takes [samples, classes] against [samples]",
        ),
        (
            (4, 3, 2),
            (4, 2),
            torch.int64,
            "output [4, 3, 2] against target [4, 2]; it takes [samples, classes] against [samples]",
        ),
        (
            (4, 3),
            (4,),
            torch.float32,
            "targets are torch.float32; it takes whole class indices: target.long()",
        ),
    ],
)
def test_what_is_no_class_index_is_refused(
    loss: Loss, output: tuple[int, ...], target: tuple[int, ...], dtype: torch.dtype, message: str
) -> None:
    with pytest.raises(ShapeError) as refused:
        loss(torch.zeros(output), torch.zeros(target, dtype=dtype))
    assert str(refused.value) == f"{type(loss).__name__}: {message}"


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(
    output=st.lists(st.integers(1, 3), max_size=3), target=st.lists(st.integers(1, 3), max_size=3)
)
def test_any_shapes_give_one_number_per_sample_or_one_line(
    loss: Loss, output: list[int], target: list[int]
) -> None:
    outputs = torch.zeros(output)
    targets = torch.zeros(target, dtype=torch.int64 if loss in INDEXED else torch.float32)
    fits = len(output) == 2 and (
        target == output[:1] and output[1] > 1 if loss in INDEXED else target == output
    )
    if fits:
        assert loss(outputs, targets).shape == (output[0],)
    else:
        with pytest.raises(ShapeError) as refused:
            loss(outputs, targets)
        assert str(refused.value).startswith(
            f"{type(loss).__name__}: output {output} against target {target}"
        )
