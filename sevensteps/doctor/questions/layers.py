"""What each layer made of two inputs: where their ways through a network part, or come together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sevensteps.doctor.questions.asker import Asker
from sevensteps.observe.structure import first_tensor


@dataclass(frozen=True)
class Passage:
    """One call of a layer: the first tensor that went in, and that came out."""

    layer: str
    module: nn.Module
    input: Tensor | None
    output: Tensor | None


def passages(asker: Asker, inputs: Any) -> list[Passage]:
    """The calls of all layers for `inputs`, in the order in which they ended; not that of the
    network itself.
    """
    calls: list[Passage] = []
    handles = [
        module.register_forward_hook(_noting(calls, name), with_kwargs=True)
        for name, module in asker.network.named_modules()
        if name
    ]
    try:
        asker(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _noting(calls: list[Passage], name: str) -> Any:
    def note(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        given, returned = first_tensor((args, kwargs)), first_tensor(output)
        calls.append(
            Passage(
                name,
                module,
                None if given is None else given.detach().clone(),
                None if returned is None else returned.detach().clone(),
            )
        )

    return note
