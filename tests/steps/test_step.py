"""The contract table of step 5: every optimizer against `torch.optim`, every schedule against
`torch.optim.lr_scheduler`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import lr_scheduler

from sevensteps import steps
from sevensteps.errors import ArgumentError, NotationError
from sevensteps.steps import step
from sevensteps.steps.step import Optimizer, Schedule
from tests.steps.examples import drawn, kinds

OPTIMIZERS = [kind for kind in kinds("step") if issubclass(kind, Optimizer)]
SCHEDULES = [kind for kind in kinds("step") if issubclass(kind, Schedule)]
SHAPES = [(3, 4), (4,), (2, 1, 2, 2), (1,)]

# Each optimizer as it is here and as PyTorch has it, with options off their defaults.
ORACLES: dict[str, tuple[Optimizer, Callable[..., torch.optim.Optimizer]]] = {
    "sgd": (step.sgd(lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "sgd with momentum": (
        step.sgd(lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    ),
    "sgd with nesterov": (
        step.sgd(lr=0.05, momentum=0.5, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.5, nesterov=True),
    ),
    "adam": (step.adam(lr=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    "adam with options": (
        step.adam(lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1),
    ),
    "adamw": (step.adamw(lr=0.01), lambda p: torch.optim.AdamW(p, lr=0.01)),
    "adamw with options": (
        step.adamw(lr=0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.3),
        lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.3),
    ),
    "rmsprop": (step.rmsprop(lr=0.01), lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "rmsprop with options": (
        step.rmsprop(lr=0.01, alpha=0.8, eps=1e-4, momentum=0.9, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(
            p, lr=0.01, alpha=0.8, eps=1e-4, momentum=0.9, weight_decay=0.1
        ),
    ),
    "adagrad": (step.adagrad(lr=0.1), lambda p: torch.optim.Adagrad(p, lr=0.1)),
    "adagrad with options": (
        step.adagrad(lr=0.1, eps=1e-4, weight_decay=0.1),
        lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-4, weight_decay=0.1),
    ),
}


def tensors(seed: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in SHAPES]


def flat(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


# -- optimizers ------------------------------------------------------------------------------------


def test_an_argument_of_other_libraries_is_translated() -> None:
    with pytest.raises(NotationError, match=r"^sgd has no 'learning_rate'; write: lr=$"):
        step.sgd(learning_rate=0.1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        step.sgd(nonsense=0.1)  # type: ignore[call-arg]


def test_every_optimizer_and_schedule_has_an_oracle() -> None:
    assert {type(made) for made, _ in ORACLES.values()} == set(OPTIMIZERS)
    assert {type(made) for made, _ in SCHEDULED} == set(SCHEDULES)
    assert set(OPTIMIZERS) | set(SCHEDULES) == set(kinds("step"))


@pytest.mark.parametrize("name", ORACLES)
def test_one_flat_vector_goes_where_separate_tensors_go(name: str) -> None:
    optimizer, oracle = ORACLES[name]
    separate = [nn.Parameter(part) for part in tensors(0)]
    reference = oracle(separate)
    parameters, gradients = (
        flat(tensors(0)),
        torch.zeros(sum(part.numel() for part in separate), dtype=torch.float64),
    )
    stepper, place = optimizer.prepare(parameters, gradients), parameters.data_ptr()
    for number in range(20):
        # a gradient that depends on where the parameters are, so that an error would grow
        for parameter, noise in zip(separate, tensors(number + 1), strict=True):
            parameter.grad = parameter.detach() + noise
        gradients.copy_(parameters + flat(tensors(number + 1)))
        reference.step()
        assert stepper(number, 20) == optimizer.lr
        assert torch.allclose(
            parameters, flat([p.detach() for p in separate]), rtol=1e-12, atol=1e-12
        )
    assert parameters.data_ptr() == place
    assert not parameters.requires_grad


@pytest.mark.parametrize("name", ORACLES)
def test_a_step_of_a_network_s_own_tensors_is_seen_in_them(name: str) -> None:
    parameters, gradients = torch.arange(1.0, 7.0), torch.ones(6)
    weight = parameters[:4].view(2, 2)
    ORACLES[name][0].prepare(parameters, gradients)(0, 1)
    assert torch.equal(weight.flatten(), parameters[:4])
    assert bool((parameters < torch.arange(1.0, 7.0)).all())
    assert torch.equal(gradients, torch.ones(6))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_options_are_pytorch_s_and_so_are_the_defaults(kind: Any) -> None:
    made = kind()
    theirs = inspect.signature(made.torch_class).parameters
    for name, held in made.options().items():
        assert name in theirs
        assert held == theirs[name].default or (name, held) == ("betas", theirs["betas"].default)
    assert set(made.options()) == set(inspect.signature(kind).parameters) - {"lr"}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_rate_of_each_step_is_the_schedule_s(kind: Any) -> None:
    schedule = step.cosine(0.5, final=0.1)
    parameters, gradients = torch.zeros(3), torch.ones(3)
    stepper = kind(lr=schedule).prepare(parameters, gradients)
    rates = [stepper(number, 7) for number in range(7)]
    assert rates == [schedule(number, 7) for number in range(7)]


@pytest.mark.parametrize("lr", [0.25, *SCHEDULES])
def test_the_rates_of_a_stretch_are_those_of_its_steps(lr: Any) -> None:
    schedule = lr if isinstance(lr, float) else lr(0.25)
    stepper = step.sgd(lr=schedule).prepare(torch.zeros(2), torch.zeros(2))
    rates = stepper.rates(3, 40, 60)
    assert rates.dtype == torch.float64
    assert rates.tolist() == [stepper.rate(number, 60) for number in range(3, 43)]


def test_a_scheduled_sgd_moves_by_its_rates() -> None:
    schedule = step.one_cycle(0.5)
    parameters = torch.zeros(1, dtype=torch.float64)
    stepper = step.sgd(lr=schedule).prepare(parameters, torch.ones(1, dtype=torch.float64))
    moved = sum(stepper(number, 10) for number in range(10))
    assert float(parameters) == pytest.approx(-moved, rel=1e-12)


def test_a_constant_schedule_is_a_number() -> None:
    found = []
    for lr in (0.1, step.constant(0.1)):
        parameters = torch.ones(4)
        stepper = step.adam(lr=lr).prepare(parameters, torch.linspace(-1, 1, 4))
        assert [stepper(number, 3) for number in range(3)] == [0.1] * 3
        found.append(parameters)
    assert torch.equal(*found)
    assert not step.constant.needs_total
    assert all(kind.needs_total for kind in SCHEDULES if kind is not step.constant)


@pytest.mark.parametrize("lr", [0, -0.1, 0.0, math.nan, math.inf, True, None, "0.1"])
@pytest.mark.parametrize("kind", [*OPTIMIZERS, *SCHEDULES])
def test_a_rate_that_is_not_above_zero_is_refused(kind: Any, lr: Any) -> None:
    wanted = "above 0" if lr in (0, -0.1) and lr is not False else "a finite number"
    hint = "; try lr=0.1, or a schedule such as one_cycle(0.1)" if kind in OPTIMIZERS else ""
    with pytest.raises(ArgumentError) as refused:
        kind(lr=lr)
    assert str(refused.value) == f"lr must be {wanted}, not {lr!r}{hint}"


def test_a_schedule_cannot_stand_in_a_schedule() -> None:
    with pytest.raises(
        NotationError,
        match=r"^step: cosine\(cosine\(0.1\)\): lr must be a finite number, not cosine\(0.1\)$",
    ):
        steps.parse("step", "sgd(lr=cosine(cosine(0.1)))")


# -- schedules -------------------------------------------------------------------------------------


def theirs(make: Callable[[torch.optim.Optimizer], Any], lr: float, total: int) -> list[float]:
    """The rates that a scheduler of PyTorch gives to each of `total` steps."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler, rates = make(optimizer), []
    for _ in range(total):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def one_cycle_rates(rise: float, div: float, final_div: float, total: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer,
        0.3,
        total_steps=total,
        pct_start=rise,
        div_factor=div,
        final_div_factor=final_div,
        cycle_momentum=False,
    )
    rates = []
    for number in range(total):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if number < total - 1:
            scheduler.step()
    return rates


SCHEDULED: list[tuple[Schedule, Callable[[int], list[float]]]] = [
    (step.constant(0.3), lambda total: [0.3] * total),
    (
        step.linear_warmup(0.3),
        lambda total: [0.3 * min(1.0, (n + 1) / max(1, round(0.1 * total))) for n in range(total)],
    ),
    (
        step.linear_warmup(0.3, share=1),
        lambda total: theirs(
            lambda o: (
                lr_scheduler.LinearLR(o, 1 / total, 1.0, total - 1)
                if total > 1
                else lr_scheduler.ConstantLR(o, 1.0)
            ),
            0.3,
            total,
        ),
    ),
    (
        step.cosine(0.3),
        lambda total: theirs(lambda o: lr_scheduler.CosineAnnealingLR(o, total), 0.3, total),
    ),
    (
        step.cosine(0.3, final=0.1),
        lambda total: theirs(
            lambda o: lr_scheduler.CosineAnnealingLR(o, total, eta_min=0.1), 0.3, total
        ),
    ),
    (step.one_cycle(0.3), lambda total: one_cycle_rates(0.3, 25.0, 1e4, total)),
    (
        step.one_cycle(0.3, rise=0.4, div=10, final_div=100),
        lambda total: one_cycle_rates(0.4, 10, 100, total),
    ),
    (
        step.step_decay(0.3),
        lambda total: theirs(
            lambda o: lr_scheduler.MultiStepLR(
                o, [max(1, round(share * total)) for share in (0.5, 0.75)], 0.1
            ),
            0.3,
            total,
        ),
    ),
    (
        step.step_decay(0.3, gamma=0.5, at=(0.1, 0.2, 0.9)),
        lambda total: theirs(
            lambda o: lr_scheduler.MultiStepLR(
                o, [max(1, round(share * total)) for share in (0.1, 0.2, 0.9)], 0.5
            ),
            0.3,
            total,
        ),
    ),
    (
        step.exponential(0.3),
        lambda total: theirs(
            lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / total)), 0.3, total
        ),
    ),
    (
        step.exponential(0.3, final=0.5),
        lambda total: theirs(
            lambda o: lr_scheduler.ExponentialLR(o, 0.5 ** (1 / total)), 0.3, total
        ),
    ),
]


@pytest.mark.parametrize(
    ("schedule", "oracle"),
    SCHEDULED,
    ids=lambda made: repr(made) if isinstance(made, Schedule) else "",
)
@pytest.mark.parametrize("total", [1, 2, 3, 4, 7, 10, 60, 101])
def test_every_rate_is_pytorch_s(
    schedule: Schedule, oracle: Callable[[int], list[float]], total: int
) -> None:
    assert [schedule(number, total) for number in range(total)] == pytest.approx(
        oracle(total), rel=1e-9
    )


@pytest.mark.parametrize("name", [kind.__name__ for kind in SCHEDULES])
@given(data=st.data(), total=st.integers(1, 10**5))
def test_every_rate_is_above_zero_and_none_above_the_given_one(
    name: str, data: st.DataObject, total: int
) -> None:
    shape = {
        "lr": st.floats(1e-6, 1e3),
        "share": st.floats(0.01, 1),
        "rise": st.floats(0.01, 0.99),
        "div": st.floats(1, 1e4),
        "final_div": st.floats(1, 1e5),
        "gamma": st.floats(0.01, 1),
        "final": st.floats(1e-6, 1),
        "at": st.lists(st.floats(0.01, 0.99), max_size=4),
    }
    kind = getattr(step, name)
    drew = {argument: data.draw(shape[argument]) for argument in inspect.signature(kind).parameters}
    if name == "cosine":
        drew["final"] *= min(1.0, drew["lr"])
    schedule, number = kind(**drew), data.draw(st.integers(0, total - 1))
    rate = schedule(number, total)
    assert type(rate) is float
    assert 0 < rate <= drew["lr"] * (1 + 1e-9)


@pytest.mark.parametrize("name", [kind.__name__ for kind in SCHEDULES])
@given(data=st.data(), number=st.integers(0, 50), more=st.integers(1, 50))
def test_a_rate_depends_on_step_and_total_alone(
    name: str, data: st.DataObject, number: int, more: int
) -> None:
    schedule = data.draw(drawn("step", name))
    assert schedule(number, number + more) == steps.parse("step", repr(schedule))(
        number, number + more
    )


def test_the_stairs_are_taken_when_their_share_has_passed() -> None:
    schedule = step.step_decay(1.0, gamma=0.5, at=(0.5, 0.75))
    assert [schedule(number, 8) for number in range(8)] == [1.0] * 4 + [0.5] * 2 + [0.25] * 2
    # no share has passed before the first step
    assert step.step_decay(1.0, at=(0.01,))(0, 3) == 1.0


def test_the_cycle_rises_to_its_top_and_falls() -> None:
    rates = [step.one_cycle(1.0, rise=0.25)(number, 100) for number in range(100)]
    assert rates[0] == pytest.approx(1 / 25)
    assert rates.index(max(rates)) == 24
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1 / 25e4)
    assert rates[:25] == sorted(rates[:25])
    assert rates[24:] == sorted(rates[24:], reverse=True)
    # of two steps the first is the top, where PyTorch's own divides by zero
    assert [step.one_cycle(1.0, rise=0.5)(number, 2) for number in range(2)] == pytest.approx(
        [1.0, 1 / 25e4]
    )


# -- chosen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hard", "fixed", "options", "chosen", "reason"),
    [
        (
            False,
            True,
            {},
            "adam(lr=one_cycle(0.01))",
            "adam adapts the step size of each parameter; one_cycle starts and ends gently",
        ),
        (
            False,
            False,
            {},
            "adam(lr=0.003)",
            "adam adapts the step size of each parameter; a constant lr, as the end is not known",
        ),
        (
            False,
            True,
            {"lr": 0.5, "eps": 0.1},
            "adam(lr=0.5, eps=0.1)",
            "adam adapts the step size of each parameter",
        ),
        (
            False,
            False,
            {"weight_decay": 0.1},
            "adam(lr=0.003, weight_decay=0.1)",
            "adam adapts the step size of each parameter; a constant lr, as the end is not known",
        ),
        (True, True, {}, "sgd(lr=1.0)", "the perceptron rule adds or takes away whole inputs"),
        (
            True,
            True,
            {"lr": 0.1},
            "sgd(lr=0.1)",
            "the perceptron rule adds or takes away whole inputs",
        ),
    ],
)
def test_auto_takes_what_fits(
    hard: bool, fixed: bool, options: dict[str, float], chosen: str, reason: str
) -> None:
    value, why = step.choose(hard, fixed, **options)
    assert (repr(value), why) == (chosen, reason)


@pytest.mark.parametrize(
    ("table_steps", "decay"), [(1, 1.0), (5, 1.0), (13, 0.38), (63, 0.079), (400, 0.05)]
)
def test_the_fewer_steps_an_epoch_of_a_table_has_the_more_the_weights_decay(
    table_steps: int, decay: float
) -> None:
    value, why = step.choose(False, True, table_steps)
    assert repr(value) == f"adamw(lr=one_cycle(0.01), weight_decay={decay})"
    assert "the fewer rows" in why
    assert step.choose(False, True, table_steps, weight_decay=0.2)[0].weight_decay == 0.2
