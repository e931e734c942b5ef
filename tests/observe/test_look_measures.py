"""What a look measures of outputs and parameters, against PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sevensteps.observe.later import FlatCopies
from sevensteps.observe.look_measures import (
    FULL_LOOK_NUMBERS,
    MAX_ROWS,
    count_distinct_rows,
    effective_rank,
    first_rows,
    measure_changes,
    measure_flat_changes,
    measure_signals,
)
from sevensteps.observe.network_facts import LayerFacts

GENERATOR = torch.Generator().manual_seed(3)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


def test_units_are_measured_along_their_axis_and_over_all_calls() -> None:
    dense, image = normal(10, 5), normal(4, 3, 2, 2)
    layers = {
        "dense": LayerFacts("dense", "Sigmoid", "activation", -1, "sigmoid"),
        "conv": LayerFacts("conv", "Conv2d", "weights", 1),
    }
    outputs = torch.sigmoid(20 * dense)
    calls = {
        "dense": ([outputs[:6], outputs[6:]], [dense[:6], dense[6:]]),
        "conv": ([image], list[Tensor]()),
    }
    signals = measure_signals(calls, layers, full=True)
    signal = signals["dense"]
    assert torch.allclose(signal.mean, outputs.mean(0))
    assert torch.allclose(signal.std, outputs.std(0, correction=0), atol=1e-6)
    assert signal.gradient is not None
    assert torch.allclose(signal.gradient, dense.norm(dim=0))
    assert signal.flat is not None
    torch.testing.assert_close(signal.flat, ((outputs < 0.01) | (outputs > 0.99)).float().mean(0))
    assert signal.calls == 2
    per_channel = image.movedim(1, -1).reshape(-1, 3)
    assert torch.allclose(signals["conv"].mean, per_channel.mean(0), atol=1e-6)
    assert torch.allclose(signals["conv"].firing, (per_channel > 0).float().mean(0))
    assert signals["conv"].gradient is None
    assert signals["conv"].flat is None


def test_one_vector_of_all_parameters_is_measured_as_its_tensors_are() -> None:
    shapes = {"weight": (3, 4), "bias": (3,), "kernel": (2, 3, 2, 2)}
    slices, start = {}, 0
    for name, shape in shapes.items():
        size = torch.Size(shape).numel()
        slices[name] = (slice(start, start + size), shape)
        start += size
    now, gradient, before = normal(start), normal(start), normal(start)

    def tensors(vector: Tensor) -> dict[str, Tensor]:
        return {name: vector[part].view(shape) for name, (part, shape) in slices.items()}

    flat = measure_flat_changes(now, gradient, before, slices, full=True)
    single = measure_changes(
        tensors(now), FlatCopies(tensors(gradient)), FlatCopies(tensors(before)), full=True
    )
    for name, shape in shapes.items():
        assert flat[name].weight.shape == (shape[0] if len(shape) > 1 else 1,)
        assert flat[name].distinct == single[name].distinct
        for a, b in (
            (flat[name].weight, single[name].weight),
            (flat[name].gradient, single[name].gradient),
            (flat[name].update, single[name].update),
        ):
            assert a is not None
            assert b is not None
            assert torch.allclose(a, b)


def test_the_first_rows_of_a_batch_are_copied() -> None:
    small, wide = torch.ones(3, 2), torch.ones(9, FULL_LOOK_NUMBERS // 4)
    copy = first_rows(small)
    assert copy is not None
    small.zero_()
    assert copy.sum() == 6
    rows = first_rows(torch.ones(2 * MAX_ROWS))
    assert rows is not None
    assert len(rows) == MAX_ROWS
    rows = first_rows(wide)
    assert rows is not None
    assert len(rows) == 4
    assert first_rows(torch.tensor(1.0)) is None
    assert first_rows("a word") is None


@pytest.mark.parametrize(
    ("rows", "distinct"),
    [
        (torch.ones(4, 3), 1),
        (torch.eye(4), 4),
        (torch.tensor([[1.0, 2], [1, 2], [2, 1]]), 2),
        (torch.tensor([[0.3, 2], [0.3 + 3e-8, 2], [2, 0.3]]), 2),  # but for rounding
        (torch.tensor([[1e9, 2e9], [1, 2], [3, 4]]), 3),
        (torch.tensor([[torch.nan, 2], [1, 2], [1, 2]]), 2),
    ],
)
def test_distinct_rows_are_counted(rows: Tensor, distinct: int) -> None:
    assert count_distinct_rows(rows) == distinct


def test_the_effective_rank_counts_directions() -> None:
    plane = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert float(effective_rank(plane)) == pytest.approx(2)
    line = normal(50, 1) * normal(1, 7)
    assert float(effective_rank(line)) == pytest.approx(1, abs=1e-3)
    assert float(effective_rank(torch.ones(5, 3))) == 0
