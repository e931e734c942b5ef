"""The truth tables of logic, with and without noise."""

from __future__ import annotations

import pytest
import torch

import sevensteps as ss
from sevensteps import data
from sevensteps.data.builtin.logic import GATES
from sevensteps.data.loading import GATES as SHORT
from sevensteps.errors import Error


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_is_its_truth_table(gate: str) -> None:
    rows = len(GATES[gate])
    table = data.load(f'logic("{gate}", n={rows}, noise=0)')
    assert table.train.y[:, 0].tolist() == list(GATES[gate])
    assert torch.equal(table.train.x, table.valid.x)
    points = data.load(gate.upper())
    assert points.source == gate
    assert (len(points.train), len(points.valid)) == (160, 40)
    clean = points.train.x.round().long()
    row = clean[:, 0] * 2 + clean[:, 1] if rows == 4 else clean[:, 0]
    assert torch.equal(points.train.y[:, 0].long(), torch.tensor(GATES[gate])[row])


def test_the_short_names_are_the_gates() -> None:
    assert tuple(GATES) == SHORT


@pytest.mark.parametrize("gate", GATES)
def test_a_perceptron_learns_it(gate: str) -> None:
    run = ss.train(
        f'logic("{gate}", n={len(GATES[gate])}, noise=0)',
        predict='neuron("step")',
        stop="epochs(40)",
        out=False,
        watch=0,
    )
    assert run.metrics["valid"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('logic("xor")', "gate has no option 'xor'; did you mean 'or'?"),
        ('logic("and", n=5)', "n must be 4 (the truth table) or at least 8"),
        ('logic("not", n=3)', "n must be 2 (the truth table) or at least 4"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(Error) as refused:
        data.load(text)
    assert message in str(refused.value)
