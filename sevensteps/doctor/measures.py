"""What several conditions read off a case: layers, updates and losses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.trials.changes import with_arguments
from sevensteps.observe.look import Change, Look
from sevensteps.observe.network_facts import LayerFacts
from sevensteps.steps.predict import cnn, mlp
from sevensteps.steps.step import Optimizer
from sevensteps.steps.stop import patience

# optimizers whose steps do not grow with the gradient
ADAPTIVE = ("Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam")

# |Δw| / |w| of a step: about 1e-3 where trainings work (Karpathy, CS231n)
USUAL_UPDATE = 5e-4
FEW_STEPS = 1000
SHORT_PATH = 1.0  # all steps together, in norms of the weights
LEAST_ROW = 0.3  # half of the length of a row of weights as PyTorch draws them, √(1/3)
FELL = 0.1  # of the first loss, by which a training has clearly begun to learn


# -- layers ----------------------------------------------------------------------------------------


def weight_layers(case: Case) -> list[tuple[LayerFacts, str]]:
    """The layers with a trained weight matrix, in order, each with the name of that matrix.

    Embeddings are left out.
    """
    layers = []
    for layer in case.layers("weights"):
        matrices = [
            name
            for name in layer.parameters
            if "weight" in name.rpartition(".")[2]  # also weight_ih_l0, in_proj_weight, weight_v
            and (parameter := case.facts.parameters.get(name)) is not None
            and len(parameter.shape) > 1
            and parameter.trained
        ]
        matrix = next((name for name in matrices if name.endswith("weight")), None)
        matrix = matrix or next(iter(matrices), None)
        if matrix and layer.kind != "Embedding":
            layers.append((layer, matrix))
    return layers


def hidden_layers(case: Case) -> list[tuple[LayerFacts, str]]:
    """The layers of `weight_layers` without the last, which is the output layer."""
    return weight_layers(case)[:-1]


def output_activation(case: Case) -> LayerFacts | None:
    """The activation after the last weights, which closes the network; None where there is none."""
    layers = case.layers()
    return layers[-1] if layers and layers[-1].role == "activation" else None


def hidden_activations(case: Case) -> list[LayerFacts]:
    """The activations between weights."""
    last = output_activation(case)
    return [layer for layer in case.layers("activation") if layer is not last]


def layer_label(name: str) -> str:
    """A layer's name as a sentence has it: the 2 of a `Sequential` is "layer 2".

    The name in a compiled network is that in the network itself.
    """
    name = name.removeprefix("_orig_mod.")
    return f"layer {name}" if name[:1].isdigit() else name


# -- weights, gradients and updates ----------------------------------------------------------------


def total_norm(row_norms: Tensor | None) -> float:
    """The norm of a whole matrix from the norms of its rows, √Σ norm²; nan for None."""
    return math.nan if row_norms is None else float(row_norms.double().norm())


def relative_update(change: Change) -> float:
    """|Δw| / |w| of one step; nan where it is not known or the weights are 0."""
    weight = total_norm(change.weight)
    return total_norm(change.update) / weight if weight > 0 else math.nan


def largest_relative_update(case: Case, look: Look) -> tuple[float, str]:
    """The largest |Δw| / |w| of the weight matrices in one step, and the name of the layer. Weights
    that start near 0 have to move: no |w| counts as less than half of that of PyTorch's start.
    """
    updates = [
        (
            total_norm(change.update)
            / max(
                total_norm(change.weight),
                LEAST_ROW * math.sqrt(case.facts.parameters[name].shape[0]),
            ),
            layer.name,
        )
        for layer, name in weight_layers(case)
        if (change := look.changes.get(name)) is not None and total_norm(change.weight) > 0
    ]
    return max(((u, name) for u, name in updates if not math.isnan(u)), default=(math.nan, ""))


def path_of_steps(case: Case) -> float:
    """All steps together, in norms of the weights of the layer that moved furthest: the median of
    the largest |Δw| / |w| of a step, times their number; nan where it is not known.
    """
    return median(largest_relative_update(case, look)[0] for look in case.looks) * case.steps


def few_usual_steps(case: Case) -> bool:
    """Whether the training had few steps, each about as long as those of trainings that work: one
    that came nowhere so was too short, and its learning rate is not to blame.
    """
    return case.steps < FEW_STEPS and path_of_steps(case) >= USUAL_UPDATE * case.steps


def is_short(case: Case) -> bool:
    """Whether a training had few steps, of the usual length, and its weights are still near where
    they began.
    """
    return few_usual_steps(case) and path_of_steps(case) < SHORT_PATH


def largest_early_update(case: Case) -> tuple[int, float, str]:
    """The largest |Δw| / |w| of a weight matrix in the first six looks: (step, ratio, layer).

    |w| is the norm before the step. Weights that start near 0 have to move, so that no |w| counts
    as less than a tenth of that of standard weights, √rows.
    """
    updates = []
    for before, look in zip([None, *case.looks[:5]], case.looks[:6], strict=False):
        for layer, name in weight_layers(case):
            change, facts = look.changes.get(name), case.facts.parameters[name]
            if change is None or math.isnan(size := total_norm(change.update)):
                continue
            old = (
                facts.length
                if before is None
                else total_norm(before.changes[name].weight)
                if name in before.changes
                else math.nan
            )
            least = 0.1 * math.sqrt(facts.shape[0])
            updates.append((look.step, size / max(old, least), layer.name))
    return max(
        (update for update in updates if not math.isnan(update[1])),
        key=lambda update: update[1],
        default=(0, math.nan, ""),
    )


def optimizer_name(case: Case) -> str:
    """The class name of the first optimizer, "" where none is known."""
    return str(case.facts.groups[0]["optimizer"]) if case.facts.groups else ""


# -- losses and scores -----------------------------------------------------------------------------


def is_maximized(case: Case) -> bool:
    """Whether all that learns makes the loss large; a multiplier that climbs by an optimizer of its
    own is no network.
    """
    groups = case.facts.groups
    return bool(groups) and all(group.get("maximize") for group in groups)


def first_loss(case: Case) -> float:
    """The loss of the first step; nan where it is not known."""
    return case.losses[0][1] if case.losses else case.looks[0].loss if case.looks else math.nan


def final_loss(case: Case) -> float:
    """The mean loss of the last twentieth of the training; nan where it is not known."""
    return case.smoothed_losses[-1][1] if case.smoothed_losses else math.nan


def final_steps(case: Case) -> int:
    """Over how many steps `final_loss` is the mean, of which every loss or some were recorded."""
    steps = [step for step, value in case.losses if math.isfinite(value)]
    return steps[-1] - steps[-max(1, len(steps) // 20)] + 1 if steps else 1


def loss_still_falls(case: Case) -> bool:
    """Whether the loss fell steadily to the very end.

    That is, in the last quarter by more than its own noise, and by 5 % at least.
    """
    means = [value for _, value in case.smoothed_losses]
    if len(means) < 8:
        return False
    tail = means[-len(means) // 4 :]
    middle = means[len(means) // 2 :][: len(tail)]
    noise = sum(abs(b - a) for a, b in pairwise(tail)) / max(len(tail) - 1, 1)
    before, after = sum(middle) / len(middle), sum(tail) / len(tail)
    return before > 0 and after < 0.95 * before and before - after > noise


def loss_fell(case: Case) -> bool:
    """Whether the loss ended clearly below where it began."""
    return final_loss(case) < (1 - FELL) * first_loss(case)


def is_improving(case: Case) -> bool:
    """Whether the loss has clearly fallen, and fell to the very end."""
    return case.loss_is_error and loss_fell(case) and loss_still_falls(case)


def loss_swing(case: Case) -> float:
    """The mean distance of single losses from their mean in the last half, as a share of it."""
    tail = [value for _, value in case.losses[len(case.losses) // 2 :] if math.isfinite(value)]
    mean = sum(tail) / len(tail) if tail else 0.0
    return sum(abs(value - mean) for value in tail) / len(tail) / abs(mean) if mean else 0.0


def learned_enough(case: Case, at_least: float = 0.6) -> bool:
    """Whether the training came that far from an answer that ignores the input (0) to a perfect
    one (1).

    By the score; where there is none, by the loss; of positions by either, since even the best
    answers may often be wrong there. A loss that is no error says nothing: then it is taken for
    learned, so that nobody is accused by it.
    """
    if case.before_training or case.diverged_at is not None:
        return False
    if case.skill is not None and (case.skill >= at_least or case.task not in ("tokens", "dense")):
        return case.skill >= at_least
    if not case.loss_is_error:
        return True
    start = case.baseline_loss if case.baseline_loss is not None else first_loss(case)
    return start > 0 and final_loss(case) <= (1 - at_least) * start


# -- changes that remedies propose -----------------------------------------------------------------


def step_with_rate(case: Case, lr: float) -> str:
    """The step of this training with another learning rate, as notation; a schedule keeps its
    form.
    """
    step: Any = case.recipe.step if case.recipe is not None else None
    if isinstance(step, Optimizer):
        if isinstance(step.lr, int | float):
            return repr(with_arguments(step, lr=float(f"{lr:.1g}")))
        factor = lr / case.lr if case.lr else 1.0
        schedule: Any = step.lr
        schedule = with_arguments(schedule, lr=float(f"{schedule.lr * factor:.1g}"))
        return repr(with_arguments(step, lr=schedule))
    name = optimizer_name(case).lower()
    group = case.facts.groups[0] if case.facts.groups else {}
    keeps_momentum = name == "sgd" and group.get("momentum")
    momentum = f", momentum={group['momentum']:g}" if keeps_momentum else ""
    known = name in ("sgd", "adam", "adamw", "rmsprop", "adagrad")
    return f"{name if known else 'sgd'}(lr={float(f'{lr:.1g}'):g}{momentum})"


def change_activation(case: Case, activation: str) -> dict[str, str]:
    """The change to this activation in the hidden layers.

    Of a recipe's network, or of one of dense layers; of any other no change.
    """
    predict = case.recipe.predict if case.recipe is not None else None
    if isinstance(predict, mlp | cnn):
        return {"predict": repr(with_arguments(predict, activation=activation))}
    return change_to_mlp(case, 1, "" if activation == "relu" else f", activation='{activation}'")


def change_to_mlp(case: Case, times: int = 1, options: str = "") -> dict[str, str]:
    """The change to an mlp with hidden layers that many times as wide, and weights to suit.

    No change where the network is not one of dense layers.
    """
    if any(layer.kind not in ("Linear", "Neuron") for layer, _ in weight_layers(case)):
        return {}
    widths = [case.facts.parameters[name].shape[0] for _, name in hidden_layers(case)]
    if times > 1:
        widths = [max(times * width, 16) for width in widths]
    if not widths:
        return {}
    return {
        "predict": f"mlp({', '.join(map(str, widths))}{options})",
        "initialize": "kaiming_normal()",
    }


def stop_with_patience(case: Case, epochs: int) -> str:
    """The stop of this training, and an end once validation was no better for so many epochs."""
    rules = case.recipe.stop.rules() if case.recipe is not None else ()
    others = [repr(rule) for rule in rules if not isinstance(rule, patience)]
    return " | ".join([*others, f"patience({epochs})"])


# -- numbers ---------------------------------------------------------------------------------------


def median(numbers: Iterable[float]) -> float:
    """The median of those that are numbers; nan of none."""
    ordered = sorted(n for n in numbers if not math.isnan(n))
    return ordered[len(ordered) // 2] if ordered else math.nan


def significant(value: float, digits: int = 3) -> float:
    """A number rounded to as many significant digits as are worth showing."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else value
