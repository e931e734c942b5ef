"""What is known of a network and its optimizers before anything is computed: layers, parameters,
who moves which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from sevensteps.engine.activations import ACTIVATIONS, UNKNOWN, Activation, activation_of
from sevensteps.engine.modules import Dropout, Neuron

SILENT = (
    nn.Flatten,
    nn.Unflatten,
    nn.Identity,
    _DropoutNd,
    Dropout,
)  # hand on what they get; nothing to see


@dataclass(frozen=True)
class LayerFacts:
    """One layer: `role` is "weights" (linear, convolution, …), "activation", "norm" or "other"; `activation` is its usual name.

    `axis` is where the units are in its output. A function called in the network's `forward` before
    the module m, such as `F.relu`, appears as a layer named `m.input`."""

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
    """One parameter: its shape, whether it is to be trained, the optimizer group that moves it (None: none does), and its length
    √Σ w² when watching began.
    """

    name: str
    shape: tuple[int, ...]
    trained: bool
    group: int | None
    length: float = 0.0


@dataclass(frozen=True)
class Facts:
    """A network and its optimizers. `groups` hold each group's settings and the optimizer's class under "optimizer"."""

    network: str
    layers: dict[str, LayerFacts]
    parameters: dict[str, ParameterFacts]
    groups: tuple[dict[str, Any], ...]
    strangers: int = 0  # numbers that the optimizers move and that are not this network's
    norms: tuple[str, ...] = ()  # modules that compute otherwise in training than in evaluation
    dropouts: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, held: dict[str, Any]) -> Facts:
        """What `to_dict` gave."""
        layers = {
            name: LayerFacts(**{**layer, "parameters": tuple(layer["parameters"])})
            for name, layer in held["layers"].items()
        }
        parameters = {
            name: ParameterFacts(**{**p, "shape": tuple(p["shape"])})
            for name, p in held["parameters"].items()
        }
        tuples = {key: tuple(held[key]) for key in ("groups", "norms", "dropouts")}
        return cls(**{**held, "layers": layers, "parameters": parameters, **tuples})


def facts_of(network: nn.Module, optimizers: Iterable[torch.optim.Optimizer] = ()) -> Facts:
    """Read `Facts` off a network and its optimizers."""
    groups: list[dict[str, Any]] = []
    owner: dict[int, int] = {}  # id of a parameter -> its group
    moved = 0
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            settings = {
                key: value
                for key, value in group.items()
                if isinstance(value, int | float | bool | str | tuple)
            }
            for p in group["params"]:
                owner[id(p)] = len(groups)
                moved += p.numel()
            groups.append({"optimizer": type(optimizer).__name__, **settings})
    named = dict(network.named_parameters())
    own = sum(p.numel() for p in {id(p): p for p in named.values()}.values() if id(p) in owner)
    parameters = {
        name: ParameterFacts(name, tuple(p.shape), p.requires_grad, owner.get(id(p)), length(p))
        for name, p in named.items()
    }
    modules = list(network.named_modules())
    layers = {
        name: _layer(name, module, "" if module is network else f"{name}.")
        for name, module in watched(network)
    }
    return Facts(
        type(network).__name__,
        layers,
        parameters,
        tuple(groups),
        moved - own,
        tuple(name for name, m in modules if isinstance(m, _NormBase) and m.track_running_stats),
        tuple(name for name, m in modules if isinstance(m, _DropoutNd | Dropout) and m.p > 0),
    )


def length(parameter: torch.Tensor) -> float:
    """√Σ w²; 0 for one that has no numbers yet, or is not of real numbers."""
    if (
        isinstance(parameter, nn.parameter.UninitializedParameter)
        or not parameter.is_floating_point()
    ):
        return 0.0
    return float(torch.linalg.vector_norm(parameter.detach().float()))


def watched(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules whose output is looked at: those without modules in them, and those with
    parameters of their own.
    """
    return [
        (name or type(network).__name__, module)
        for name, module in network.named_modules()
        if not isinstance(module, SILENT)
        and (not any(module.children()) or any(True for _ in module.parameters(recurse=False)))
    ]


def opaque(network: nn.Module) -> bool:
    """Whether hooks inside `network` are impossible (TorchScript), or would have it compiled anew
    (`torch.compile`).
    """
    return (
        isinstance(network, torch.jit.ScriptModule) or type(network).__name__ == "OptimizedModule"
    )


def _layer(name: str, module: nn.Module, prefix: str) -> LayerFacts:
    own = tuple(prefix + part for part, _ in module.named_parameters(recurse=False))
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
