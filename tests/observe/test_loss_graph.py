"""What lies behind a loss is read off PyTorch's graph."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.observe import loss_graph
from sevensteps.observe.loss_graph import activation_before, operation_name, read_loss_graph


def names_of(network: nn.Module) -> dict[int, str]:
    return {id(p): name for name, p in network.named_parameters()}


def test_operations_down_to_the_weights_and_parameters_that_the_loss_reaches() -> None:
    network, unused = nn.Linear(4, 3), nn.Linear(4, 3)
    output = torch.softmax(network(torch.ones(2, 4)), 1)
    loss = F.cross_entropy(output, torch.tensor([0, 2]))
    graph = read_loss_graph(loss, output, names_of(network) | {id(unused.weight): "unused"})
    assert graph is not None
    assert [operation.name for operation in graph.operations] == [
        "NllLoss",
        "LogSoftmax",
        "Softmax",
    ]
    assert graph.operations[1].dim == 1
    assert graph.operations[0].reduction == 1  # PyTorch's number for "mean"
    assert graph.after_output == 2
    assert graph.reached == {"weight", "bias"}
    assert graph.complete


def test_a_graph_that_is_too_deep_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_graph, "MAX_NODES", 3)
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    graph = read_loss_graph(network(torch.ones(2, 4)).mean(), None, names_of(network))
    assert graph is not None
    assert not graph.complete
    assert graph.after_output is None


@pytest.mark.parametrize("loss", [0.5, torch.tensor(0.5)])
def test_there_is_no_graph_where_nothing_was_recorded(loss: object) -> None:
    assert read_loss_graph(loss, None, {}) is None


def test_operations_are_named_without_their_ending() -> None:
    x = torch.ones(2, requires_grad=True)
    assert operation_name(torch.log_softmax(x, 0).grad_fn) == "LogSoftmax"


def test_the_activation_before_a_layer() -> None:
    x = torch.ones(2, 1, 4, 4, requires_grad=True)
    pooled = F.dropout(F.max_pool2d(torch.relu(x), 2).flatten(1), 0.5)
    assert activation_before(pooled, set()) == "relu"
    assert activation_before(pooled, {pooled.grad_fn}) is None
    assert activation_before(x + 1, set()) is None
    assert activation_before(x, set()) is None
