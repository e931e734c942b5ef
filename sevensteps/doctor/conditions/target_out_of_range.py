"""target_out_of_range: the network's last activation, or the loss, cannot reach these targets.

Measured: the targets against the range of the closing activation: a sigmoid answers between 0 and
1, a tanh between -1 and 1, a ReLU nothing below 0; and against the range of the loss: binary
cross-entropy takes targets between 0 and 1. Closed form.

Remedies: a linear output, `mean_squared_error()`, or targets scaled into the range; classes
coded as 0 and 1. Silent on: a few targets outside; outputs of classifiers, whose targets are
classes.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.identify_loss import REGRESSION_LOSSES
from sevensteps.doctor.measures import output_activation, significant

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
BINARY_CROSS_ENTROPIES = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


def examine(case: Case) -> Finding | None:
    t = case.target
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
    closing = output_activation(case)
    if (
        closing is None
        or closing.function.output_range is None
        or (identified is not None and identified.loss.function not in REGRESSION_LOSSES)
    ):
        return None
    if identified is None and case.task != "regression":
        return None
    least, most = closing.function.output_range
    outside = float(((t < least - 1e-6) | (t > most + 1e-6)).double().mean())
    if outside < ABOVE:
        return None
    reach = f"{least:g} to {most:g}" if most != float("inf") else f"{least:g} and above"
    return Finding(
        "target_out_of_range",
        STEP,
        "error",
        0.93,
        f"The targets run from {low:.3g} to {high:.3g}, but the network ends in a "
        f"{closing.activation}, which gives {reach}: "
        f"{outside:.0%} of the targets cannot be reached, and the outputs are pressed against the "
        "end of the range, where the slope is 0.",
        [
            Measure("range of the targets", f"{low:.3g} to {high:.3g}", reach, "targets seen"),
            Measure(
                "share of targets out of reach",
                significant(outside),
                0,
                f"range of a {closing.activation}",
            ),
        ],
        [
            Remedy(
                {"loss": "mean_squared_error()"},
                "a linear output reaches every number",
                f"take the {closing.activation} off the output layer, or scale the targets into "
                "its range",
            )
        ],
        {"layers": [closing.name]},
        0,
    )
