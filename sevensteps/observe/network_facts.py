"""What a network and its optimizers are made of: layers, parameters, and who updates which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from sevensteps.engine.activations import ACTIVATIONS, UNKNOWN, Activation, activation_of
from sevensteps.engine.modules import Dropout, Neuron
from sevensteps.observe.modules import modules_of

# hand on what they get: nothing to look at
PASS_THROUGH = (nn.Flatten, nn.Unflatten, nn.Identity, _DropoutNd, Dropout)
ENDS = 64  # numbers of a matrix


@dataclass(frozen=True)
class LayerFacts:
    """One layer of a network.

    `role` is "weights" (linear, convolution, …), "activation", "norm" or "other"; `activation` the
    usual name of its function; `axis` where the units are in its output. A function that the
    network's `forward` calls before the module m, such as `F.relu`, appears as a layer named
    `m.input`.
    """

    name: str
    kind: str
    role: str
    axis: int = -1
    activation: str | None = None
    parameters: tuple[str, ...] = ()

    @property
    def function(self) -> Activation:
        """What is known of its activation function; a row of no name where nothing is."""
        return ACTIVATIONS.get(self.activation or "", UNKNOWN)


@dataclass(frozen=True)
class ParameterFacts:
    """One parameter of a network.

    `trained` says whether it is to be trained, `group` which optimizer group updates it (None: none
    does), `length` is √Σ w² when watching began, and `constant` whether all numbers of a matrix
    were then the same, by some of them.
    """

    name: str
    shape: tuple[int, ...]
    trained: bool
    group: int | None
    length: float = 0.0
    constant: bool = False


@dataclass(frozen=True)
class NetworkFacts:
    """A network and its optimizers. `groups` are the settings of each optimizer group, with the
    optimizer's class under "optimizer".
    """

    network: str
    layers: dict[str, LayerFacts]
    parameters: dict[str, ParameterFacts]
    groups: tuple[dict[str, Any], ...]
    strangers: int = 0  # numbers that the optimizers update and that are not this network's
    norms: tuple[str, ...] = ()  # modules that compute otherwise in training than in evaluation
    dropouts: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All facts as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> NetworkFacts:
        """The facts that `to_dict` wrote."""
        layers = {
            name: LayerFacts(**{**layer, "parameters": tuple(layer["parameters"])})
            for name, layer in facts["layers"].items()
        }
        parameters = {
            name: ParameterFacts(**{**p, "shape": tuple(p["shape"])})
            for name, p in facts["parameters"].items()
        }
        tuples = {key: tuple(facts[key]) for key in ("groups", "norms", "dropouts")}
        return cls(**{**facts, "layers": layers, "parameters": parameters, **tuples})

    def of(self, network: str) -> NetworkFacts:
        """The facts of one of several networks, in its own names; of its groups those that update
        one of its parameters.
        """
        start = prefix_of(network)
        layers = {
            cut(name, start): replace(
                layer,
                name=cut(name, start),
                parameters=tuple(cut(parameter, start) for parameter in layer.parameters),
            )
            for name, layer in self.layers.items()
            if name.startswith(start)
        }
        own = [p for name, p in self.parameters.items() if name.startswith(start)]
        used = self.groups_of(network)
        parameters = {
            cut(p.name, start): replace(
                p, name=cut(p.name, start), group=None if p.group is None else used.index(p.group)
            )
            for p in own
        }
        return NetworkFacts(
            self.extra.get("networks", {}).get(network, self.network),
            layers,
            parameters,
            tuple(self.groups[group] for group in used),
            0,
            tuple(cut(name, start) for name in self.norms if name.startswith(start)),
            tuple(cut(name, start) for name in self.dropouts if name.startswith(start)),
        )

    def after(self, before: NetworkFacts) -> NetworkFacts:
        """These facts, of networks that had those of `before` earlier: parameters as long as they
        were when watching began, functions that were seen since.
        """
        parameters = {
            name: replace(
                p, length=before.parameters[name].length, constant=before.parameters[name].constant
            )
            if name in before.parameters
            else p
            for name, p in self.parameters.items()
        }
        functions = {name: f for name, f in before.layers.items() if name.endswith(".input")}
        return replace(self, parameters=parameters, layers={**self.layers, **functions})

    def add_functions(self, network: str, layers: dict[str, LayerFacts]) -> None:
        """Add the functions that are called before the layers of one of several networks, in its
        own names.
        """
        start = prefix_of(network)
        for name, layer in layers.items():
            if name.endswith(".input") and start + name not in self.layers:
                self.layers[start + name] = replace(layer, name=start + name)

    def groups_of(self, network: str) -> list[int]:
        """Which optimizer groups update a parameter of this network."""
        start = prefix_of(network)
        groups = {p.group for name, p in self.parameters.items() if name.startswith(start)}
        return sorted(group for group in groups if group is not None)


def prefix_of(network: str) -> str:
    """What stands before the names of layers and parameters of this network: nothing, where it is
    the only one.
    """
    return f"{network}." if network else ""


def cut(name: str, start: str) -> str:
    """`name` without its `start`."""
    return name.removeprefix(start)


def facts_of_networks(
    networks: Mapping[str, nn.Module], optimizers: Iterable[torch.optim.Optimizer] = ()
) -> NetworkFacts:
    """The facts of several networks together: the names of each with its own before them."""
    optimizers = list(optimizers)
    if list(networks) == [""]:
        return network_facts(networks[""], optimizers)
    layers: dict[str, LayerFacts] = {}
    parameters: dict[str, ParameterFacts] = {}
    norms: list[str] = []
    dropouts: list[str] = []
    groups: tuple[dict[str, Any], ...] = ()
    for network, module in networks.items():
        facts, start = network_facts(module, optimizers), prefix_of(network)
        groups = facts.groups
        for layer in facts.layers.values():
            name, own = start + layer.name, tuple(start + part for part in layer.parameters)
            layers[name] = replace(layer, name=name, parameters=own)
        for p in facts.parameters.values():
            parameters[start + p.name] = replace(p, name=start + p.name)
        norms += [start + name for name in facts.norms]
        dropouts += [start + name for name in facts.dropouts]
    known = {id(p): p for module in networks.values() for p in module.parameters()}
    optimized = {
        id(p): p
        for optimizer in optimizers
        for group in optimizer.param_groups
        for p in group["params"]
    }
    return NetworkFacts(
        ", ".join(type(module).__name__ for module in networks.values()),
        layers,
        parameters,
        groups,
        sum(p.numel() for key, p in optimized.items() if key not in known),
        tuple(norms),
        tuple(dropouts),
        {"networks": {name: type(module).__name__ for name, module in networks.items()}},
    )


def network_facts(
    network: nn.Module, optimizers: Iterable[torch.optim.Optimizer] = ()
) -> NetworkFacts:
    """The facts of a network and of the optimizers that train it. A parameter that several layers
    share has the name under which it comes first.
    """
    groups: list[dict[str, Any]] = []
    group_of: dict[int, int] = {}  # id of a parameter -> its group
    optimized = 0  # numbers
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            settings = {
                key: value
                for key, value in group.items()
                if isinstance(value, int | float | bool | str | tuple)
            }
            for p in group["params"]:
                group_of[id(p)] = len(groups)
                optimized += p.numel()
            groups.append({"optimizer": type(optimizer).__name__, **settings})
    named = dict(network.named_parameters())
    first = {id(p): name for name, p in named.items()}
    own = sum(p.numel() for p in {id(p): p for p in named.values()}.values() if id(p) in group_of)
    parameters = {
        name: ParameterFacts(
            name,
            tuple(p.shape),
            p.requires_grad,
            group_of.get(id(p)),
            parameter_norm(p),
            _is_constant(p),
        )
        for name, p in named.items()
    }
    modules = list(network.named_modules())
    layers = {name: facts for name, (_, facts) in other_layers(network).items()} or {
        name: layer_facts(name, module, first) for name, module in watched_modules(network)
    }
    return NetworkFacts(
        type(network).__name__,
        layers,
        parameters,
        tuple(groups),
        optimized - own,
        tuple(name for name, m in modules if isinstance(m, _NormBase) and m.track_running_stats),
        tuple(name for name, m in modules if isinstance(m, _DropoutNd | Dropout) and m.p > 0),
    )


def parameter_norm(parameter: torch.Tensor) -> float:
    """√Σ w²; 0 for one that has no numbers yet, or is not of real numbers."""
    if (
        isinstance(parameter, nn.parameter.UninitializedParameter)
        or not parameter.is_floating_point()
    ):
        return 0.0
    return float(torch.linalg.vector_norm(parameter.detach().float()))


def _is_constant(parameter: torch.Tensor) -> bool:
    """Whether all numbers of a matrix are the same, by its first and last ones."""
    if isinstance(parameter, nn.parameter.UninitializedParameter) or parameter.ndim < 2:
        return False
    flat = parameter.detach().flatten()
    ends = torch.cat([flat[:ENDS], flat[-ENDS:]])
    return len(ends) > 1 and bool((ends == ends[0]).all())


# What gives the layers of networks that do not register them with PyTorch: by name, each with its
# facts; nothing for other networks.
OTHER_LAYERS: list[Callable[[nn.Module], dict[str, tuple[nn.Module, LayerFacts]]]] = []


def other_layers(network: nn.Module) -> dict[str, tuple[nn.Module, LayerFacts]]:
    """The layers of a network that does not register them with PyTorch."""
    return {name: layer for layers in OTHER_LAYERS for name, layer in layers(network).items()}


def watched_modules(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules whose output is looked at, by name: those without modules in them, and those
    with parameters of their own.
    """
    if others := other_layers(network):
        return [(name, module) for name, (module, _) in others.items()]
    return [
        (name or type(network).__name__, module)
        for name, module in modules_of(network)
        if not isinstance(module, PASS_THROUGH)
        and (
            not any(part is not None for part in module._modules.values())
            or any(p is not None for p in module._parameters.values())
        )
    ]


def bare_module(module: nn.Module) -> nn.Module:
    """The module itself, out of what `torch.compile` and data parallel training wrap it in."""
    while True:
        if type(module).__name__ == "OptimizedModule" and "_orig_mod" in module._modules:
            inner = module._modules["_orig_mod"]
        elif isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
            inner = module.module
        else:
            return module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def refuses_hooks(network: nn.Module) -> bool:
    """Whether hooks inside `network` are impossible, as in TorchScript."""
    return isinstance(network, torch.jit.ScriptModule)


def layer_facts(name: str, module: nn.Module, names: dict[int, str]) -> LayerFacts:
    """The facts of one layer; `names` are those of the parameters, by id."""
    own = tuple(names[id(p)] for p in module.parameters(recurse=False))
    activation = activation_of(module)
    if isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm):
        role = "norm"
    elif activation is not None:
        role = "activation"
    else:
        role = (
            "weights"
            if isinstance(module, nn.Linear | Neuron | nn.Bilinear | nn.Embedding) or own
            else "other"
        )
    axis = 1 if isinstance(module, _ConvNd | _NormBase | nn.GroupNorm) else -1
    return LayerFacts(
        name,
        type(module).__name__,
        role,
        axis,
        None if activation is None else activation.name,
        own,
    )
