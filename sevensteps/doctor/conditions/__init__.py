"""The doctor's vocabulary: a file for each condition, and a row that names it in `BY_STEP`.

Each module has a docstring (what it is, in one sentence; then its mechanism, what is measured, the
source, the remedies, and what it is silent on), STEP (which of the seven steps it blames), EXPLAINS
(conditions that are symptoms of it), and `examine(case) -> Finding | None`, which may add to
`case.ruled_out` why it is not this one. One whose cases differ also has `title(finding)`. They are
asked in this order: the last may read the `case.findings` of all others.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from sevensteps.doctor.finding import Finding

BY_STEP: dict[str, tuple[str, ...]] = {
    "initialize": ("symmetric_units", "signal_vanishes", "signal_explodes", "output_overconfident"),
    "predict": (
        "dead_units",
        "saturated_units",
        "no_nonlinearity",
        "mode_mismatch",
        "too_small",
        "samples_mixed",
        "input_not_used",
        "order_blind",
        "padding_read",
        "representation_collapsed",
    ),
    "loss": (
        "output_loss_mismatch",
        "target_shape_mismatch",
        "target_out_of_range",
        "loss_unsuited",
        "loss_sign",
        "loss_scale",
        "padding_in_loss",
        "loss_terms_unbalanced",
    ),
    "gradient": (
        "vanishing_gradient",
        "exploding_gradient",
        "not_finite",
        "gradient_not_cleared",
        "gradient_discarded",
        "gradient_clipped_away",
        "parameters_not_updated",
    ),
    "step": (
        "learning_rate_too_high",
        "learning_rate_too_low",
        "ill_conditioned",
        "weight_decay_too_strong",
        "schedule_collapsed",
        "optimizer_setting",
        "updates_rounded_away",
    ),
    "repeat": (
        "inputs_unscaled",
        "targets_unscaled",
        "not_shuffled",
        "same_batch_again",
        "inputs_not_finite",
        "inputs_scrambled",
        "labels_unrelated",
        "label_noise",
        "class_imbalance",
        "train_valid_mismatch",
        "target_in_input",
        "batch_too_small",
    ),
    "stop": ("stopped_early", "overfitting", "underfitting", "does_not_learn"),
}


def condition_names() -> tuple[str, ...]:
    """The names of all conditions, in the order of the seven steps."""
    return tuple(name for names in BY_STEP.values() for name in names)


def condition(name: str) -> ModuleType:
    """The module of the condition `name`."""
    return importlib.import_module(f"{__name__}.{name}")


def summary(name: str) -> str:
    """What the condition `name` is, in one sentence: the first paragraph of its docstring."""
    first = " ".join((condition(name).__doc__ or name).split("\n\n")[0].split())
    return first.removeprefix(f"{name}: ")


def title(finding: Finding) -> str:
    """What is wrong, in one sentence without its full stop: that of this very case where its
    condition tells several apart, else its summary.
    """
    of_case = getattr(condition(finding.condition), "title", None)
    text: str = of_case(finding) if of_case else ""
    return text or summary(finding.condition).rstrip(".")
