"""Facts of a network and its optimizers."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from sevensteps.observe.network_facts import (
    LayerFacts,
    NetworkFacts,
    layer_facts,
    network_facts,
    parameter_norm,
    refuses_hooks,
    watched_modules,
)


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16, 2),
    )


def test_layers_have_a_role_and_an_axis_of_units() -> None:
    layers = network_facts(network()).layers
    assert {name: (layer.role, layer.axis) for name, layer in layers.items()} == {
        "0": ("weights", 1),
        "1": ("norm", 1),
        "2": ("activation", -1),
        "5": ("weights", -1),
    }
    assert layers["2"].activation == "relu"
    assert layers["5"].parameters == ("5.weight", "5.bias")


def test_parameters_know_the_group_that_updates_them() -> None:
    net, other = network(), nn.Linear(3, 3, bias=False)
    net[0].bias.requires_grad_(False)
    facts = network_facts(
        net,
        [
            torch.optim.SGD([net[0].weight], lr=0.1, momentum=0.9),
            torch.optim.Adam([{"params": net[5].parameters()}, {"params": other.parameters()}]),
        ],
    )
    groups = {name: parameter.group for name, parameter in facts.parameters.items()}
    assert groups == {
        "0.weight": 0,
        "0.bias": None,
        "1.weight": None,
        "1.bias": None,
        "5.weight": 1,
        "5.bias": 1,
    }
    assert not facts.parameters["0.bias"].trained
    assert [group["optimizer"] for group in facts.groups] == ["SGD", "Adam", "Adam"]
    assert facts.groups[0]["momentum"] == 0.9
    assert facts.strangers == 9
    assert (facts.norms, facts.dropouts) == (("1",), ("4",))
    assert facts.parameters["5.bias"].length == parameter_norm(net[5].bias)


def test_facts_survive_as_json() -> None:
    facts = network_facts(network(), [torch.optim.SGD(network().parameters(), lr=0.1)])
    assert NetworkFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_the_length_of_what_has_no_real_numbers_is_0() -> None:
    assert parameter_norm(torch.tensor([3.0, 4.0])) == 5
    assert parameter_norm(torch.tensor([3, 4])) == 0
    assert parameter_norm(nn.LazyLinear(2).weight) == 0


def test_a_network_that_is_one_layer_is_watched_by_its_class() -> None:
    assert [name for name, _ in watched_modules(nn.Linear(2, 2))] == ["Linear"]


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
def test_a_script_takes_no_hooks() -> None:
    assert refuses_hooks(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)))
    assert not refuses_hooks(nn.Linear(2, 2))


def test_layers_that_pytorch_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = [nn.Linear(2, 3), nn.Linear(3, 1)]

    class Keeper(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return hidden[1](hidden[0](x))

    def layers_of(network: nn.Module) -> dict[str, tuple[nn.Module, LayerFacts]]:
        if not isinstance(network, Keeper):
            return {}
        names = {id(p): f"w{i}" for m in hidden for i, p in enumerate(m.parameters())}
        return {f"own {i}": (m, layer_facts(f"own {i}", m, names)) for i, m in enumerate(hidden)}

    monkeypatch.setattr("sevensteps.observe.network_facts.OTHER_LAYERS", [layers_of])
    assert watched_modules(Keeper()) == [("own 0", hidden[0]), ("own 1", hidden[1])]
    assert list(network_facts(Keeper()).layers) == ["own 0", "own 1"]
    assert list(network_facts(nn.Sequential(nn.Linear(1, 1))).layers) == ["0"]
