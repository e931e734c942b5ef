"""What the layers of any network take in and give while it runs: captured once, here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer: its name and module, its first `input`, and its `output`, as they
    were.
    """

    name: str
    module: nn.Module
    input: Any
    output: Any


def leaf_modules(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules without modules in them, by name; a network that is one itself by its class."""
    return [
        (name or type(network).__name__, module)
        for name, module in network.named_modules()
        if not any(module.children())
    ]


def capture_outputs(
    network: nn.Module,
    x: Tensor,
    layers: Iterable[tuple[str, nn.Module]] | None = None,
    *,
    copy: bool = False,
) -> tuple[Any, list[LayerCall]]:
    """Run `network` on `x`: its output, and each call of the `layers`, in the order in which they
    ended (default: `leaf_modules`).

    A layer that is used twice is there twice. `copy` keeps tensors as they were at the call where a
    later layer works in place. Whether PyTorch records gradients is the caller's choice. The hooks
    are gone afterwards, also where the network raises.
    """
    calls: list[LayerCall] = []
    inputs: list[Any] = []  # of the calls that have begun and not ended

    def copied(tensor: Any) -> Any:
        return tensor.detach().clone() if copy and isinstance(tensor, Tensor) else tensor

    def begin(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        inputs.append(copied(arguments[0]) if arguments else None)

    def end_of(name: str) -> Any:
        def end(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            calls.append(LayerCall(name, module, inputs.pop(), copied(output)))

        return end

    handles = []
    try:
        for name, module in leaf_modules(network) if layers is None else layers:
            handles.append(module.register_forward_pre_hook(begin))
            handles.append(module.register_forward_hook(end_of(name)))
        return network(x), calls
    finally:
        for handle in handles:
            handle.remove()
