"""How somebody else's network is asked: with one input, several, or named ones, on numbers of its
own kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe.samples import Inputs
from sevensteps.observe.structure import map_tensors, tensors_of

# names under which targets stand beside inputs in a batch
TARGETS = ("labels", "label", "targets", "target", "y", "mask_labels")


SAMPLES = 1024  # that a network is evaluated on
FEW = 256  # on which a score says something still
FEWEST = 64
# About a second of forward and backward passes; and more than that, where it were too few
SECONDS, MORE_SECONDS = 0.5, 2.0
NUMBERS, FEWEST_OF_MANY = 5e7, 8  # that one layer gives: 200 MB; a sample with so many is a text


def sample_limit_of(sample_seconds: float, sample_numbers: float = 0.0) -> int:
    """How many samples to evaluate a network on where a step takes so long for each, and one layer
    gives so many numbers for it, as a language model does for all words of its vocabulary.
    """
    if not sample_seconds:
        return SAMPLES
    soon, later = SECONDS / sample_seconds, MORE_SECONDS / sample_seconds
    limit = min(max(soon, min(FEW, later), FEWEST), SAMPLES)
    return int(min(limit, max(NUMBERS / max(sample_numbers, 1.0), FEWEST_OF_MANY)))


def ask(network: nn.Module, inputs: Any) -> Any:
    """What `network` gives for `inputs`: a tensor, a tuple of several, a mapping of named ones, or
    all arguments of a call.

    A tuple or a mapping is handed over as a whole where the network takes one argument. A call that
    was told `training=True`, as Keras does, is told so in training mode only.
    """
    if isinstance(inputs, Inputs):
        kwargs = inputs.kwargs
        if kwargs.get("training") is True and not network.training:
            kwargs = {**kwargs, "training": False}
        return network(*inputs.args, **kwargs)
    if isinstance(inputs, Mapping) and _takes(network, (), dict(inputs)):
        return network(**inputs)
    if isinstance(inputs, tuple | list) and not hasattr(inputs, "_fields"):
        together = _takes(network, (inputs,), {})
        if not together or (len(inputs) > 1 and _takes(network, tuple(inputs), {})):
            return network(*inputs)
    return network(inputs)


def set_mode(network: nn.Module, training: bool) -> None:
    """Set training or evaluation mode, as `network.train(training)` does, where no module has
    another method of that name, such as one that trains it.
    """
    if all(_sets_mode(type(module)) for module in network.modules()):
        network.train(training)
        return
    for module in network.modules():
        module.training = training


def _sets_mode(kind: type[nn.Module]) -> bool:
    if kind.train is nn.Module.train:
        return True
    try:
        parameters = list(inspect.signature(kind.train).parameters.values())[1:]
    except (TypeError, ValueError):
        return False
    return [p.name for p in parameters if p.default is p.empty or p.name == "mode"] == ["mode"]


def _takes(network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the network's `forward` has room for these arguments; a `**kwargs` is no room."""
    try:
        bound = inspect.signature(network.forward).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return False
    names = bound.signature.parameters
    return all(names[name].kind is not inspect.Parameter.VAR_KEYWORD for name in bound.arguments)


def mended(network: nn.Module, inputs: Any) -> Any:
    """`inputs` on the network's device and, where they are no whole numbers, in its precision;
    whole numbers as int64. Nothing that they say is lost.
    """
    parameters = [p for p in network.parameters() if p.is_floating_point()]
    kinds = {p.dtype for p in parameters}
    kind = kinds.pop() if len(kinds) == 1 else None
    device = parameters[0].device if parameters else torch.device("cpu")

    def mend(tensor: Tensor) -> Tensor:
        tensor = tensor.to(device)
        if tensor.is_floating_point():
            return tensor.to(kind) if kind is not None else tensor
        whole = tensor.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32)
        return tensor.long() if whole else tensor

    return map_tensors(mend, inputs)


def mended_targets(outputs: Tensor, targets: Any) -> Any:
    """`targets` in the precision of the `outputs` that they are compared with; whole numbers as
    int64.
    """

    def mend(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            return tensor.to(outputs.dtype)
        return tensor if tensor.dtype == torch.bool else tensor.long()

    return map_tensors(mend, targets)


def only_tensor(value: Any) -> Tensor | None:
    """The tensor in `value`, where it holds exactly one."""
    found = list(tensors_of(value).values())
    return found[0] if len(found) == 1 else None


def main_target(targets: Any) -> Tensor | None:
    """The targets that the answer is compared with: the only tensor, or the only one among several
    that is named so; None where there are several.
    """
    if (single := only_tensor(targets)) is not None:
        return single
    named = [t for name, t in tensors_of(targets).items() if name in TARGETS]
    return named[0] if len(named) == 1 else None
