"""Which tensors of a step were computed from a network's answer, outside of its graph: where they
are targets, a network learns from a network.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

MAX_ANSWERS = 256
DETACH = Tensor.detach


@dataclass(frozen=True)
class _Answer:
    """A tensor computed from a network's answer, without a gradient; `module` is that network, None
    where the answer was let go of by `detach()`.
    """

    tensor: weakref.ref[Tensor]
    module: nn.Module | None


class NetworkAnswers:
    """Follows the answers of networks through one step."""

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}  # by id of the tensor
        self._networks: dict[int, nn.Module] = {}  # those that ran with gradients
        self._teachers: dict[int, nn.Module | None] = {}  # whose answers were targets

    @property
    def bootstrapped(self) -> bool:
        """Whether targets came of the network's own answers, or of those of a copy of it."""
        return any(
            teacher is None or any(_is_copy(teacher, own) for own in self._networks.values())
            for teacher in self._teachers.values()
        )

    def note_network(self, module: nn.Module) -> None:
        """A network runs with gradients."""
        self._networks[id(module)] = module

    def note(self, tensor: Tensor, module: nn.Module | None) -> None:
        """`tensor` was computed from the answer of `module`."""
        if len(self._answers) < MAX_ANSWERS:
            self._answers[id(tensor)] = _Answer(weakref.ref(tensor), module)

    def note_target(self, tensor: Tensor) -> bool:
        """A loss has this target. Returns whether it is a network's answer."""
        if (answer := self._of(tensor)) is None:
            return False
        self._teachers[id(answer.module)] = answer.module
        return True

    def note_difference(self, args: tuple[Any, ...]) -> None:
        """These were subtracted: where something is compared with a network's answer, that is its
        target.
        """
        if self._answers:
            for value in args:
                if isinstance(value, Tensor):
                    self.note_target(value)

    def follow(self, function: Callable[..., Any], args: tuple[Any, ...], result: Tensor) -> None:
        """`result` comes of a network's answer where an argument does, or is one let go of by
        `detach()`.
        """
        if not self._answers and function is not DETACH:
            return
        for value in args:
            parts = value if isinstance(value, tuple | list) else (value,)
            for part in parts:
                if not isinstance(part, Tensor):
                    continue
                if (answer := self._of(part)) is not None:
                    self.note(result, answer.module)
                    return
                if function is DETACH and part.grad_fn is not None:
                    self.note(result, None)
                    return

    def _of(self, tensor: Tensor) -> _Answer | None:
        answer = self._answers.get(id(tensor))
        return answer if answer is not None and answer.tensor() is tensor else None


def _is_copy(module: nn.Module, other: nn.Module) -> bool:
    """Whether one network is the other, or has its class and the shapes of its parameters."""
    if module is other:
        return True
    shapes = [p.shape for p in module.parameters()]
    return type(module) is type(other) and shapes == [p.shape for p in other.parameters()]
