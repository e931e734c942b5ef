"""Where targets came from, and which network's output each was compared with."""

from __future__ import annotations

from typing import Any

import torch

from sevensteps.observe.loss_terms import StepGraph
from sevensteps.observe.network_answers import NetworkAnswers
from sevensteps.observe.step_targets import StepTargets, origin_of


class Graph(StepGraph):
    """Of which the network behind each node is its name."""

    def network_behind(self, node: Any) -> str | None:
        return str(node) if node else None


def test_targets_are_known_again_by_where_they_lie() -> None:
    targets, kind, price = StepTargets(), torch.arange(4), torch.rand(4)
    targets.note(kind, "G")
    targets.note(price, "D")
    targets.note("no tensor", "D")
    both = {"kind": kind, "price": price, "other": torch.rand(4)}
    assert targets.networks_of(both, Graph()) == {"kind": "G", "price": "D"}
    assert targets.networks_of(kind[:2], Graph()) == {}


def test_where_a_target_comes_from() -> None:
    answers, x = NetworkAnswers(), torch.rand(8, 3)
    assert origin_of({}, answers, [x]) is None
    assert origin_of({"target": torch.rand(8, requires_grad=True)}, answers, [x]) == "output"
    assert origin_of({"target": torch.ones(8, 1)}, answers, [x]) == "constant"
    assert origin_of({"target": torch.arange(8) % 3}, answers, [x]) == "data"
