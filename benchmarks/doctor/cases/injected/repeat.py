"""Samples that are not what they should be, or come in the wrong order."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.doctor.cases.injected.fault import Fault
from benchmarks.doctor.cases.injected.injection import LOSSES, Alter, Injection, Operator

TARGETS = ("y", "target", "targets", "labels", "yt", "y_train", "ys")


def inputs(change: Alter) -> Operator:
    """Change the numbers of all samples, in evaluation too."""

    def apply(injection: Injection) -> None:
        def alter(x: Tensor) -> Tensor:
            if not x.is_floating_point():
                injection.touched -= 1
                return x
            return change(x)

        def data(pair: Any) -> Any:
            given, target = pair
            return (alter(given) if isinstance(given, Tensor) else given), target

        injection.alter_inputs(alter)
        injection.alter_data = data

    return apply


def noise(injection: Injection) -> None:
    """What a network is given has nothing to do with the sample."""

    def alter(x: Tensor) -> Tensor:
        if len(x) < 2:
            injection.touched -= 1
            return x
        if not x.is_floating_point():
            return x[torch.randperm(len(x), generator=injection.generator)]
        return torch.empty_like(x, requires_grad=False).normal_(generator=injection.generator)

    def data(pair: Any) -> Any:
        given, target = pair
        return (alter(given) if isinstance(given, Tensor) else given), target

    injection.alter_inputs(alter)
    injection.alter_data = data


def not_a_number(injection: Injection) -> None:
    """One number of one sample, now and then."""
    calls = 0

    def alter(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if not x.is_floating_point() or not x.numel() or calls != max(3, injection.steps // 3):
            injection.touched -= 1
            return x
        x = x.clone()
        x.view(-1)[0] = float("nan")
        return x

    injection.alter_inputs(alter, training_only=True)


def first_batch_again(injection: Injection) -> None:
    """The first batch, whatever comes."""

    def alter(loop: types.FrameType, count: int, size: int, epochs: int) -> Iterator[Tensor]:
        batch = torch.randperm(count)[:size]
        for _ in range(epochs * -(-count // size)):
            yield batch

    injection.alter_batches(alter)


def sorted_by_target(injection: Injection) -> None:
    """All of one kind, then all of the next."""

    def alter(loop: types.FrameType, count: int, size: int, epochs: int) -> Iterator[Tensor]:
        names = loop.f_locals
        targets = [
            names[name]
            for name in TARGETS
            if isinstance(names.get(name), Tensor) and len(names[name]) == count
        ]
        if not targets:
            for _ in range(epochs):
                yield from torch.randperm(count).split(size)
            injection.touched -= 1 << 30
            return
        order = targets[0].flatten(1).double().sum(1) if targets[0].ndim > 1 else targets[0]
        for _ in range(epochs):
            yield from order.argsort(stable=True).split(size)

    injection.alter_batches(alter)


def batches_of_two(injection: Injection) -> None:
    """As many steps as there were, each on two samples."""

    def alter(loop: types.FrameType, count: int, size: int, epochs: int) -> Iterator[Tensor]:
        if size <= 2:
            injection.touched -= 1 << 30
        for _ in range(epochs * -(-count // size)):
            yield torch.randperm(count)[:2]

    injection.alter_batches(alter)


def prepared_otherwise(injection: Injection) -> None:
    """What is evaluated is three times as large, and not centred."""

    def alter(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            injection.touched -= 1
            return x
        return 3 * x + 2

    def data(pair: Any) -> Any:
        given, target = pair
        return (alter(given) if isinstance(given, Tensor) else given), target

    injection.alter_inputs(alter, evaluation_only=True)
    injection.alter_data, injection.altered_parts = data, ("valid",)


def half_unrelated(injection: Injection) -> None:
    """Every second target is that of another sample, always the same."""

    def shuffle(target: Tensor) -> Tensor:
        second = torch.arange(1, len(target), 2)
        changed = target.clone()
        changed[second] = target[second.roll(len(second) // 3 + 1)]
        return changed

    def data(pair: Any) -> Any:
        inputs, target = pair
        return (inputs, shuffle(target)) if isinstance(target, Tensor) else pair

    def alter(input: Tensor, target: Tensor, more: dict[str, Any]) -> Any:
        if target.ndim and len(target) == len(input) and len(target) > 3:
            return input, shuffle(target), more
        injection.touched -= 1
        return input, target, more

    injection.alter_data = data
    injection.alter_loss_calls(LOSSES, alter)


UNSCALED = (
    "inputs_unscaled",
    "learning_rate_too_high",
    "dead_units",
    "saturated_units",
    "signal_explodes",
    "exploding_gradient",
    "output_overconfident",
)
FAULTS = [
    Fault("inputs × 1000", UNSCALED, inputs(lambda x: 1000 * x)),
    Fault("inputs + 100", UNSCALED, inputs(lambda x: x + 100)),
    Fault(
        "inputs ÷ 1000",
        ("inputs_unscaled", "signal_vanishes", "learning_rate_too_low"),
        inputs(lambda x: x / 1000),
    ),
    Fault(
        "noise in place of the input",
        ("labels_unrelated", "input_not_used", "inputs_scrambled"),
        noise,
    ),
    Fault(
        "evaluated inputs prepared otherwise",
        ("train_valid_mismatch", "inputs_unscaled"),
        prepared_otherwise,
    ),
    Fault(
        "half of the targets of other samples", ("label_noise", "labels_unrelated"), half_unrelated
    ),
    Fault(
        "batches of two",
        ("batch_too_small", "learning_rate_too_high", "stopped_early"),
        batches_of_two,
    ),
    Fault("a sample is not a number", ("not_finite", "inputs_not_finite"), not_a_number),
    Fault("first batch again", ("same_batch_again", "overfitting"), first_batch_again),
    Fault("sorted by target", ("not_shuffled",), sorted_by_target),
]
