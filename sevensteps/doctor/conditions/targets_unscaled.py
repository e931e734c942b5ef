"""targets_unscaled: the targets are far larger, or smaller, than what an untrained network gives.

To reach them the network needs huge weights, and the gradients are huge as well. Measured: the root
mean square of the targets, by itself and against that of the outputs at the start; judged only
where it hurts. The slope of a squared error is the error itself: with targets of a million, so are
the gradients. Targets of a thousandth are lost in what is left of the first answers. Source:
LeCun et al. 1998, Efficient BackProp.

Remedies: subtract the targets' mean, divide by their standard deviation, and undo it for
predictions. Silent on: large targets that the network reaches; first
outputs that are larger still; classes; data on which simple
models are no better.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant
from sevensteps.doctor.simple_models import simple_model_score

STEP = "repeat"
EXPLAINS = (
    "learning_rate_too_low",
    "learning_rate_too_high",
    "stopped_early",
    "underfitting",
    "exploding_gradient",
    "not_finite",
    "dead_units",
    "saturated_units",
    "too_small",
    "output_overconfident",
    "ill_conditioned",
    "vanishing_gradient",
    "inputs_unscaled",
    "loss_scale",
    "optimizer_setting",
    "signal_explodes",
)
FAR = 30.0  # times the size of the first outputs
LARGE, SMALL = 20.0, 0.02  # root mean square of the targets
STANDARDIZE = Remedy(
    {"data": "standardize()"},
    "the network then learns numbers of size 1",
    "subtract the targets' mean and divide by their standard deviation; undo it for predictions",
)
ENOUGH = 50  # samples that say whether there is anything to learn


def examine(case: Case) -> Finding | None:
    t = case.target
    if (
        case.task != "regression"
        or t is None
        or not t.is_floating_point()
        or not bool(t.isfinite().all())
        or case.before_training
        or not case.looks
        or not case.loss_is_error
        or case.targets_transformed
    ):
        return None
    size, spread = float(t.double().square().mean().sqrt()), float(t.double().std())
    output = case.looks[0].output
    output_size = (
        float(output.double().square().mean().sqrt())
        if output is not None and bool(output.isfinite().all())
        else 1.0
    )
    score = case.scores.get("train")
    if 0 < size < SMALL and size * FAR < output_size and score is not None and score < 0:
        return _tiny(size, output_size, score)
    if (
        size < LARGE
        or size < max(FAR * min(max(output_size, 1e-3), 1.0), output_size)
        or (score is not None and score > 0.9)
    ):
        return None
    # of fewer samples, what a simple model reaches hangs on which it is fitted to
    simple = simple_model_score(case) if len(t) >= ENOUGH else None
    if score is not None and simple is not None and simple - score < 0.1 and simple < 0.3:
        return None
    return Finding(
        "targets_unscaled",
        STEP,
        "error" if score is None or score < 0.5 else "warning",
        0.87,
        f"The targets have a size of {size:.3g} and a spread of {spread:.3g}, where a fresh "
        f"network gives about {output_size:.2g}. Its weights "
        "would have to grow by that much, with gradients as large as the errors: one learning "
        "rate cannot serve the way there and the "
        "end.",
        _sizes(size, output_size),
        [
            STANDARDIZE,
            Remedy(
                {"data": "standardize()", "step": "adam(lr=0.01)"},
                "with a learning rate that suits standardised numbers",
                "standardise as above, and use Adam at 1e-2",
            ),
        ],
        {},
        0,
    )


def _tiny(size: float, output_size: float, score: float) -> Finding:
    """Targets far smaller than what the network answers, by chance, before and after training."""
    return Finding(
        "targets_unscaled",
        STEP,
        "error",
        0.87,
        f"The targets have a size of {size:.3g}, where a fresh network gives about "
        f"{output_size:.2g}: beside that they are all but 0, so that the training makes the "
        "answers small, and what tells one target from another is lost in what is left of the "
        f"start (R² {score:.3g}).",
        _sizes(size, output_size),
        [STANDARDIZE],
        {},
        0,
    )


def title(finding: Finding) -> str:
    """Which of the two it is."""
    targets, outputs = (measure.observed for measure in finding.evidence[:2])
    size = "larger" if targets > outputs else "smaller"
    return f"The targets are far {size} than what an untrained network gives"


def _sizes(targets: float, outputs: float) -> list[Measure]:
    return [
        Measure("root mean square of the targets", significant(targets), "about 1", "targets seen"),
        Measure("of the first outputs", significant(outputs), "that of the targets", "first look"),
    ]
