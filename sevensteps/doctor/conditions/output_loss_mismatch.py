"""output_loss_mismatch: the network's last operation and the loss do not belong together.

One applies what the other has applied already, or leaves out what the other expects. Measured: the
outputs seen, the operations between the last weights and the loss, in whatever way they are
written, and the gradient that the loss returned, compared with that of every known loss: softmax
twice, over one unit or over the batch, a missing logarithm, sigmoid twice, an output cut off at 0,
chances or logits where logarithms of chances are taken (`kl_div`, `ctc_loss`), rates for their
logarithms (`poisson_nll_loss`), logits that have one sign only.
Also which of the last layer's numbers the loss takes for the classes of one answer: a view moves no
axis.
Floor of the double softmax, -log(e/(e + C - 1)): closed form.

Remedies: raw outputs (logits) for a loss that applies softmax or sigmoid itself; `auto()` as the
loss puts the two together. Silent on: a softmax or sigmoid inside the network with a loss,
PyTorch's or hand-written, that takes probabilities. A remark where only the
logarithm is missing, and the network has learned all the same.
"""

from __future__ import annotations

import re

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.clipped_outputs import AT_THE_ENDS, clipped_outputs
from sevensteps.doctor.finding import Finding, Measure
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    learned_enough,
    significant,
)
from sevensteps.doctor.output_numbers import (
    mismatch_by_outputs,
    mismatch_finding,
)
from sevensteps.doctor.output_path import OutputPath, likelihood, output_paths
from sevensteps.doctor.probability_inputs import misread
from sevensteps.observe.call import Call

STEP = "loss"
EXPLAINS = (
    "dead_units",
    "input_not_used",
    "saturated_units",
    "underfitting",
    "learning_rate_too_low",
    "vanishing_gradient",
    "loss_unsuited",
    "loss_sign",
    "stopped_early",
    "too_small",
    "output_overconfident",
    "target_out_of_range",
    "learning_rate_too_high",
    "ill_conditioned",
    "class_imbalance",
    "symmetric_units",
    "signal_vanishes",
    "batch_too_small",
    "labels_unrelated",
    "does_not_learn",
    "input_not_used",
    "samples_mixed",
    "representation_collapsed",
)
# losses that read the last axis, or that of the channels, as classes
OF_CLASSES = ("cross_entropy", "nll_loss", "kl_div", "binary_cross_entropy")
CLASSES = "order.classes"  # of a call's content
LEARNED = 0.9  # skill of a network that a missing logarithm has not kept from learning


# of which the first argument is the output, and not the same as the second
ORDERED = (
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy"),
    *("poisson_nll_loss", "soft_margin_loss"),
)


def title(finding: Finding) -> str:
    """That of the most common case: what a probability is made of is applied twice."""
    twice = re.match(
        r"The network ends in a (softmax|sigmoid)\b.* applies another\b", finding.explanation, re.S
    )
    return f"The {twice[1]} is applied twice, by the network and by the loss" if twice else ""


def examine(case: Case) -> Finding | None:
    finding = (
        _exchanged(case)
        or _viewed(case)
        or _misread(case)
        or mismatch_by_outputs(case)
        or _by_operations(case)
        or _clipped(case)
        or _rectified_variances(case)
    )
    if _lowers_chance(case):
        return None
    if finding is not None and _without_logarithm(case) and learned_enough(case, LEARNED):
        finding.severity = "info"
    return finding


def _without_logarithm(case: Case) -> bool:
    """Whether the loss is the chance of the right class with a minus: that is least for right
    answers, too, though its gradient is small where they are badly wrong.
    """
    return case.identified_loss is not None and case.identified_loss.name == "nll_loss of softmax"


def _lowers_chance(case: Case) -> bool:
    """Whether the loss is the chance of the right class itself, which is to become large: its sign
    is wrong, and no logarithm is missing.
    """
    return _without_logarithm(case) and case.identified_loss.scale < 0  # type: ignore[union-attr]


def _misread(case: Case) -> Finding | None:
    """Numbers that are not what a loss of probabilities takes."""
    if (reading := misread(case)) is None:
        return None
    return mismatch_finding(
        reading.confidence, reading.explanation, list(reading.evidence), reading.advice
    )


def _viewed(case: Case) -> Finding | None:
    """Classes that a `view` was to bring to another axis: it moves none."""
    if case.before_training or learned_enough(case, 0.9):
        return None
    mixing = (call for look in case.looks[:8] for call in look.calls if CLASSES in call.content)
    if (call := next(mixing, None)) is None:
        return None
    layer, taken = call.content[CLASSES], list(call.shapes["input"])
    where = f" ({call.where})" if call.where else ""
    return mismatch_finding(
        0.95,
        f"{call.name}{where} takes an input {taken} with {taken[1]} classes along axis 1, but the "
        f"numbers there are no classes of one answer: the last layer gave {layer}, and on the way "
        "no axis was moved. A view or reshape only cuts the numbers up anew, so that each row of "
        "the loss mixes the outputs of several places.",
        [
            Measure(
                "what the loss takes for the classes of one answer",
                "numbers of several places",
                "the features of one",
                "PyTorch's graph from the loss to the last layer",
            )
        ],
        "move the axis of the classes: output.permute(0, 2, 3, 1).reshape(-1, C), or "
        "output.transpose(1, 2) for [B, T, C]; or hand [B, C, …] to cross_entropy as it is",
    )


def _exchanged(case: Case) -> Finding | None:
    """A loss that was given the targets as outputs, and the outputs as targets."""
    for look in case.looks[:8]:
        for call in look.calls:
            if call.name in ORDERED and call.content.get("exchanged"):
                where = f" ({call.where})" if call.where else ""
                return mismatch_finding(
                    0.95,
                    f"{call.name}{where} was given the targets first and the outputs second: it "
                    "takes the targets for logits, and asks the outputs to be probabilities of "
                    "what is fixed.",
                    [Measure("first argument of the loss", "no output", "the outputs", "")],
                    f"{call.name}(output, target): the output first",
                )
            if call.name == "kl_div" and call.content.get("exchanged") and _no_logarithm(call):
                where = f" ({call.where})" if call.where else ""
                return mismatch_finding(
                    0.9,
                    f"kl_div{where} was given the targets first and the outputs second, and the "
                    "targets are no logarithms: it takes probabilities for log-probabilities, and "
                    "is least for outputs that have little to do with them.",
                    [
                        Measure(
                            "least number in the first argument of kl_div",
                            significant(call.content["input.low"]),
                            "below 0, a logarithm",
                            "the call",
                        )
                    ],
                    "kl_div(output.log_softmax(1), target, reduction='batchmean')",
                )
    return None


def _no_logarithm(call: Call) -> bool:
    """Whether the first argument of a divergence is probabilities: of logarithms, which another
    order of the two on purpose has, none is above 0.
    """
    low, high = call.content.get("input.low", -1.0), call.content.get("input.high", 0.0)
    return bool(low >= 0 and high > 0)


def _by_operations(case: Case) -> Finding | None:
    """What the operations between the last weights and the loss say, whoever applies them."""
    for path in output_paths(case):
        if (finding := _softmax_of_one(path) or _softmax_over_samples(case, path)) is not None:
            return finding
        if path.term.name == "output" and path.names[-1:] == ("Softmax",) and _picked(path):
            return mismatch_finding(
                0.9,
                "The loss is the negative probability of the right class, without a logarithm: its "
                "gradient does not grow for answers that are badly wrong.",
                [Measure("operations before the loss", ", ".join(path.names), "a logarithm", "")],
                "take the logarithm: log_softmax, or logits with cross_entropy",
            )
        if (found := likelihood(path)) is None:
            continue
        link, before = found
        loss = f"the {link} of the loss"
        if path.call is not None:
            loss = f"{path.call.name} ({path.call.where})" if path.call.where else path.call.name
        before = tuple(name for name in before if name != "Neg")
        last = before[-1] if before else ""
        if link == "softmax" and last == "LogSoftmax" and len(before) > 1:
            last = before[-2]  # twice is the same as once
        if last in ("Softmax", "Sigmoid") and last.lower() == link:
            return mismatch_finding(
                0.95,
                f"{last} is applied twice: to the network's outputs, and again on the way into "
                f"{loss}. Probabilities between 0 and 1 take the place of logits, so that it can "
                "never be sure, and the gradient fades.",
                [Measure("operations before the loss", ", ".join(path.names), f"one {last}", "")],
                f"apply {link} once: hand raw outputs (logits) to a loss that applies it itself",
            )
        if last in ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh"):
            return mismatch_finding(
                0.9,
                f"The outputs pass a {last.lower()} before {loss}, which takes any number as a "
                "logit: kept within 1, it can never be sure.",
                [Measure("operations before the loss", ", ".join(path.names), "no bound", "")],
                f"take the {last.lower()} off the outputs",
            )
        if last == "Relu" and not learned_enough(case, 0.9):
            return mismatch_finding(
                0.9,
                f"The outputs pass a ReLU before {loss}: what is below 0 is cut off, and where an "
                "output is 0 no gradient comes back.",
                [Measure("operations before the loss", ", ".join(path.names), "no ReLU", "")],
                "take the ReLU off the outputs",
            )
    return None


def _rectified_variances(case: Case) -> Finding | None:
    """Variances of a Gaussian likelihood that come out of a ReLU, which gives 0 for half of all
    numbers.
    """
    if case.before_training or known_to_learn(case, LEARNED):
        return None
    calls = [call for _, call in case.loss_calls if call.content.get("var.function") == "Relu"]
    if not calls:
        return None
    least = float(calls[0].options.get("eps", 1e-6))
    return mismatch_finding(
        0.85,
        f"The variances that gaussian_nll_loss is given ({calls[0].where}) come out of a ReLU: "
        f"where that is off they are 0 and count as {least:g}, so that the squared error is "
        f"multiplied by {1 / (2 * least):,.0f}, and no gradient makes them larger again.",
        [Measure("what gives the variances", "relu", "softplus or exp", calls[0].where)],
        "let every variance be above 0: F.softplus(output) + 1e-3, or output.exp()",
    )


def _clipped(case: Case) -> Finding | None:
    """Outputs that lie at the ends of what a clamp lets through."""
    if case.before_training or known_to_learn(case, LEARNED):
        return None
    if (clipped := clipped_outputs(case)) is None:
        return None
    return mismatch_finding(
        0.9,
        f"The outputs are clipped to {clipped.low:.3g} to {clipped.high:.3g} before the loss, and "
        f"never less than {clipped.share:.0%} of them lie at the ends, where no gradient comes "
        "back: the network cannot answer what the loss asks for.",
        [
            Measure(
                "outputs at the ends of their range",
                significant(clipped.share),
                f"below {AT_THE_ENDS:g}",
                "the least of all looks",
            ),
            Measure("operations before the loss", ", ".join(clipped.path.names), "no clamp", ""),
        ],
        "take the clamp off the outputs",
    )


def _picked(path: OutputPath) -> bool:
    """Whether one number of each sample goes into the loss, with a minus, as that of its class."""
    names = [operation.name for operation in path.term.weighting]
    factor = path.term.factor
    return factor is not None and factor < 0 and bool({"Gather", "Index"} & set(names))


def _softmax_of_one(path: OutputPath) -> Finding | None:
    """A softmax over an axis of one number on the way to the loss."""
    size = torch.Size(path.look.shapes.get("output", ())).numel()
    if not any(name in ("Softmax", "LogSoftmax") for name in path.names):
        return None
    for call in path.look.calls:
        shape = next(iter(call.shapes.values()), ())
        if call.kind != "softmax" or call.size_along_dim != 1:
            continue
        if call.network is None or torch.Size(shape).numel() == size:
            return mismatch_finding(
                0.97,
                f"{call.name} in {call.where} runs over an axis of size 1 (shape {list(shape)}): "
                f"of one number it is {'0' if 'log' in call.name else '1'} whatever comes in, and "
                "nothing can be learned.",
                [Measure("numbers that it runs over", 1, "one for each class", call.where)],
                "use a sigmoid, or no activation with binary_cross_entropy_with_logits, for one "
                "output; none for a regression",
            )
    return None


def _softmax_over_samples(case: Case, path: OutputPath) -> Finding | None:
    """A softmax over the samples of the batch on the way to a loss of classes. Before any other, as
    where weights are given to samples, `samples_mixed` asks what it does.
    """
    if not case.loss_is_error and not any(t.name in OF_CLASSES for t in path.look.loss_terms):
        return None
    shape = path.look.shapes.get("output", ())
    wrong = [op for op in path.operations if op.name in ("Softmax", "LogSoftmax")][-1:]
    if len(shape) < 2 or shape[0] < 2 or not wrong or wrong[0].dim is None:
        return None
    calls = [
        call
        for call in path.look.calls
        if call.kind == "softmax" and call.shapes.get("input") == tuple(shape)
    ]
    if wrong[0].dim % len(shape) != 0 or not calls or calls[-1].dim != 0:
        return None
    return mismatch_finding(
        0.95,
        f"{calls[-1].name} in {calls[-1].where} runs over the samples of the batch (dim=0 of "
        f"{list(shape)}), not over the classes: each answer depends on who else is in its batch.",
        [Measure("axis of the softmax", 0, len(shape) - 1, calls[-1].where)],
        "softmax over dim=1, and only once",
    )
