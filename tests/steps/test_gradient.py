"""The values of step 4: their spelling, what they prepare or refuse, clipping, and what auto()
takes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sevensteps import steps
from sevensteps.engine.modules import Neuron, PixelSimilarity, Step
from sevensteps.errors import ArgumentError, NotationError
from sevensteps.steps import gradient
from sevensteps.steps.loss import mean_absolute_error, mean_squared_error

NEEDS_NUMBA = pytest.mark.skipif(find_spec("numba") is None, reason="needs Numba")
VALUES = [getattr(gradient, name) for name in gradient.__all__ if name != "auto"]


def made(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return make()


def mlp() -> nn.Module:
    return made(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)))


def perceptron() -> nn.Module:
    return nn.Sequential(Neuron(3), Step())


@given(
    kind=st.sampled_from(VALUES),
    clip=st.none() | st.floats(1e-3, 1e3),
    accumulate=st.integers(1, 64),
)
def test_the_notation_round_trips(kind: Any, clip: float | None, accumulate: int) -> None:
    value = kind(clip=clip, accumulate=accumulate)
    assert steps.parse("gradient", repr(value)) == value
    assert hash(steps.parse("gradient", repr(value))) == hash(value)


def test_the_notation_reads_as_written() -> None:
    assert repr(gradient.chain_rule()) == "chain_rule()"
    assert repr(gradient.autograd(clip=1.0, accumulate=4)) == "autograd(clip=1.0, accumulate=4)"
    assert repr(gradient.finite_differences(1e-5, clip=2)) == "finite_differences(1e-05, clip=2)"
    assert steps.parse("gradient", "auto(clip=1.0)") == gradient.auto(clip=1.0)


def test_the_list_shows_every_argument() -> None:
    shown = {entry.name: entry.arguments for entry in steps.catalog("gradient")}
    assert list(shown) == [
        "auto",
        "chain_rule",
        "compiled",
        "autograd",
        "finite_differences",
        "perceptron_rule",
    ]
    assert shown["compiled"] == shown["chain_rule"]
    assert shown["chain_rule"] == "*, clip=None, accumulate=1"
    assert shown["finite_differences"] == "epsilon=1e-06, *, clip=None, accumulate=1"


@pytest.mark.parametrize(
    "text",
    [
        "chain_rule(clip=0)",
        "autograd(clip=-1.0)",
        "autograd(accumulate=0)",
        "autograd(accumulate=1.5)",
        "autograd(1.0)",
        "finite_differences(0)",
        "finite_differences(epsilon=1)",
        "perceptron_rule(clip='a')",
        "chainrule()",
        "autograd(slip=1)",
    ],
)
def test_wrong_arguments_are_refused(text: str) -> None:
    with pytest.raises(NotationError, match="gradient"):
        steps.parse("gradient", text)


@pytest.mark.parametrize(
    ("value", "network", "loss"),
    [
        (gradient.chain_rule(), mlp, mean_squared_error()),
        pytest.param(gradient.compiled(), mlp, mean_squared_error(), marks=NEEDS_NUMBA),
        (gradient.autograd(), mlp, mean_squared_error()),
        (gradient.finite_differences(), mlp, mean_squared_error()),
        (gradient.perceptron_rule(), perceptron, mean_absolute_error()),
    ],
)
def test_each_prepares_the_engine_of_its_name(
    value: Any, network: Callable[[], nn.Module], loss: Any
) -> None:
    engine = value.prepare(network(), loss)
    assert engine.method == type(value).__name__
    assert engine.reason == "asked for"
    engine.predict(torch.ones(2, 3))
    engine.loss(torch.zeros(2, 1))
    assert engine.gradient().shape == engine.parameters.shape


def test_finite_differences_hands_its_epsilon_on() -> None:
    engine: Any = gradient.finite_differences(1e-3).prepare(mlp(), mean_squared_error())
    assert engine.epsilon == 1e-3


@pytest.mark.parametrize(
    "value",
    [
        gradient.chain_rule(),
        gradient.compiled(),
        gradient.autograd(),
        gradient.finite_differences(),
    ],
)
def test_the_step_activation_is_refused_with_the_reason(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"derivative is 0 everywhere.*use perceptron_rule\(\)"):
        value.prepare(perceptron(), mean_absolute_error())


def test_an_unwritten_layer_is_refused_by_name() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Mish())
    with pytest.raises(
        ArgumentError, match=r"chain_rule: 1 \(Mish\) has no written derivative; use autograd\(\)"
    ):
        gradient.chain_rule().prepare(network, mean_squared_error())


@pytest.mark.parametrize(
    ("make", "chosen", "reason"),
    [
        (mlp, "chain_rule", "every layer has a written derivative"),
        (perceptron, "perceptron_rule", "the derivative of the step activation is 0 everywhere"),
        (
            lambda: made(lambda: nn.Sequential(nn.Linear(3, 1), nn.Mish())),
            "autograd",
            r"1 \(Mish\) has no written derivative",
        ),
        (lambda: PixelSimilarity((3,), 2), "autograd", "the network has no parameter to train"),
    ],
)
def test_auto_takes_what_fits_and_says_why(
    make: Callable[[], nn.Module], chosen: str, reason: str
) -> None:
    network = make()
    value, why = gradient.choose(network, mean_absolute_error(), clip=2.0, accumulate=3)
    assert repr(value) == f"{chosen}(clip=2.0, accumulate=3)"
    assert re.match(reason, why)
    assert value.prepare(network, mean_absolute_error()).method == chosen


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        ((None, torch.zeros(9, 3), "cpu", "float32"), "they come from a loader"),
        ((4, torch.zeros(9, 3), "cuda", "float32"), "made for processors, not for cuda"),
        ((4, torch.zeros(9, 3), "cpu", "bf16"), "in float32 or float64, not in bf16"),
        ((4, range(9), "cpu", "float32"), "all 9 samples from memory, but they stay on disk"),
    ],
)
def test_machine_code_refuses_what_it_cannot_go_over(samples: Any, why: str) -> None:
    with pytest.raises(ArgumentError, match=rf"^compiled: .*{why}; use chain_rule\(\)$"):
        gradient.compiled().check(*samples)
    gradient.chain_rule().check(*samples)
    assert not chosen_at(mlp(), 10**9, *samples)


def chosen_at(network: nn.Module, steps: int, *samples: Any, batch: int = 4, **options: Any) -> Any:
    return gradient.choose_compiled(
        gradient.chain_rule(**options), network, mean_squared_error(), batch, steps, *samples
    )


@NEEDS_NUMBA
def test_auto_takes_machine_code_where_many_steps_pay_for_it() -> None:
    fitting = 4, torch.zeros(9, 3), "cpu", "float32"
    assert chosen_at(mlp(), 1000, *fitting) is None
    value, why = chosen_at(mlp(), 10**6, *fitting, clip=2.0, accumulate=3)
    assert value == gradient.compiled(clip=2.0, accumulate=3)
    assert re.match(r"as machine code the chain rule takes 1,000,000 steps of 4 samples some", why)
    wide = made(lambda: nn.Sequential(nn.Linear(3, 3000), nn.ReLU(), nn.Linear(3000, 3000)))
    assert chosen_at(wide, 10**6, *fitting) is None, "the products of matrices take the time"
    convolution = made(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 1)))
    assert chosen_at(convolution, 10**6, *fitting) is None
    by_autograd = gradient.autograd()
    assert not gradient.choose_compiled(
        by_autograd, mlp(), mean_squared_error(), 4, 10**9, *fitting
    )


def test_without_the_compiler_auto_keeps_to_the_chain_rule_and_asking_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert chosen_at(mlp(), 10**9, 4, torch.zeros(9, 3), "cpu", "float32") is None
    with pytest.raises(ArgumentError, match=r'pip install "sevensteps\[compiled\]"'):
        gradient.compiled().prepare(mlp(), mean_squared_error())


def test_auto_refuses_what_not_every_method_has() -> None:
    with pytest.raises(ArgumentError, match="hands on clip and accumulate, not epsilon"):
        gradient.choose(mlp(), mean_squared_error(), epsilon=1e-3)
    with pytest.raises(ArgumentError, match="clip must be above 0"):
        gradient.choose(mlp(), mean_squared_error(), clip=0)


@given(clip=st.floats(1e-3, 1e3), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_clipping_is_pytorch_s(clip: float, scale: float, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    parts = [
        torch.randn(shape, generator=draw, dtype=torch.float64) * scale
        for shape in ((3, 2), (4,), (1,))
    ]
    flat = torch.cat([part.flatten() for part in parts])
    parameters = [nn.Parameter(torch.zeros_like(part)) for part in parts]
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.clone()
    nn.utils.clip_grad_norm_(parameters, clip)
    gradient.autograd(clip=clip).finish(flat)
    assert torch.allclose(
        flat, torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]), rtol=1e-12
    )
    assert float(flat.norm()) <= clip * (1 + 1e-12)


def test_a_short_gradient_and_no_clip_change_nothing() -> None:
    short = torch.tensor([0.3, 0.4])
    for value in (gradient.autograd(clip=1.0), gradient.autograd()):
        kept = short.clone()
        value.finish(kept)
        assert torch.equal(kept, short)


def test_a_gradient_that_is_not_finite_is_not_hidden() -> None:
    for bad in (math.nan, math.inf):
        broken = torch.tensor([1.0, bad])
        gradient.chain_rule(clip=1.0).finish(broken)
        assert not broken.isfinite().all()
