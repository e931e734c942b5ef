"""Does the network answer otherwise to another sample's input, or to a part of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.doctor.questions.layers import passages
from sevensteps.doctor.questions.redraw import redraw
from sevensteps.observe.structure import map_tensors, tensors_of

ALIKE = 1e-6  # of the size of the answers: differences that are rounding
DRAWS = 2  # of new weights
BLOCKS = 8  # that a sequence is cut into


@dataclass(frozen=True)
class AnotherInput:
    """What answers depend on. `spread` is the standard deviation of the answers between samples,
    relative to their size; `redrawn` the same with weights that were drawn anew, the larger of two
    draws; `layer` the first layer that gives all samples the same ("": not known).

    `unused` are the inputs, by path, that move no answer when they are another sample's, with the
    present weights and with new ones; `parts` all that were asked about. `places` says for each
    stretch of the sequence at `path`, of `length` steps, or columns, (first, last), whether it
    moves any answer.
    """

    samples: int
    spread: float
    redrawn: float
    layer: str
    parts: tuple[str, ...]
    unused: tuple[str, ...]
    length: int
    places: dict[tuple[int, int], bool]
    path: str = ""


def another_input(case: Case) -> AnotherInput | None:
    """Ask with the inputs of other samples, with the present weights and with new ones."""
    return put(case, "input_not_used", _ask)


def input_name(path: str) -> str:
    """An input by its name, or its place among the arguments."""
    name = path.rpartition(".")[2]
    return f"input {int(name) + 1}" if name.isdigit() else f"the input {name}"


def _ask(asker: Asker) -> AnotherInput | None:
    tensors = tensors_of(asker.inputs)
    if asker.count < 4 or not any(_varies(t, asker.count) for t in tensors.values()):
        return None
    answers = asker(asker.inputs)
    if not bool(answers.isfinite().all()):
        return None
    changed = {
        path: _with(asker.inputs, tensor, tensor.roll(asker.count // 2, 0))
        for path, tensor in tensors.items()
        if _varies(tensor, asker.count)
    }
    still = {path for path, other in changed.items() if torch.equal(answers, asker(other))}
    stretches, length, sequence = _stretches(asker, tensors)
    unmoved = {at for at, other in stretches.items() if torch.equal(answers, asker(other))}
    spread, layer = _spread(answers), ""
    if spread <= ALIKE:
        layer = _first_alike(asker)
    redrawn = 0.0
    if still or unmoved or spread <= ALIKE:
        for seed in range(DRAWS):
            redraw(asker.network, seed)
            anew = asker(asker.inputs)
            redrawn = max(redrawn, _spread(anew))
            still = {path for path in still if torch.equal(anew, asker(changed[path]))}
            unmoved = {at for at in unmoved if torch.equal(anew, asker(stretches[at]))}
    return AnotherInput(
        asker.count,
        spread,
        redrawn,
        layer,
        tuple(changed),
        tuple(path for path in changed if path in still),
        length,
        {at: at not in unmoved for at in stretches},
        sequence,
    )


def _varies(tensor: Tensor, count: int) -> bool:
    """Whether it has a row for each sample, and they differ."""
    return tensor.ndim > 0 and len(tensor) == count and not bool((tensor == tensor[:1]).all())


def _with(inputs: Any, tensor: Tensor, other: Tensor) -> Any:
    return map_tensors(lambda t: other if t is tensor else t, inputs)


def _stretches(
    asker: Asker, tensors: dict[str, Tensor]
) -> tuple[dict[tuple[int, int], Any], int, str]:
    """The inputs with each stretch of the first sequence, or of a table's columns, replaced by
    another sample's, how long that is, and its path.
    """
    for path, tensor in tensors.items():
        axis = sequence_axis(tensor)
        # whole numbers in two columns are looked up, each in a table of its own
        fewest = 4 if tensor.is_floating_point() or tensor.ndim > 2 else 2
        if not _varies(tensor, asker.count) or axis == 0 or tensor.shape[axis] < fewest:
            continue
        length, changed = tensor.shape[axis], {}
        for places in torch.arange(length).tensor_split(min(BLOCKS, length)):
            at = [slice(None)] * axis + [slice(int(places[0]), int(places[-1]) + 1)]
            other = tensor.clone()
            other[at] = tensor.roll(asker.count // 2, 0)[at]
            if not torch.equal(other, tensor):
                changed[int(places[0]), int(places[-1])] = _with(asker.inputs, tensor, other)
        return changed, length, path
    return {}, 0, ""


def sequence_axis(tensor: Tensor) -> int:
    """The axis of an input along which its steps, columns or rows of pixels lie; 0: it has none."""
    return {2: 1, 3: 1, 4: 2}.get(tensor.ndim, 0)


def _spread(answers: Tensor) -> float:
    """The standard deviation between samples, relative to the size of the answers."""
    size = float(answers.square().mean().sqrt())
    return float(answers.std(0).square().mean().sqrt()) / size if size > 0 else 0.0


def _first_alike(asker: Asker) -> str:
    """The first layer that gives all samples the same, though its inputs differ."""
    for passage in passages(asker, asker.inputs):
        came_in, went_out = passage.input, passage.output
        if came_in is None or went_out is None or not went_out.is_floating_point():
            continue
        if all(t.ndim > 1 and len(t) == asker.count for t in (came_in, went_out)) and (
            _spread(went_out.double().flatten(1)) <= ALIKE
        ):
            return passage.layer if _varies(came_in, asker.count) else ""
    return ""
