"""A copy's functions call the copy's own parts, and the original keeps its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sevensteps.observe.copies import copy_network

pytestmark = pytest.mark.draws


class ByFunction(nn.Module):
    """Calls its parts by a function that it has made for itself."""

    def __init__(self, make: Callable[[ByFunction], object]) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Linear(4, 4), nn.Dropout(0.5)
        self.answer = make(self)

    def forward(self, x: Tensor) -> Tensor:
        answer = self.answer[0] if isinstance(self.answer, list) else self.answer
        answer = answer["answer"] if isinstance(answer, dict) else answer
        result: Tensor = answer(x)  # type: ignore[operator]
        return result


def of_self(net: ByFunction) -> object:
    return lambda x: net.dropout(net.layer(x))


def of_parts(net: ByFunction) -> object:
    layer, dropout = net.layer, net.dropout
    return lambda x: dropout(layer(x))


def by_default(net: ByFunction) -> object:
    return lambda x, layer=net.layer, dropout=net.dropout: dropout(layer(x))


def in_another(net: ByFunction) -> object:
    inner = of_parts(net)
    return lambda x: inner(x)  # type: ignore[operator]


def in_a_list(net: ByFunction) -> object:
    return [of_parts(net)]


def in_a_dictionary(net: ByFunction) -> object:
    return {"answer": of_parts(net)}


@pytest.mark.parametrize(
    "make", [of_self, of_parts, by_default, in_another, in_a_list, in_a_dictionary]
)
def test_a_function_of_the_copy_calls_its_parts(make: Callable[[ByFunction], object]) -> None:
    network = ByFunction(make)
    copied = copy_network(network).eval()
    x = torch.randn(8, 4)
    assert torch.equal(copied(x), network.layer(x))  # its own mode: without dropout
    assert not torch.equal(network(x), network(x))  # the original's is as it was
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert not copied(x).any()
    assert network(x).any()


def test_what_refers_to_nothing_of_the_network_is_left_as_it_is() -> None:
    function = torch.relu
    network = ByFunction(lambda _: function)
    other = nn.Linear(4, 4)
    network.answer = lambda x: other(x)
    assert copy_network(network).answer is network.answer


def test_a_network_that_refuses_to_be_copied_says_so() -> None:
    network = nn.Linear(2, 2)
    network.kept = torch.ones(2, requires_grad=True) * 2  # type: ignore[assignment]
    with pytest.raises(RuntimeError):
        copy_network(network)
