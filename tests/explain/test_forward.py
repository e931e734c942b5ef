"""The forward pass in float64, layer by layer, and names of its units, inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sevensteps.errors import ArgumentError
from sevensteps.explain.forward import (
    evaluation_copy,
    forward_pass,
    input_name,
    named_leaves,
    output_names,
    unit_name,
    unravel_index,
)
from tests.explain.conftest import Runs


@pytest.mark.parametrize("shape", [(7,), (2, 3), (3, 4, 5), (1, 28, 28)])
def test_places_in_a_row_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    for flat in range(0, int(np.prod(shape)), 5):
        assert unravel_index(flat, shape) == tuple(map(int, np.unravel_index(flat, shape)))
    assert unit_name("pool1", 13, (2, 3, 4)) == "pool1[1,0,1]"


@pytest.mark.draws
def test_outputs_are_those_of_the_layers_called_one_by_one() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Dropout(0.5)).train()
    x = torch.randn(5, 3)
    passed = forward_pass(network, x)
    sums = nn.functional.linear(x.double(), *(p.detach().double() for p in network.parameters()))
    assert list(passed.outputs) == ["0", "1", "2"]
    torch.testing.assert_close(passed.outputs["0"], sums)  # from before the ReLU worked in place
    torch.testing.assert_close(passed.output, sums.relu())
    assert passed.dtype is torch.float64
    assert network.training
    assert network[0].weight.dtype is torch.float32
    assert not evaluation_copy(network).training


def test_a_network_that_insists_on_float32_gets_it() -> None:
    class Insistent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ torch.eye(3)

    assert forward_pass(Insistent(), torch.ones(2, 3)).dtype is torch.float32
    with pytest.raises(ArgumentError, match=r"^the network fails in float64: "):
        forward_pass(Insistent(), torch.ones(2, 3), (torch.float64,))


def test_leaves_of_a_network_that_is_no_chain() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Tanh(), nn.Sigmoid())
            self.outer = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.outer(x + self.inner(x))
            return y

    assert [name for name, _ in named_leaves(Residual())] == ["inner.0", "inner.1", "outer"]
    assert [name for name, _ in named_leaves(nn.Tanh())] == ["Tanh"]


def test_inputs_and_outputs_have_the_names_of_their_data(runs: Runs) -> None:
    digits, iris, several = (runs(name).explain.subject for name in ("digits", "iris", "several"))
    assert input_name(digits, 19) == "pixel (2, 3)"
    assert input_name(iris, 2) == iris.data.features[2]
    assert input_name(several, 2) == "x[2]"
    assert output_names(digits) == [str(digit) for digit in range(10)]
    assert output_names(runs("digits37").explain.subject) == ["3"]
    assert output_names(several) == ["output 0", "output 1", "output 2"]
    assert output_names(runs("speed").explain.subject) == ["output"]
