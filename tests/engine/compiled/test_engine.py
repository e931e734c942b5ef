"""The compiled engine: the same bits in any stretch, what it leaves behind, and what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import ChainRule
from sevensteps.engine.compiled import Compiled
from sevensteps.engine.engine import LayerTrace
from sevensteps.engine.modules import Dropout, use_generator
from sevensteps.errors import ArgumentError, ShapeError
from sevensteps.steps import loss as losses
from sevensteps.steps import step as steps

pytest.importorskip("numba")
pytestmark = pytest.mark.draws


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def network(dropout: float = 0.0) -> nn.Module:
    """Wide enough that two threads share its steps."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Linear(300, 90), nn.ReLU(), Dropout(dropout), nn.Linear(90, 20), nn.Tanh(),
        nn.Linear(20, 10),
    )  # fmt: skip
    use_generator(made, torch.Generator().manual_seed(1))
    return made


def data(count: int = 200) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    return torch.rand(count, 300, generator=draw), torch.arange(count) % 10


class Training:
    """Steps of one network, in stretches of any length."""

    def __init__(self, dropout: float = 0.0, value: Any = None, clip: float | None = None) -> None:
        self.engine = Compiled(network(dropout), losses.cross_entropy())
        value = value or steps.adam(lr=0.01)
        stepper = value.prepare(self.engine.parameters, self.engine.gradients)
        self.update, self.memory = self.engine.update(value, stepper), stepper.memory
        self.clip, (self.x, self.y) = clip, data()

    def take(self, rows: Tensor, size: int) -> Tensor:
        rates = torch.full((-(-len(rows) // size),), 0.01, dtype=torch.float64)
        return self.engine.take_steps(self.x, self.y, rows, size, self.update, rates, self.clip)

    def bits(self) -> list[Tensor]:
        memory = [self.memory[name] for name in sorted(self.memory)]
        return [self.engine.parameters.clone(), self.engine.gradients.clone(), *memory]


@pytest.mark.parametrize(
    ("size", "value", "clip"),
    [(1, steps.sgd(lr=0.01), None), (1, steps.adam(lr=0.01), None), (7, steps.sgd(lr=0.01), None),
     (64, steps.sgd(lr=0.01), 0.1), (64, steps.adam(lr=0.01), None)],
)  # fmt: skip
def test_a_step_has_the_same_bits_in_every_stretch(
    threads: int, size: int, value: Any, clip: float | None
) -> None:
    rows = torch.randperm(200, generator=torch.Generator().manual_seed(3))[: 3 * size + size // 2]
    at_once, one_by_one = Training(0.3, value, clip), Training(0.3, value, clip)
    summed = at_once.take(rows, size)
    alone = torch.cat([one_by_one.take(part, size) for part in rows.split(size)])
    assert torch.equal(summed, alone)
    assert all(map(torch.equal, at_once.bits(), one_by_one.bits()))


def test_a_step_that_is_looked_at_has_the_same_bits(threads: int) -> None:
    rows = torch.arange(64)
    observed, alone = Training(0.3), Training(0.3)
    observed.engine.trace = LayerTrace()
    assert torch.equal(observed.take(rows, 64), alone.take(rows, 64))
    assert all(map(torch.equal, observed.bits(), alone.bits()))


def test_the_trace_is_that_of_the_chain_rule(threads: int, error: Any) -> None:
    training = Training(0.3)
    training.engine.trace = LayerTrace()
    twin = ChainRule(network(0.3), losses.cross_entropy())
    twin.trace = LayerTrace()
    training.take(torch.arange(64), 64)
    twin.predict(training.x[:64])
    twin.loss(training.y[:64])
    twin.gradient()
    ours, theirs = training.engine.trace, twin.trace
    assert list(ours.outputs) == list(theirs.outputs)
    assert set(ours.output_gradients) == set(theirs.output_gradients)
    for name in theirs.outputs:
        assert error(ours.outputs[name], theirs.outputs[name]) < 1e-5
    for name in theirs.output_gradients:
        assert error(ours.output_gradients[name], theirs.output_gradients[name]) < 1e-5
    assert torch.equal(ours.input, theirs.input)
    assert torch.equal(ours.target, theirs.target)
    assert error(ours.output, theirs.output) < 1e-5
    assert error(ours.output_gradient, theirs.output_gradient) < 1e-5


def test_the_last_step_leaves_its_gradient(threads: int, error: Any) -> None:
    training, rows = Training(), torch.arange(150)
    training.take(rows[:100], 50)
    twin = ChainRule(copy.deepcopy(training.engine.network), losses.cross_entropy())
    training.take(rows[100:], 50)
    twin.predict(training.x[100:150])
    twin.loss(training.y[100:150])
    assert error(training.engine.gradients, twin.gradient()) < 1e-5


def test_it_ends_before_the_first_step_whose_loss_is_not_finite(threads: int) -> None:
    whole, until = Training(0.3), Training(0.3)
    whole.x[130] = until.x[130] = torch.nan
    summed = whole.take(torch.arange(200), 64)
    assert summed.isfinite().tolist() == [True, True, False]
    until.take(torch.arange(128), 64)
    assert torch.equal(whole.engine.parameters, until.engine.parameters)
    assert all(torch.equal(whole.memory[name], until.memory[name]) for name in until.memory)
    # the step that was not taken has drawn its mask, as one by one
    until.take(torch.arange(128, 192), 64)
    states = [
        next(m.generator for m in t.engine.network if isinstance(m, Dropout)).get_state()
        for t in (whole, until)
    ]
    assert torch.equal(*states)


def test_pytorch_s_own_optimizer_goes_on_from_its_memory(error: Any) -> None:
    # not the default eps: dividing by almost nothing, the first updates show each processor's
    # rounding of gradients near zero
    value = steps.adam(lr=0.01, eps=1e-3)
    engine, (x, y) = Compiled(network(), losses.cross_entropy()), data()
    stepper = value.prepare(engine.parameters, engine.gradients)
    twin = ChainRule(network(), losses.cross_entropy())
    theirs = value.prepare(twin.parameters, twin.gradients)
    rates = torch.full((2,), 0.01, dtype=torch.float64)
    engine.take_steps(x, y, torch.arange(100), 50, engine.update(value, stepper), rates)
    engine.predict(x[100:])
    engine.loss(y[100:])
    engine.gradient()
    stepper.update(0.01)
    for part in (slice(50), slice(50, 100), slice(100, None)):
        twin.predict(x[part])
        twin.loss(y[part])
        twin.gradient()
        theirs.update(0.01)
    assert error(engine.parameters, twin.parameters) < 1e-5
    assert stepper.memory["step"] == 3


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3)), "0 (Conv2d) is no layer of a dense"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Flatten()), "1 (Flatten) does not stand first"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Mish()), "1 (Mish) has no written derivative"),
        (lambda: nn.Sequential(nn.Linear(2, 2).half()), "in torch.float16, not float32"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Softmax(0)), "1 (Softmax) is not over the"),
    ],
)
def test_what_it_refuses(made: Any, words: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        Compiled(made(), losses.hinge())
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_indices_that_would_be_read_beyond_the_memory() -> None:
    training = Training()
    with pytest.raises(ShapeError, match="rows must be some of the 200 samples"):
        training.take(torch.tensor([0, 200]), 2)
    training.y[3] = 10
    with pytest.raises(ShapeError, match="targets go from 0 to 10; the network has 10 outputs"):
        training.take(torch.arange(2), 2)
    training.x = training.x[:, :200]
    with pytest.raises(ShapeError):
        training.take(torch.arange(2), 2)


def test_accumulated_gradients(error: Any) -> None:
    engine, (x, y) = Compiled(network(), losses.cross_entropy()), data()
    engine.predict(x)
    engine.loss(y)
    whole = engine.gradient().clone()
    for begin, end in ((0, 120), (120, 200)):
        engine.predict(x[begin:end])
        engine.loss(y[begin:end])
        engine.gradient(share=(end - begin) / 200, add=begin > 0)
    assert error(engine.gradients, whole) < 1e-5


@pytest.mark.parametrize("first", ["linear", "dropout"])
@pytest.mark.long
def test_bytes_give_the_bits_of_the_numbers(first: str) -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(50).view(128, 100)
    y, results = torch.arange(128) % 10, []
    for x in (pixels / 255, pixels):
        torch.manual_seed(0)
        layers = [nn.Linear(100, 20), nn.ReLU(), nn.Linear(20, 10)]
        made = nn.Sequential(*([Dropout(0.2)] if first == "dropout" else []), *layers)
        use_generator(made, torch.Generator().manual_seed(1))
        engine, value = Compiled(made, losses.cross_entropy()), steps.sgd(lr=0.1)
        update = engine.update(value, value.prepare(engine.parameters, engine.gradients))
        rates = torch.full((2,), 0.1, dtype=torch.float64)
        results.append(engine.take_steps(x, y, torch.arange(128), 64, update, rates))
        results.append(engine.parameters)
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[1], results[3])


def test_compiling_moves_nothing() -> None:
    training = Training(0.3)
    before, drawn = training.engine.parameters.clone(), training.engine.network[2].generator
    state = drawn.get_state()
    training.engine.compile(training.x, training.y, 64, training.update)
    assert not training.engine.needs_compiling(training.x, training.y, 64, training.update)
    assert training.engine.compile(training.x, training.y, 64, training.update) == 0
    assert torch.equal(training.engine.parameters, before)
    assert torch.equal(drawn.get_state(), state)
    assert training.engine.needs_compiling(
        training.x.to(torch.int8), training.y, 64, training.update
    )
