"""target_shape_mismatch: output and target differ in shape, and PyTorch broadcasts them.

Every output is then compared with every target. Measured: the shapes that the loss function was
called with, or those of a difference or product in a loss written by hand; where no call was seen,
the two shapes and the gradient; an index that takes the columns of all samples for each. [B, 1]
against [B] becomes [B, B]: every output is compared with every target, and the best constant answer
wins. Cross-entropy over one output is 0 at once. Source: PyTorch, broadcasting semantics.

Remedies: the same shape for both, `output.squeeze(1)` or `target[:, None]`; for one output,
binary cross-entropy. Silent on: shapes that differ but are compared row by row.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_from_calls import grows
from sevensteps.doctor.output_path import output_paths
from sevensteps.observe.call import ELEMENTWISE_LOSSES

STEP = "loss"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "learning_rate_too_low",
    "vanishing_gradient",
    "dead_units",
    "parameters_not_updated",
    "too_small",
    "signal_vanishes",
    "labels_unrelated",
    "ill_conditioned",
    "loss_unsuited",
    "class_imbalance",
    "learning_rate_too_high",
    "does_not_learn",
    "overfitting",
)
INDEXED = ("Index", "IndexSelect")
# of which each number is one of several that are chosen among
CHOICES = {"LogSoftmax", "Softmax", "Logsumexp", "Diag", "Diagonal"}


def examine(case: Case) -> Finding | None:
    return _in_a_call(case) or _by_hand(case) or _in_columns(case) or _in_the_output(case)


def _in_a_call(case: Case) -> Finding | None:
    """A loss function that was called with shapes that broadcast to more numbers than either has;
    also of a part of the output, such as the value of the action taken.
    """
    for _, call in case.loss_calls:
        if not call.broadcasts or not grows(call.shapes["input"], call.shapes["target"]):
            continue
        given, target = call.shapes["input"], call.shapes["target"]
        both = list(torch.broadcast_shapes(given, target))
        return _finding(
            f"{call.name} in {call.where} is called with an input of shape {list(given)} and a "
            f"target of shape {list(target)}: PyTorch broadcasts both to {both}, and so compares "
            "outputs with the targets of other samples. The loss is lowest when all answers are "
            "the mean, so that is what is learned.",
            [
                Measure("shape of the input", str(list(given)), str(list(target)), call.where),
                Measure("shape of the target", str(list(target)), str(list(given)), call.where),
            ],
            "give both the same shape: output.squeeze(1), or target[:, None]",
            0.97,
        )
    return None


def _by_hand(case: Case) -> Finding | None:
    """A loss written by hand, whose difference or product of an output [B, 1] and a target [B] has
    [B, B] numbers. Pairs of outputs that are compared with each other are meant.
    """
    for look in case.looks[:8]:
        grown = [call for call in look.calls if call.kind == "broadcast" and call.network is None]
        if any(call.options.get("of_outputs") for call in grown):
            return None
        for call in grown:
            one, other = call.shapes.get("input", ()), call.shapes.get("other", ())
            longer, shorter = (one, other) if len(one) > len(other) else (other, one)
            if longer != (*shorter, 1) or len(shorter) != 1 or shorter[0] != look.batch:
                continue
            both = list(torch.broadcast_shapes(one, other))
            return _finding(
                f"The loss in {call.where} takes {list(one)} and {list(other)} together: PyTorch "
                f"broadcasts both to {both}, and so compares outputs with the targets of other "
                "samples. The loss is lowest when all answers are the mean, so that is what is "
                "learned.",
                [
                    Measure("shape of one", str(list(one)), str(list(other)), call.where),
                    Measure("shape of the other", str(list(other)), str(list(one)), call.where),
                ],
                "give both the same shape: output.squeeze(1), or target[:, None]",
                0.95,
            )
    return None


def _in_columns(case: Case) -> Finding | None:
    """`values[:, action]`, which takes for each row the columns of all rows, [B, B], where each was
    to have its own. A choice among all, as a softmax makes it, is meant.
    """
    for look in case.looks[:8]:
        for call in look.calls:
            shape, batch = call.shapes.get("input", ()), look.batch
            if call.network is not None or len(shape) != 2 or not shape[1] < shape[0] == batch:
                continue
            selected = call.name == "index_select" and call.dim == 1
            count = math.prod(call.shapes["index"]) if selected else call.options.get("columns")
            if count == batch and _compares_columns(case):
                return _finding(
                    f"The index in {call.where} takes of {list(shape)} the columns of all "
                    f"{batch} samples for every row: [{batch}, {batch}] numbers, of which only the "
                    "diagonal is a sample's own. Each answer is compared with what belongs to "
                    "other samples, and the mean of these is what is learned.",
                    [
                        Measure(
                            "numbers that are taken, per sample",
                            batch,
                            1,
                            call.where,
                        )
                    ],
                    "take one number of each row: values.gather(1, action[:, None]).squeeze(1), or "
                    "values[torch.arange(len(action)), action]",
                    0.92,
                )
    return None


def _compares_columns(case: Case) -> bool:
    """Whether what an index took goes on number by number: no softmax chooses among it."""
    chosen = False
    for path in output_paths(case):
        names = (*path.names, *(operation.name for operation in path.term.weighting))
        at = next((i for i, name in enumerate(names) if name in INDEXED), None)
        if at is None:
            continue
        whole = path.call is not None and path.call.name not in ELEMENTWISE_LOSSES
        if CHOICES & {*names[at:]} or whole:
            return False
        chosen = True
    return chosen


def _in_the_output(case: Case) -> Finding | None:
    look = next(
        (look for look in case.looks if "output" in look.shapes and "target" in look.shapes), None
    )
    if look is None:
        return None
    output, target = look.shapes["output"], look.shapes["target"]
    evidence = [
        Measure("shape of the output", str(list(output)), "that of the target", "one batch"),
        Measure("shape of the target", str(list(target)), str(list(output)), "one batch"),
    ]
    if (
        len(output) == 2
        and output[1] == 1
        and look.output_gradient is not None
        and not bool(look.output_gradient.any())
        and abs(look.loss) < 1e-6
        and _softmax(case)
    ):
        return _finding(
            "The loss is 0 at once, whatever the network answers: cross-entropy chooses among "
            "classes, and with one output "
            "there is nothing to choose from.",
            [*evidence, Measure("loss of the first step", look.loss, "above 0", "")],
            "use binary_cross_entropy_with_logits for one output, or one output per class",
            0.97,
        )
    identified = case.identified_loss
    if identified is not None and identified.loss.broadcasts:
        return _finding(
            f"The output has shape {list(output)} and the target {list(target)}: PyTorch "
            "broadcasts them, and so compares every output with every target of the batch. The "
            "loss is lowest when all answers are the mean, so that is what is learned.",
            [
                *evidence,
                Measure(
                    "distance from the gradient of such a loss",
                    identified.distance,
                    0,
                    "dL/d(output) of one batch",
                ),
            ],
            "give both the same shape: output.squeeze(1), or target[:, None]",
            0.97,
        )
    return None


def _softmax(case: Case) -> bool:
    graph = case.observation.graph
    return graph is None or any(
        op.name in ("LogSoftmax", "Softmax", "NllLoss") for op in graph.operations
    )


def _finding(explanation: str, evidence: list[Measure], advice: str, confidence: float) -> Finding:
    return Finding(
        "target_shape_mismatch",
        STEP,
        "error",
        confidence,
        explanation,
        evidence,
        [Remedy({"loss": "auto()"}, "each output is then compared with its own target", advice)],
        {},
        0,
    )
