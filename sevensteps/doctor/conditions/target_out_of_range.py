"""target_out_of_range: the network's last activation, or the loss, cannot reach these targets.

Measured: the targets against the range of the operation that closes the network, as a module, a
function or a method: a sigmoid answers between 0 and 1, a tanh between -1 and 1, a ReLU nothing
below 0; and against the range of the loss: binary cross-entropy takes targets between 0 and 1,
losses of pairs and of margins 1 and -1, the connectionist loss no blank. Closed form.

Remedies: a linear output, `mean_squared_error()`, or targets scaled into the range; classes
coded as 0 and 1. Silent on: a few targets outside; outputs that are scaled after it; outputs of
classifiers, whose targets are classes; networks that learn well all the same.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.identify_loss import REGRESSION_LOSSES
from sevensteps.doctor.measures import learned_enough, output_activation, significant
from sevensteps.doctor.output_path import RANGES, output_paths

STEP = "loss"
EXPLAINS = (
    "saturated_units",
    "dead_units",
    "underfitting",
    "targets_unscaled",
    "learning_rate_too_low",
    "learning_rate_too_high",
    "vanishing_gradient",
    "loss_sign",
    "stopped_early",
    "too_small",
    "loss_unsuited",
    "ill_conditioned",
)
ABOVE = 0.02  # share of the targets outside
FAR = 0.1  # of the targets' range, that one must lie outside where their shares are not known
BINARY_CROSS_ENTROPIES = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


SIGNS = (  # losses whose targets are 1 for one side and -1 for the other
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "soft_margin_loss",
)


def examine(case: Case) -> Finding | None:
    if (finding := _without_a_sign(case) or _blank_among_targets(case)) is not None:
        return finding
    t = case.target
    if t is None and (finding := _by_call(case)) is not None:
        return finding
    if t is None or not t.is_floating_point() or t.numel() == 0 or not bool(t.isfinite().all()):
        return None
    identified = case.identified_loss
    low, high = float(t.min()), float(t.max())
    if (
        identified is not None
        and identified.loss.function in BINARY_CROSS_ENTROPIES
        and (low < 0 or high > 1)
    ):
        return Finding(
            "target_out_of_range",
            STEP,
            "error",
            0.95,
            f"The targets run from {low:.3g} to {high:.3g}, but binary cross-entropy takes 0 for "
            "no and 1 for yes: outside that range the loss has no floor, and falls for ever as "
            "the outputs grow.",
            [Measure("range of the targets", f"{low:.3g} to {high:.3g}", "0 to 1", "targets seen")],
            [
                Remedy(
                    {},
                    "binary cross-entropy compares probabilities, from 0 for no to 1 for yes",
                    "code the targets as 0 and 1",
                )
            ],
            {},
            0,
        )
    closing = _closing(case)
    if closing is None or learned_enough(case, 0.9):
        return None
    name, (least, most), layers = closing
    outside = float(((t < least - 1e-6) | (t > most + 1e-6)).double().mean())
    if outside < ABOVE:
        return None
    return _finding(case, name, (least, most), (low, high), outside, layers)


def _blank_among_targets(case: Case) -> Finding | None:
    """Texts in which the number stands that the connectionist loss takes for no letter."""
    calls = [
        call
        for look in case.looks
        for call in look.calls
        if call.name == "ctc_loss" and "target.blank" in call.content
    ]
    shares = [call.content["target.blank"] for call in calls]
    if not shares or min(shares) <= 0 or known_to_learn(case, 0.9):
        return None
    blank = calls[0].options.get("blank", 0)
    return Finding(
        "target_out_of_range",
        STEP,
        "error",
        0.92,
        f"ctc_loss takes {blank} for its blank, between letters, and {max(shares):.0%} of the "
        f"numbers in the targets are {blank}: that letter can never be read, and where a blank is "
        "answered it counts as one.",
        [
            Measure(
                "share of the targets that is the blank",
                significant(max(shares)),
                0,
                f"{len(calls)} calls of ctc_loss",
            )
        ],
        [
            Remedy(
                {},
                "the blank is a class of its own",
                "count the letters from 1, or give blank= the number of a class that no target "
                "has; the output needs one class more than there are letters",
            )
        ],
        {},
        0,
    )


def _without_a_sign(case: Case) -> Finding | None:
    """Targets of 0 and 1 for a loss that tells two sides by their sign: a 0 stands on neither."""
    calls = [
        look.calls[term.call]
        for look in case.looks
        for term in look.loss_terms
        if term.name in SIGNS and term.call is not None
    ]
    calls = [call for call in calls if "target.low" in call.content]
    lows, highs = ({call.content[f"target.{end}"] for call in calls} for end in ("low", "high"))
    if lows | highs != {0, 1}:
        return None
    name = calls[0].name
    no_force = "drops those of 0" if name == "cosine_embedding_loss" else "has no slope for a 0"
    if name == "hinge_embedding_loss":
        no_force = "counts a 0 as both sides at once"
    return Finding(
        "target_out_of_range",
        STEP,
        "error",
        0.9,
        f"The targets of {name} are 0 and 1, but it tells the two sides by 1 and -1, and "
        f"{no_force}: nothing answers to the samples that are to count as the other side.",
        [Measure("smallest target", 0, -1, f"{len(calls)} calls of {name}")],
        [
            Remedy(
                {},
                f"{name} takes 1 for one side and -1 for the other",
                "code the targets as 2 * y - 1",
            )
        ],
        {},
        0,
    )


def _closing(case: Case) -> tuple[str, tuple[float, float], list[str]] | None:
    """The operation that closes the network before its output is compared with numbers: its name,
    range, and layer where it is one.
    """
    for path in output_paths(case):
        if path.compared is None or path.term.target in ("network", "output", "positions"):
            continue
        name = path.compared[-1] if path.compared else ""
        if name.startswith("Clamp") or (name == "Neg" and path.compared[-2:-1] == ("Relu",)):
            return _clamp(case)
        return (name.lower(), RANGES[name], []) if name in RANGES else None
    closing, identified = output_activation(case), case.identified_loss
    if (
        closing is None
        or closing.function.output_range is None
        or (identified is not None and identified.loss.function not in REGRESSION_LOSSES)
        or (identified is None and case.task != "regression")
    ):
        return None
    return closing.activation or closing.kind, closing.function.output_range, [closing.name]


def _clamp(case: Case) -> tuple[str, tuple[float, float], list[str]] | None:
    """A clamp, by the ends at which the outputs seen pile up."""
    outputs = [look.output.flatten() for look in case.looks if look.output is not None]
    if not outputs:
        return None
    seen = torch.cat(outputs).double()
    least, most = float(seen.min()), float(seen.max())
    low = least if float((seen == least).double().mean()) > ABOVE else -math.inf
    high = most if float((seen == most).double().mean()) > ABOVE else math.inf
    return ("clamp", (low, high), []) if (low, high) != (-math.inf, math.inf) else None


def _by_call(case: Case) -> Finding | None:
    """By the range of the targets that the loss function was called with, where they are not known
    themselves.
    """
    for path in output_paths(case):
        if path.compared is None or path.call is None or path.term.target != "data":
            continue
        low, high = (path.call.content.get(f"target.{end}") for end in ("low", "high"))
        name = path.compared[-1] if path.compared else ""
        if low is None or high is None or name not in RANGES:
            continue
        least, most = RANGES[name]
        if max(least - low, high - most) > FAR * (high - low):
            return _finding(case, name.lower(), (least, most), (low, high), None, [])
    return None


def _finding(
    case: Case,
    name: str,
    reach: tuple[float, float],
    targets: tuple[float, float],
    outside: float | None,
    layers: list[str],
) -> Finding:
    (least, most), (low, high) = reach, targets
    span = f"{least:g} and above" if most == float("inf") else f"{least:g} to {most:g}"
    outputs = [look.output for look in case.looks if look.output is not None]
    at_end = max(
        (
            float((torch.cat([o.flatten() for o in outputs]) == end).double().mean())
            for end in (least, most)
            if outputs
        ),
        default=0.0,
    )
    share = "some" if outside is None else f"{outside:.0%}"
    return Finding(
        "target_out_of_range",
        STEP,
        "error",
        0.93 if outside is not None else 0.85,
        f"The targets run from {low:.3g} to {high:.3g}, but the network ends in a "
        f"{name}, which gives {span}: {share} of the targets cannot be reached, and the outputs "
        "are pressed against the end of the range, where the slope is 0"
        + (f" ({at_end:.0%} of those seen are exactly there)." if at_end > ABOVE else "."),
        [
            Measure("range of the targets", f"{low:.3g} to {high:.3g}", span, "targets seen"),
            *(
                [Measure("share of targets out of reach", significant(outside), 0, f"of a {name}")]
                if outside is not None
                else []
            ),
            *(
                [Measure("outputs at the end of the range", significant(at_end), 0, "looks")]
                if at_end > ABOVE
                else []
            ),
        ],
        [
            Remedy(
                {"loss": "mean_squared_error()"},
                "a linear output reaches every number",
                f"take the {name} off the output layer, or scale the targets into its range",
            )
        ],
        {"layers": layers} if layers else {},
        0,
    )
