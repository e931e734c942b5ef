"""Data that a network or a loss does not take are mended, or said not to be usable."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.usable_data import check_data
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

X, Y = torch.arange(20.0).view(10, 2) / 20, torch.arange(10) % 3


def case(network: nn.Module, **parts: Any) -> Case:
    return Case(Observation(network_facts(network)), network, **parts)


def test_precision_is_mended() -> None:
    given = case(
        nn.Linear(2, 3), train=(X.double(), Y.int()), valid=(X, Y), loss_fn=F.cross_entropy
    )
    check_data(given)
    assert given.not_judged == []
    assert given.train is not None
    assert (given.train[0].dtype, given.train[1].dtype) == (torch.float32, torch.int64)
    assert given.valid is not None
    assert given.valid[0] is X  # what is usable stays what it is
    assert set(given.scores) == {"train", "valid"}
    assert given.probe is not None
    regression = case(nn.Linear(2, 1), train=(X, X[:, :1].double()), loss_fn=F.mse_loss)
    check_data(regression)
    assert regression.not_judged == []
    assert regression.probe is not None


def test_what_cannot_be_used_is_said() -> None:
    given = case(nn.Linear(2, 3), train=(torch.zeros(10, 7), Y), valid=(X, Y))
    check_data(given)
    ((what, why),) = given.not_judged
    assert what == "train"
    assert "does not take these inputs: RuntimeError: mat1 and mat2 shapes" in why
    assert given.train is None
    assert given.valid is not None


def test_a_loss_that_does_not_fit_is_said() -> None:
    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output["logits"], target)  # type: ignore[call-overload]

    given = case(nn.Linear(2, 3), train=(X, Y), loss_fn=loss_fn)
    check_data(given)
    assert [what for what, _ in given.not_judged] == ["loss_fn"]
    assert given.loss_fn is None
    assert given.train is not None


def test_a_network_that_cannot_be_copied_is_said() -> None:
    class Stubborn(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("no copies")

    given = case(Stubborn(2, 3), train=(X, Y))
    check_data(given)
    assert given.outputs((X, Y)) is None
    assert {what for what, _ in given.not_judged} == {"network"}
    assert given.train is not None


class TwoInputs(nn.Module):
    """Embeds the one and adds the other; gives its sum and the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(4, 2), nn.Linear(2, 3)

    def forward(self, kind: Tensor, x: Tensor) -> dict[str, Tensor]:
        h = self.embedding(kind) + x
        return {"hidden": h, "logits": self.out(h)}


@pytest.mark.parametrize("form", ["tuple", "dictionary"])
def test_several_inputs_and_outputs_are_scored(form: str) -> None:
    kind = torch.arange(10) % 4
    inputs: Any = (kind, X.double()) if form == "tuple" else {"x": X.double(), "kind": kind}

    def loss_fn(output: dict[str, Tensor], target: Tensor) -> Tensor:
        return F.cross_entropy(output["logits"], target)

    given = case(TwoInputs(), train=(inputs, Y), valid=(inputs, Y), loss_fn=loss_fn)
    check_data(given)
    assert given.not_judged == []
    assert given.train is None  # conditions that need a table are not asked
    assert given.sample is None
    assert set(given.scores) == {"train", "valid"}
    assert given.probe is not None
    assert given.task == "multiclass"
