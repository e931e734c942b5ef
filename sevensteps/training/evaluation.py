"""How good a network is: its outputs for all samples of a part, and loss and metric of them. No
state is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.data.inputs import Inputs, chunk_size
from sevensteps.engine.chain_rule import missing
from sevensteps.engine.distributed.data_parallel import Partition
from sevensteps.engine.distributed.fsdp import FSDP
from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.engine.evaluation_pass import evaluation_pass
from sevensteps.engine.pooling import channels_last
from sevensteps.head import Output
from sevensteps.metrics import accuracy_by_class, compute_metrics
from sevensteps.steps.loss import Loss
from sevensteps.training.state import Training

CHUNK = 2048  # samples evaluated at once: no slower than more, and half the memory of 4096


def outputs_of(
    network: nn.Module,
    x: Inputs,
    grad: Callable[[], AbstractContextManager[object]] = torch.inference_mode,
) -> Float[Tensor, "N O"]:
    """What the network gives for all of `x`, in evaluation mode, in chunks; its mode is put back.
    `grad` keeps PyTorch from recording.
    """
    modes = {module: module.training for module in network.modules()}
    # Only of known layers it is known that they do not mind how their input is stored.
    store = (
        channels_last
        if any(isinstance(m, nn.Conv2d) for m in modes) and missing(network) is None
        else nn.Identity()
    )
    network.eval()
    try:
        with grad():
            forward = evaluation_pass(network)
            outputs, start = torch.empty(0), 0
            for piece in x.split(CHUNK):
                some = forward(store(piece))
                if len(piece) == len(x):
                    return some
                # in one piece from the start: small outputs, kept one by one between large
                # activations, would pin these
                if not start:
                    outputs = some.new_empty(len(x), *some.shape[1:])
                outputs[start : start + len(piece)] = some
                start += len(piece)
            return outputs
    finally:
        for module, mode in modes.items():
            module.training = mode


def evaluate(
    training: Training,
    part: str,
    network: nn.Module | None = None,
    alone: bool = False,
) -> dict[str, Any]:
    """Loss and metric over all samples of `part` ("train" or "valid"), each sample with the same
    weight; no state is touched.

    Of the network as it is now, or of another `network`, such as a copy with the best weights. The
    processes of a group all call this, compute a part of the outputs each, and get the same answer;
    `alone` one of them may call it for itself.
    """
    x, y = training.parts[part]
    group = ProcessGroup.alone() if alone else training.group
    with training.isolated_randomness:
        outputs = (
            _outputs_by_parts(training, network or training.network, x, group)
            if group.size > 1
            else outputs_of(network or training.network, x)
        )
    if part == "valid" and network is None:
        training.valid_outputs = training.progress.step, outputs
    measures = measure(outputs, y, training.loss, training.output)
    # another processor may round otherwise, and stop rules look at the measures
    return dict(group.broadcast(measures))


def _outputs_by_parts(
    training: Training,
    network: nn.Module,
    x: Inputs,
    group: ProcessGroup,
) -> Float[Tensor, "N O"]:
    """The outputs for all of `x`, of which every process computes its part."""
    rows = Partition(group.rank, group.size).rows(len(x))
    outputs = torch.zeros(
        len(x),
        training.output.size,
        dtype=training.engine.parameters.dtype,
        device=training.engine.parameters.device,
    )
    if isinstance(training.engine, FSDP):
        _in_step(network, x, rows, -(-len(x) // group.size), outputs)
    elif rows.stop > rows.start:
        outputs[rows] = outputs_of(network, x.narrow(0, rows.start, rows.stop - rows.start))
    group.all_reduce(outputs)  # each wrote where the others have zeros
    return outputs


def _in_step(
    network: nn.Module,
    x: Inputs,
    rows: slice,
    most: int,
    outputs: Float[Tensor, "N O"],
) -> None:
    """The outputs for `rows`, of which a process has at `most` so many: in as many passes as in all
    other processes.
    """
    size = chunk_size(x, CHUNK)
    for start in range(rows.start, rows.start + most, size):
        mine = slice(min(start, rows.stop), min(start + size, rows.stop))
        count = mine.stop - mine.start
        # without a row of its own it computes the first, which does not count
        chunk = x.narrow(0, mine.start, count) if count else x.narrow(0, 0, 1)
        outputs[mine] = outputs_of(network, chunk, torch.no_grad)[:count]


def measure(
    outputs: Float[Tensor, "N O"], y: Shaped[Tensor, "N ..."], loss: Loss, output: Output
) -> dict[str, Any]:
    """Loss, metric, and accuracy by class where there are classes, of `outputs` against targets as
    stored.
    """
    coded = output.encode(y)
    coded = coded.to(outputs.dtype) if coded.is_floating_point() else coded
    answers = None if output.task.kind == "regression" else output.decide(outputs)
    metrics: dict[str, Any] = {
        "loss": float(loss(outputs, coded).double().mean()),
        **compute_metrics(output, outputs, y, answers),
    }
    if by_class := accuracy_by_class(output, outputs, y, answers):
        metrics["by_class"] = by_class
    return metrics
