"""Samples are kept as the network and the loss took them."""

from __future__ import annotations

import torch

from sevensteps.observe.samples import MAX_SAMPLES, Samples


def test_structures_are_kept_together() -> None:
    samples = Samples()
    for start in (0, 3):
        ids = torch.arange(start, start + 3)[:, None].expand(3, 5)
        target = {"kind": ids[:, 0], "price": ids[:, :1].float()}
        samples.add((), {"ids": ids, "mask": ids > 0, "scale": 2.0}, target)
    assert samples.inputs is not None
    assert samples.inputs.kwargs["ids"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert samples.inputs.kwargs["scale"] == 2.0
    assert samples.targets["price"].flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert samples.x is not None
    assert samples.y is not None
    assert samples.y.tolist() == [0, 1, 2, 3, 4, 5]


def test_inputs_are_kept_without_targets_too_and_no_more_than_fit() -> None:
    samples = Samples()
    for _ in range(20):
        samples.add((torch.ones(500, 6),), {}, None)
    assert samples.inputs is not None
    assert len(samples.inputs.args[0]) <= MAX_SAMPLES
    assert samples.x is None
    huge = Samples()
    huge.add((torch.ones(1, 5_000_000),), {}, torch.ones(1))
    assert huge.inputs is None
    assert not huge.full


def test_a_copy_is_kept() -> None:
    samples, x = Samples(), torch.zeros(4, 2)
    samples.add((x,), {}, torch.zeros(4))
    x.fill_(7)
    assert samples.inputs is not None
    assert not samples.inputs.args[0].any()


def test_only_calls_with_the_same_other_arguments_go_together() -> None:
    samples = Samples()
    for task in (3, 0, 3, 1):
        x = torch.full((4, 2), float(task))
        samples.add((x, task), {"names": ["a", torch.zeros(4)]}, x[:, 0])
    assert samples.x is not None
    assert samples.x.flatten().unique().tolist() == [3.0]
    assert len(samples.x) == 8
    assert samples.inputs is not None
    assert samples.inputs.args[1] == 3


def test_one_input_and_one_target_are_copied_once_for_both_forms() -> None:
    samples = Samples()
    for start in (0, 3):
        x = torch.arange(start, start + 3.0)[:, None].expand(3, 4)
        samples.add((x,), {}, x[:, 0])
    assert samples.inputs is not None
    assert samples.x is not None
    assert samples.y is not None
    assert torch.equal(samples.inputs.args[0], samples.x)
    assert torch.equal(samples.targets, samples.y)
    assert samples.y.tolist() == [0, 1, 2, 3, 4, 5]


def test_inputs_without_targets_may_come_before_those_with_them() -> None:
    samples = Samples()
    samples.add((torch.zeros(3, 4),), {}, None)
    samples.add((torch.ones(3, 4),), {}, torch.ones(3))
    assert samples.inputs is not None
    assert samples.x is not None
    assert samples.x.tolist() == torch.ones(3, 4).tolist()
    assert samples.inputs.args[0][:3].tolist() == torch.zeros(3, 4).tolist()
