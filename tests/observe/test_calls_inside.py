"""Calls within forward passes are heard in some looks only, and every look has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe.calls_inside import EVERY, FIRST
from sevensteps.observe.look import Look

pytestmark = pytest.mark.draws
LOOKS = FIRST + 2 * EVERY


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(self.last(F.dropout(F.gelu(self.first(x)), 0.1)), dim=1)


class WithLoss(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.mse_loss(super().forward(x).sum(1), torch.zeros(len(x)))


class WithHook(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h.register_hook(self.count)
        return self.last(h)

    def count(self, _: Tensor) -> None:
        self.calls += 1


def looks_at(model: nn.Module, loss_of: Callable[[Tensor], Tensor]) -> list[Look]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(LOOKS):
            loss = loss_of(model(torch.randn(8, 6)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    assert watch.failure is None
    return watch.observation.looks


def test_every_look_has_the_calls_in_their_order() -> None:
    looks = looks_at(Plain(), lambda output: F.nll_loss(output.log(), torch.zeros(8).long()))
    names = [[(c.name, c.network, c.count, c.shapes) for c in look.calls] for look in looks]
    assert [name for name, *_ in names[0]] == ["gelu", "dropout", "softmax", "log", "nll_loss"]
    assert all(one == names[0] for one in names)
    terms = [[(t.name, look.calls[t.call or 0].name) for t in look.loss_terms] for look in looks]
    assert terms == [[("nll_loss", "nll_loss")]] * LOOKS


def test_a_loss_within_the_network_is_heard_in_every_look() -> None:
    looks = looks_at(WithLoss(), lambda loss: loss)
    for look in looks:
        (term,) = look.loss_terms
        assert term.call is not None
        assert look.calls[term.call].name == "mse_loss"


def test_hooks_of_a_forward_pass_run_once_whatever_is_measured() -> None:
    model = WithHook()
    looks_at(model, lambda output: output[:, 0].square().mean() + output[:, 1].abs().mean())
    assert model.calls == LOOKS


def test_where_nothing_of_them_bears_on_the_loss_most_looks_do_not_listen_within() -> None:
    model = Plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    modes: list[int] = []
    model.last.register_forward_hook(lambda *_: modes.append(torch._C._len_torch_function_stack()))
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(LOOKS):
            loss = model(torch.randn(8, 6)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    heard = [look for look, height in enumerate(modes) if height]
    assert [look for look in heard if look >= 8] == [8]
    assert heard[:FIRST] == list(range(FIRST))
