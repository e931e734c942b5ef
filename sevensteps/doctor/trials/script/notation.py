"""Interventions as text, of which a trial's `change` is made: `lr_times(factor=0.1)`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

import torch

from sevensteps.doctor.trials.changes import Change
from sevensteps.doctor.trials.script import (
    of_batches,
    of_calls,
    of_gradients,
    of_networks,
    of_sequences,
    of_settings,
    of_source,
    of_steps,
)
from sevensteps.doctor.trials.script.base import Intervention, notation_of
from sevensteps.errors import NotationError

INTERVENTIONS: dict[str, type[Intervention]] = {
    "lr_times": of_steps.LrTimes,
    "clear_gradients": of_steps.ClearGradients,
    "leftover_elsewhere": of_steps.LeftoverElsewhere,
    "add_parameters": of_steps.AddParameters,
    "unfreeze": of_steps.Unfreeze,
    "add_parameters_at_random": of_steps.AddParametersAtRandom,
    "standardize_inputs": of_networks.StandardizeInputs,
    "standardize_targets": of_networks.StandardizeTargets,
    "rescale_inputs": of_networks.RescaleInputs,
    "initialize": of_networks.Initialize,
    "set_modes": of_networks.SetModes,
    "modes_at_random": of_networks.ModesAtRandom,
    "swap_activation": of_networks.SwapActivation,
    "take_off": of_calls.TakeOff,
    "replace": of_calls.Replace,
    "insert": of_calls.Insert,
    "reshape_target": of_calls.ReshapeTarget,
    "reshape_target_at_random": of_calls.ReshapeTargetAtRandom,
    "ignore_class": of_calls.IgnoreClass,
    "ignore_share": of_calls.IgnoreShare,
    "loss_times": of_calls.LossTimes,
    "clip_gradients": of_gradients.ClipGradients,
    "no_clipping": of_gradients.NoClipping,
    "clipping_times": of_gradients.ClippingTimes,
    "keep_gradients": of_gradients.KeepGradients,
    "flip_sign": of_gradients.FlipSign,
    "step_elsewhere": of_gradients.StepElsewhere,
    "set_option": of_settings.SetOption,
    "stop_at_padding": of_sequences.StopAtPadding,
    "stop_anywhere": of_sequences.StopAnywhere,
    "rewrite": of_source.Rewrite,
    "shuffle": of_batches.Shuffle,
    "same_order": of_batches.SameOrder,
    "shuffle_batches": of_batches.ShuffleBatches,
}
NAMES = {kind: name for name, kind in INTERVENTIONS.items()}


def change_of(interventions: Iterable[Intervention]) -> Change:
    """Interventions as a change: each under its step."""
    return {i.step: notation_of(i, NAMES[type(i)]) for i in interventions}


def parse_change(change: Mapping[str, str]) -> list[Intervention]:
    """The interventions of a change. Raises `NotationError` for what is none."""
    return [parse_intervention(text) for text in change.values()]


def parse_intervention(text: str) -> Intervention:
    """The intervention that a text stands for. Raises `NotationError` for what is none."""
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            named = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg is not None}
            return INTERVENTIONS[call.func.id](**named)
    except (SyntaxError, ValueError, KeyError, TypeError):
        pass
    raise NotationError(f"{text!r} is no change of a script; known are {', '.join(INTERVENTIONS)}")


def random_change(change: Change, draw: torch.Generator) -> Change | None:
    """A change at random that is as large as `change` at most; None where there is none."""
    controls = [intervention.control(draw) for intervention in parse_change(change)]
    known = [control for control in controls if control is not None]
    return change_of(known) if len(known) == len(controls) else None
