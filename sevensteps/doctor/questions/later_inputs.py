"""Does the answer at one place of a sequence depend on what comes after it?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sevensteps.doctor.asking import TARGETS, main_target
from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.observe.structure import main_output, map_tensors, tensors_of

SHORTEST = 3  # steps of a sequence
AGREE = 0.95  # share of the targets that are an input
SAMPLES = 32  # that are compared


@dataclass(frozen=True)
class LaterInputs:
    """How an answer at `place`, of `length`, moves when another sample's input stands there, in
    units of the spread of the answers there between samples: in all places `after` it, in the
    `own` place, in all places `before` it.

    `input` is the path of the sequence; `target` says what the targets are: the "next" input, or
    the "same".
    """

    input: str
    target: str
    length: int
    place: int
    after: float
    own: float
    before: float


def later_inputs(case: Case) -> list[LaterInputs]:
    """Ask about each sequence that the targets were taken from."""
    answers = [
        put(case, "target_in_input", partial(_ask, path=path, target=target), SAMPLES)
        for path, target in target_sequences(case)
    ]
    return [answer for answer in answers if answer is not None]


def target_sequences(case: Case) -> list[tuple[str, str]]:
    """The inputs, by path, that the targets are steps of, and whether the target at a place is its
    "next" step or the "same".

    What the loss was called with counts more than the data: a network may shift them itself. Of
    several inputs that differ, words that all are the target at the same place count, too.
    """
    if case.examples is None:
        return []
    origins = {t.target for look in case.looks[:4] for t in look.loss_terms if t.target}
    known = "next" if "shifted input" in origins else "same" if origins == {"input"} else None
    target = main_target(case.examples[1])
    sequences = {
        path: tensor
        for path, tensor in tensors_of(case.examples[0]).items()
        if path.rpartition(".")[2] not in TARGETS
    }
    copies = [path for path, sequence in sequences.items() if _are_the_words(sequence, target)]
    sources = []
    for path, sequence in sequences.items():
        if not _is_sequence(sequence):
            continue
        relation = None if target is None else _relation(sequence[:SAMPLES], target[:SAMPLES])
        following = relation is not None or target is None if known else relation == "next"
        if following and known != "same":
            sources.append((path, "next"))
        elif relation == "same" and (
            known == "same" or (known is None and path in copies and len(copies) < len(sequences))
        ):
            sources.append((path, "same"))
    return sources


def _are_the_words(sequence: Tensor, target: Tensor | None) -> bool:
    """Whether an input of whole numbers is the target itself."""
    return target is not None and not target.is_floating_point() and torch.equal(sequence, target)


def _is_sequence(tensor: Tensor) -> bool:
    """Whether it is [N, T] or [N, T, 1]."""
    plain = tensor.ndim == 2 or (tensor.ndim == 3 and tensor.shape[2] == 1)
    return plain and tensor.shape[1] >= SHORTEST


def _relation(sequence: Tensor, target: Tensor) -> str | None:
    if len(sequence) != len(target) or target.numel() == 0:
        return None
    if sequence.is_floating_point() != target.is_floating_point():
        return None
    x, y = sequence.reshape(len(sequence), -1), target.reshape(len(target), -1)
    if y.shape[1] not in (x.shape[1], x.shape[1] - 1):
        return None
    y = y.to(x.dtype) if x.is_floating_point() else y
    steps = x.shape[1] - 1
    following = _share(x[:, 1:], y[:, :steps])
    same = _share(x[:, :steps], y[:, :steps])
    if min(following, same) >= AGREE:
        return None  # all steps are alike
    return "next" if following >= AGREE else "same" if same >= AGREE else None


def _share(x: Tensor, y: Tensor) -> float:
    """The share of targets that are these inputs; those that are negative classes are none."""
    known = torch.ones_like(y, dtype=torch.bool) if y.is_floating_point() else y >= 0
    if not bool(known.any()):
        return 0.0
    equal = torch.isclose(x, y) if y.is_floating_point() else x == y
    return float(equal[known].double().mean())


def _ask(asker: Asker, path: str, target: str) -> LaterInputs | None:
    sequence = tensors_of(asker.inputs)[path]
    length = sequence.shape[1]
    answers = _places(asker, asker.inputs, length)
    if answers is None or asker.count < SHORTEST:
        return None
    place = (length - 1) // 2
    spread = float(answers[:, place].std(0).square().mean().sqrt())
    if not spread > 0:
        return None
    other = sequence.roll(asker.count // 2, 0)

    def moved(first: int, last: int) -> float:
        """By another sample's input at the places from `first` up to `last`."""
        changed = sequence.clone()
        changed[:, first:last] = other[:, first:last]
        inputs = map_tensors(lambda t: changed if t is sequence else t, asker.inputs)
        again = _places(asker, inputs, length)
        assert again is not None
        return float((again - answers)[:, place].square().mean().sqrt()) / spread

    return LaterInputs(
        path,
        target,
        length,
        place,
        moved(place + 1, length),
        moved(place, place + 1),
        moved(0, place),
    )


def _places(asker: Asker, inputs: Any, length: int) -> Tensor | None:
    """The answers [N, T, D], at each place of sequences of `length` steps; None where there is none
    for each place.
    """
    output = asker.output(inputs)
    answer = asker.case.answer_in(output)
    answer = main_output(output) if answer is None else answer
    if answer is None:
        return None
    answer = answer.detach().double().cpu()
    if answer.ndim >= 2 and answer.shape[:2] == (asker.count, length):
        return answer.reshape(asker.count, length, -1)
    if answer.ndim == 3 and (answer.shape[0], answer.shape[2]) == (asker.count, length):
        return answer.transpose(1, 2)
    if answer.ndim and len(answer) == asker.count * length:
        return answer.reshape(asker.count, length, -1)
    return None
