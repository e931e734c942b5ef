"""What passes of one step say about each other, by the gradients at their outputs."""

from __future__ import annotations

import torch

from sevensteps.observe.compared_passes import (
    OnePass,
    halves,
    pair_distances,
    pulls_alike,
    two_sides,
)

X = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
NEAR = X + torch.tensor([1.0, 0.0])
FAR = X + torch.tensor([3.0, 4.0])


def one(x: torch.Tensor, output: torch.Tensor, gradient: torch.Tensor) -> OnePass:
    return OnePass(x, output, gradient, False)


def test_pairs_that_are_drawn_together_and_pushed_apart() -> None:
    code = torch.zeros(5, 2)
    other = torch.ones(5, 2)
    draws, pushes = torch.ones(5, 2), -torch.ones(5, 2)  # a step goes against the gradient
    passes = [one(X, code, pushes), one(NEAR, other, draws), one(FAR, other, pushes)]
    pairs = pair_distances(passes)
    assert pairs is not None
    assert pairs.drawn == (5, 1.0, 0.0)
    assert pairs.pushed == (5, 5.0, 0.0)


def test_passes_of_other_shapes_are_no_pairs() -> None:
    code = torch.zeros(5, 2)
    assert pair_distances([one(X, code, code)]) is None
    assert pair_distances([one(X, code, code), one(X[:3], code[:3], code[:3])]) is None
    narrow = torch.zeros(5, 1)
    assert pair_distances([one(X, narrow, narrow), one(X, narrow, narrow)]) is None


def judged(sign: float, attached: bool = True) -> bool | None:
    answer, up = torch.zeros(5, 1), torch.ones(5, 1)
    made = OnePass(NEAR + 0.01, answer, sign * up, attached)
    return pulls_alike([one(FAR, answer, -up), one(NEAR, answer, up), made])


def test_a_judge_and_what_it_judges() -> None:
    assert judged(-1.0) is False
    assert judged(1.0) is True
    assert judged(0.0) is None
    assert judged(1.0, attached=False) is None


def test_halves_of_one_pass_that_are_pulled_against_each_other() -> None:
    both, pull = torch.cat([X, NEAR]), torch.randn(5, 2)
    (first, second) = halves(one(both, torch.zeros(10, 2), torch.cat([pull, -pull])))
    assert torch.equal(first.inputs, X)
    assert torch.equal(second.inputs, NEAR)
    assert halves(one(both, torch.zeros(10, 2), torch.cat([pull, pull]))) == []


def test_two_inputs_side_by_side() -> None:
    code, pull = torch.zeros(5, 2), torch.randn(5, 2)
    inputs, outputs = {"0": X, "1": NEAR}, {"[0]": code, "[1]": code + 1}
    _, second = two_sides(inputs, outputs, {"[0]": pull, "[1]": -pull})
    assert torch.equal(second.inputs, NEAR)
    assert torch.equal(second.output, code + 1)
    assert torch.equal(second.gradient, -pull)
    assert two_sides(inputs, outputs, {"[0]": pull}) == []
    assert two_sides({"0": X}, outputs, {"[0]": pull, "[1]": -pull}) == []
    with_loss = {"[0]": code, "[1]": torch.tensor(1.0)}
    assert two_sides(inputs, with_loss, {"[0]": pull, "[1]": torch.tensor(1.0)}) == []


def test_columns_are_compared_one_by_one() -> None:
    code, draws = torch.zeros(5, 2), torch.ones(5, 2)
    passes = [one(X, code, -draws), one(NEAR, code + 1, draws), one(FAR, code + 1, -draws)]
    pairs = pair_distances(passes)
    assert pairs is not None
    assert pairs.drawn_columns == ((1.0, 0.0), (0.0, 0.0))
    assert pairs.pushed_columns == ((9.0, 0.0), (16.0, 0.0))
    assert pairs.felt == 1.0
