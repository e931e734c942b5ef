"""Where the ways of several parts meet, in graphs whose meeting place is plain to see."""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.observe.meeting import Edge, find_meeting


def edge(tensor: Tensor) -> list[Edge]:
    return [(tensor.grad_fn, tensor.output_nr)]


def weights(count: int) -> list[Tensor]:
    return [torch.full((3, 3), 0.5, requires_grad=True) for _ in range(count)]


def test_two_parts_meet_at_what_both_are_computed_from_and_no_further_down() -> None:
    below, body, first, second = weights(4)
    shared = (torch.ones(2, 3) @ below).tanh() @ body
    parts = [(shared @ first).sum(), (shared @ second).pow(2).sum()]
    meeting = find_meeting([edge(part) for part in parts])
    assert meeting is not None
    assert meeting.edges == edge(shared)
    assert meeting.parts == [0, 1]
    assert [id(p) for p in meeting.shared] == [id(body), id(below)]
    assert [[id(p) for p in own] for own in meeting.own] == [[id(first)], [id(second)]]
    assert meeting.refusal == ""


def test_a_part_that_uses_two_places_has_them_both_met() -> None:
    body, other, first = weights(3)
    x = torch.ones(2, 3)
    one, two = x @ body, x @ other
    parts = [((one + two) @ first).sum(), (one * two).sum()]
    meeting = find_meeting([edge(part) for part in parts])
    assert meeting is not None
    assert {node for node, _ in meeting.edges} == {one.grad_fn, two.grad_fn}


def test_parts_that_share_only_a_parameter_meet_in_it() -> None:
    (body,) = weights(1)
    parts = [(torch.ones(2, 3) @ body).sum(), (torch.zeros(4, 3) @ body).sum()]
    meeting = find_meeting([edge(part) for part in parts])
    assert meeting is not None
    assert [node.variable is body for node, _ in meeting.edges] == [True]


def test_parts_that_share_nothing_do_not_meet() -> None:
    first, second = weights(2)
    parts = [(torch.ones(2, 3) @ first).sum(), (torch.ones(2, 3) @ second).sum()]
    assert find_meeting([edge(part) for part in parts]) is None


def test_of_three_the_most_that_meet_are_told() -> None:
    body, first, second, apart = weights(4)
    shared = torch.ones(2, 3) @ body
    parts = [(shared @ first).sum(), (torch.ones(2, 3) @ apart).sum(), (shared @ second).sum()]
    meeting = find_meeting([edge(part) for part in parts])
    assert meeting is not None
    assert meeting.parts == [0, 2]


def test_a_parameter_with_a_hook_is_left_alone() -> None:
    (body,) = weights(1)
    body.register_hook(lambda gradient: None)
    parts = [(torch.ones(2, 3) @ body).sum(), (torch.zeros(4, 3) @ body).sum()]
    meeting = find_meeting([edge(part) for part in parts])
    assert meeting is not None
    assert meeting.refusal == "parameters have backward hooks"
