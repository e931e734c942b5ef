"""What `ss.watch` is given says which networks there are, and what trains them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.errors import ArgumentError
from sevensteps.observe.watched_networks import optimizers_of, watched_networks


def sgd(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for module in modules for p in module.parameters()], lr=0.1)


def test_one_network_has_no_name() -> None:
    network = nn.Linear(1, 1)
    optimizer = sgd(network)
    (name, watched), *rest = watched_networks(network, optimizer).items()
    assert (name, watched.module, watched.optimizers, rest) == ("", network, (optimizer,), [])


def test_a_mapping_names_several() -> None:
    g, d, fixed = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)
    for_g, for_d, both = sgd(g), sgd(d), sgd(g, d)
    networks = watched_networks({"g": (g, for_g), "d": (d, [for_d]), "fixed": (fixed, None)}, both)
    assert {name: network.optimizers for name, network in networks.items()} == {
        "g": (for_g, both),
        "d": (for_d, both),
        "fixed": (),
    }
    assert watched_networks({"g": g}, for_g)["g"].optimizers == (for_g,)


def test_a_list_is_a_container() -> None:
    g, d = nn.Linear(1, 1), nn.Linear(1, 1)
    for_g, for_d = sgd(g), sgd(d)
    assert [n.module for n in watched_networks([g, d], [for_g, for_d]).values()] == [g, d]
    assert list(watched_networks((g, d), sgd(g, d))) == [""]
    with pytest.raises(ArgumentError, match="a list of modules"):
        watched_networks([g, "d"], for_g)


def test_a_container_is_several_where_each_child_has_its_optimizer() -> None:
    g, d = nn.Linear(1, 1), nn.Linear(1, 1)
    for_g, for_d = sgd(g), sgd(d)
    both = nn.ModuleDict({"g": g, "d": d})
    assert {
        name: network.optimizers for name, network in watched_networks(both, [for_d, for_g]).items()
    } == {"g": (for_g,), "d": (for_d,)}
    assert list(watched_networks(both, sgd(g, d))) == [""]
    assert list(watched_networks(nn.Sequential(g, d), [for_d, for_g])) == [""]


def test_a_wrapped_optimizer_is_looked_through() -> None:
    class Wrapper:
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

    inner = sgd(nn.Linear(1, 1))
    assert optimizers_of(Wrapper(inner)) == (inner,)
    assert optimizers_of(None) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "not a int"),
        ({"a.b": nn.Linear(1, 1)}, "no name of a network"),
        ({"a": 3}, "give a torch.nn.Module"),
        ({"a": (nn.Linear(1, 1), "sgd")}, "must be a torch.optim.Optimizer"),
    ],
)
def test_anything_else_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        watched_networks(given, None)


@pytest.mark.draws
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_module_is_one_network() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)))
    optimizer = torch.optim.SGD(scripted.parameters(), 0.1)
    assert list(watched_networks(scripted, optimizer)) == [""]
