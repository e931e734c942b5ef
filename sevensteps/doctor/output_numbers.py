"""Whether the numbers that a network gives are what its loss takes: the outputs seen, how the
network ends, and the loss that was recognised.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import final_loss, output_activation, significant

NORMALIZED_NLL = "nll_loss of log(normalised output)"
LOGITS = (
    "cross_entropy",
    "cross_entropy of columns",
    "cross_entropy with probabilities as targets",
)


def mismatch_by_outputs(case: Case) -> Finding | None:
    """What the outputs of the first look that has some do not have in common with what the loss
    takes; None where both fit, or no outputs were seen.
    """
    look = next((look for look in case.looks if look.output is not None), None)
    if (
        look is None
        or look.output is None
        or look.output.ndim < 2
        or not bool(look.output.isfinite().all())
    ):
        return None
    output, columns = look.output.double(), look.output.shape[-1]
    identified = case.identified_loss
    name = identified.name if identified else ""
    function = identified.loss.function if identified else ""
    closing = output_activation(case)
    last = closing.activation if closing is not None else ""
    probabilities = bool((output >= 0).all()) and bool(((output.sum(-1) - 1).abs() < 1e-3).all())
    unit = bool(((output >= 0) & (output <= 1)).all())
    end = final_loss(case)
    if columns == 1 and last == "softmax":
        return mismatch_finding(
            0.97,
            "The network ends in a softmax over a single unit, which is 1 whatever comes in: "
            "nothing can be learned.",
            [Measure("spread of the outputs", 0.0, "above 0", "softmax of one number is 1")],
            "use a sigmoid, or no activation with binary_cross_entropy_with_logits, for one output",
        )
    if identified and identified.loss.fault and not identified.loss.broadcasts:
        return mismatch_finding(
            0.95,
            f"The loss that this loop computes is {name}: {identified.loss.fault}.",
            [
                Measure(
                    "distance from the gradient of that loss",
                    significant(identified.distance),
                    "0",
                    "dL/d(output) of one batch",
                )
            ],
            "hand the network's raw outputs (logits) to the loss",
        )
    if name in LOGITS and probabilities and columns > 1:
        floor = math.log(1 + (columns - 1) / math.e)
        return mismatch_finding(
            0.96,
            f"The network ends in a softmax{_place(case, 'softmax')}, and {name}"
            f"{_place(case, function)} applies another: the loss cannot fall "
            f"below {floor:.4f}, even when every answer is right, and the gradient fades as the "
            "network becomes surer.",
            [
                Measure(
                    "sum of a sample's outputs",
                    significant(float(output.sum(-1).mean()), 4),
                    "not always 1",
                    "outputs seen",
                ),
                Measure(
                    "loss at the end",
                    significant(end, 4),
                    f"towards 0, not {floor:.4f}",
                    "closed form",
                ),
            ],
            "take the softmax off the network: cross_entropy takes logits",
        )
    if (
        name in LOGITS
        and bool(((output.sum(0) - 1).abs() < 1e-3).all())
        and bool((output >= 0).all())
    ):
        return mismatch_finding(
            0.95,
            "The network's softmax runs over the samples of the batch, not over the classes: each "
            "column sums to 1.",
            [Measure("sum of a column of the batch", 1.0, "not always 1", "outputs seen")],
            "softmax over dim=1, and only once",
        )
    if name == "nll_loss" and columns > 1 and (finding := _log_missing(output, probabilities)):
        return finding
    if (
        function == "binary_cross_entropy_with_logits"
        and unit
        and (last in ("sigmoid", "softmax") or _ends(case, "Sigmoid"))
    ):
        return mismatch_finding(
            0.95,
            "The network ends in a sigmoid, and binary_cross_entropy_with_logits applies another: "
            "its probabilities "
            "stay between .5 and .73, and the loss cannot come below .31.",
            [
                Measure(
                    "range of the outputs",
                    f"{float(output.min()):.3g} to {float(output.max()):.3g}",
                    "no limits",
                    "outputs seen",
                )
            ],
            "take the sigmoid off the network, or use binary_cross_entropy",
        )
    if name in LOGITS and columns > 1 and last in ("sigmoid", "tanh", "hardsigmoid"):
        return mismatch_finding(
            0.9,
            f"The network's outputs pass a {last}, which keeps them between "
            f"{'-1' if last == 'tanh' else '0'} and 1, but "
            "cross_entropy takes logits: within these limits it can never be sure.",
            [
                Measure(
                    "range of the outputs",
                    f"{float(output.min()):.3g} to {float(output.max()):.3g}",
                    "no limits",
                    "outputs seen",
                )
            ],
            f"take the {last} off the output layer",
        )
    takes_signs = (
        name in LOGITS or function == "binary_cross_entropy_with_logits" or name == NORMALIZED_NLL
    )
    if (
        takes_signs
        and (last in ("relu", "relu6") or _ends(case, "Relu"))
        and float((output == 0).double().mean()) > 0.02
    ):
        return mismatch_finding(
            0.9,
            "The outputs pass a ReLU before the loss: what is below 0 is cut off, and where an "
            "output is 0 no gradient "
            "comes back, so that some classes may never be predicted.",
            [
                Measure(
                    "share of outputs that are exactly 0",
                    significant(float((output == 0).double().mean())),
                    "0",
                    "outputs seen",
                )
            ],
            "take the ReLU off the output layer",
        )
    return None


def _log_missing(output: Tensor, probabilities: bool) -> Finding | None:
    if probabilities:
        return mismatch_finding(
            0.96,
            "nll_loss expects log-probabilities but gets probabilities: the loss lies between "
            "-1 and 0, and the "
            "gradient does not grow for answers that are badly wrong.",
            [
                Measure(
                    "sum of a sample's outputs",
                    1.0,
                    "sum of their exponentials is 1",
                    "outputs seen",
                )
            ],
            "end in log_softmax, or hand logits to cross_entropy",
        )
    normal = torch.logsumexp(output, -1).abs()
    if bool((normal > 0.05).double().mean() > 0.5):
        return mismatch_finding(
            0.95,
            "nll_loss expects log-probabilities but gets raw outputs: it can fall for ever, just "
            "by making one output larger.",
            [
                Measure(
                    "log of the sum of exponentials",
                    significant(float(normal.median())),
                    0,
                    "0 for log-probabilities",
                )
            ],
            "end in log_softmax, or use cross_entropy",
        )
    return None


def _ends(case: Case, operation: str) -> bool:
    """Whether this operation is among those between the loss and the last weights, on the network's
    side.
    """
    graph = case.observation.graph
    return graph is not None and any(
        op.name == operation for op in graph.operations[graph.after_output or 0 :]
    )


def _place(case: Case, function: str) -> str:
    """The file and line from which a function was called last, in brackets; "" where not known."""
    calls = (call for look in reversed(case.looks) for call in look.calls)
    where = next((call.where for call in calls if call.name == function and call.where), "")
    return f" ({where})" if where else ""


def mismatch_finding(
    confidence: float, explanation: str, evidence: list[Measure], advice: str
) -> Finding:
    """The finding of `output_loss_mismatch`, an error of the loss."""
    return Finding(
        "output_loss_mismatch",
        "loss",
        "error",
        confidence,
        explanation,
        evidence,
        [Remedy({"loss": "auto()"}, "loss and output layer then fit each other", advice)],
        {"layers": ["output"]},
        0,
    )
