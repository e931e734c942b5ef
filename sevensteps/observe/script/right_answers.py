"""How many answers of an evaluation are right, by what the script does with them: it compares them
with the targets, or takes both to NumPy.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.structure import main_output

FEWEST = 8  # numbers that are compared first: fewer may be alike by chance
MAX_AXES = 4  # of an output: [B, C, H, W]
MAX_ANSWERS = 1_000_000  # numbers of an evaluation that are remembered


class RightAnswers:
    """Counts the right answers of one evaluation.

    A tensor is known for the network's answer by its values: the class with the largest output, or
    of a single output whether it is above 0 or above 0.5. What stands on the other side of a
    comparison with it are the targets.
    """

    def __init__(self) -> None:
        self.right: Any = 0
        self.judged = 0
        self._output: Tensor | None = None  # the last
        self._shapes: list[tuple[int, ...]] = []  # that targets of the last output may have
        self._latest: list[Tensor] = []  # what the last outputs may mean, each [N]
        self._all: list[list[Tensor]] = []  # of each call, as long as they are few
        self._count = 0
        # of the last call: answers that were taken to NumPy, by their memory, and other tensors
        self._answers: dict[int, Tensor] = {}
        self._others: list[Tensor] = []
        self._right_taken: Any = 0
        self._judged_taken = self._alike_taken = 0

    def score(self) -> float | None:
        """The share of right answers; None where none was compared."""
        if self.judged:
            return float(self.right) / self.judged
        self._settle()
        if not self._judged_taken:
            return None
        right = float(self._right_taken) + self._alike_taken
        return right / (self._judged_taken + self._alike_taken)

    def answered(self, output: Any) -> None:
        """The network gave `output`."""
        self._settle()
        answer = main_output(output)
        self._latest = []
        if answer is None or not answer.ndim or not answer.numel() or answer.ndim > MAX_AXES:
            self._output, self._all, self._count = None, [], MAX_ANSWERS
            return
        self._output = answer = answer.detach()
        shape = tuple(answer.shape)
        self._shapes = [(shape[0], *shape[2:]), shape[:-1] or shape]
        if answer.ndim < 2 or shape[1] == 1:
            self._shapes.append(shape)
        self._count += math.prod(self._shapes[0])
        if self._count > MAX_ANSWERS:
            self._all.clear()
        elif answer.ndim <= 2:
            self._all.append(self._last_answers())

    def _last_answers(self) -> list[Tensor]:
        """What the last output may mean, each [N], worked out when it is first of interest."""
        answer = self._output
        if self._latest or answer is None:
            return self._latest
        if answer.ndim > 1 and answer.shape[1] > 1:
            self._latest = [answer.argmax(1).flatten()]
            if answer.ndim > 2:  # or the classes are the last axis, as of tokens
                self._latest.append(answer.argmax(-1).flatten())
        else:
            self._latest = [(answer > 0).flatten().long(), (answer > 0.5).flatten().long()]
        return self._latest

    def _fits_last(self, count: int) -> bool:
        return any(count == math.prod(shape) for shape in self._shapes)

    def compared(self, one: Tensor, other: Any, equal: Any, unequal: bool = False) -> Tensor | None:
        """`one` was compared with `other`. Returns the targets, where they belong to the last
        answers.
        """
        if not isinstance(other, Tensor) or not isinstance(equal, Tensor) or not equal.numel():
            return None
        if one.numel() != other.numel() or equal.numel() != one.numel():
            return None
        if equal.numel() < FEWEST and not self.judged:
            return None
        latest = self._last_answers() if self._fits_last(one.numel()) else []
        for answers, last in ((latest, True), (self._whole(), False)):
            for answer in answers:
                sides = [_is_answer(side, answer) for side in (one, other)]
                if any(sides):
                    count = equal.detach().sum()
                    self.right = self.right + (equal.numel() - count if unequal else count)
                    self.judged += equal.numel()
                    target = other if sides[0] else one
                    return target if last and tuple(target.shape) in self._shapes else None
        return None

    def taken(self, tensor: Tensor) -> None:
        """The script takes the values of `tensor` out of PyTorch."""
        few = tensor.numel() < FEWEST and not self._judged_taken
        if tensor.ndim == 0 or tensor.dtype.is_complex or few:
            return
        if not self._fits_last(tensor.numel()):
            return
        for answer in self._last_answers():
            if _is_answer(tensor, answer):
                self._answers[tensor.data_ptr()] = answer
                return
        if self._may_be_target(tensor):
            other = tensor.detach().flatten().clone()
            if not any(torch.equal(other, one) for one in self._others):
                self._others.append(other)

    def _may_be_target(self, tensor: Tensor) -> bool:
        output = self._output
        if output is None:
            return False
        classes = output.shape[1] if output.ndim > 1 and output.shape[1] > 1 else 2
        whole = not tensor.is_floating_point() or bool((tensor == tensor.round()).all())
        return whole and int(tensor.min()) >= 0 and int(tensor.max()) < classes

    def _settle(self) -> None:
        """The next call comes: judge the answers that were taken, by the one tensor that was taken
        with them.
        """
        answers, others = list(self._answers.values()), self._others
        if len(answers) == 1 and len(others) == 1:
            self._right_taken = (
                self._right_taken + (others[0].to(answers[0].device) == answers[0]).sum()
            )
            self._judged_taken += others[0].numel()
        elif len(answers) == 2 and not others:  # both: all are right
            self._alike_taken += answers[0].numel()
        self._answers.clear()
        self._others = []

    def _whole(self) -> list[Tensor]:
        """The answers of all calls, one after another."""
        if len(self._all) < 2 or len({len(answers) for answers in self._all}) > 1:
            return []
        return [torch.cat(answers) for answers in zip(*self._all, strict=True)]


def _is_answer(tensor: Tensor, answer: Tensor) -> bool:
    if tensor.numel() != answer.numel() or tensor.dtype.is_complex:
        return False
    values = tensor.detach().flatten().to(answer.device)
    return bool((values == answer).all())
