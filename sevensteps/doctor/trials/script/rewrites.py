"""Remedies that are other words on a line of the user's: what writes them, by condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.rewrites_of_gradients import (
    finite,
    unscaled_before_clipping,
    within_the_graph,
)
from sevensteps.doctor.trials.script.rewrites_of_layers import (
    batch_axis,
    causal_mask,
    class_axis,
    dropout_in_training,
    real_steps,
)
from sevensteps.doctor.trials.script.rewrites_of_losses import (
    class_weights,
    mean_of_samples,
    standardized_target,
)
from sevensteps.doctor.trials.script.rewrites_of_steps import other_optimizer, shuffled_slices
from sevensteps.doctor.trials.script.source import Source

Find = Callable[[Case, Finding, list[Source]], Iterator[Intervention]]
REWRITES: dict[str, tuple[Find, ...]] = {
    "class_imbalance": (class_weights,),
    "gradient_clipped_away": (unscaled_before_clipping,),
    "ill_conditioned": (other_optimizer,),
    "learning_rate_too_low": (other_optimizer,),
    "loss_scale": (mean_of_samples,),
    "loss_terms_unbalanced": (standardized_target,),
    "mode_mismatch": (dropout_in_training,),
    "not_finite": (finite,),
    "not_shuffled": (shuffled_slices,),
    "output_loss_mismatch": (class_axis,),
    "padding_read": (real_steps,),
    "parameters_not_updated": (within_the_graph,),
    "samples_mixed": (batch_axis,),
    "target_in_input": (causal_mask,),
}
