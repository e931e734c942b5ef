"""What several conditions read off a case: its weight layers and activations, how well it does, and
what a simple model would reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.trials.changes import rebuilt
from sevensteps.observe.look import Change, Look
from sevensteps.observe.network_facts import LayerFacts

ADAPTIVE = (
    "Adam",
    "AdamW",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "NAdam",
    "RAdam",
)  # their steps do not grow with the gradient
ROWS = 400  # samples that a simple model is judged on


def weight_layers(case: Case) -> list[tuple[LayerFacts, str]]:
    """The layers with a trained matrix of weights, in order, each with the name of that matrix;
    embeddings are left out.
    """
    found = []
    for layer in case.layers("weights"):
        matrix = next(
            (
                name
                for name in layer.parameters
                if name.endswith("weight")
                and len(case.facts.parameters[name].shape) > 1
                and case.facts.parameters[name].trained
            ),
            None,
        )
        if matrix and layer.kind != "Embedding":
            found.append((layer, matrix))
    return found


def hidden_layers(case: Case) -> list[tuple[LayerFacts, str]]:
    """The same without the last."""
    return weight_layers(case)[:-1]


def last_activation(case: Case) -> LayerFacts | None:
    """The activation that closes the network, after its last weights; None where there is none."""
    chain = case.layers()
    return chain[-1] if chain and chain[-1].role == "activation" else None


def hidden_activations(case: Case) -> list[LayerFacts]:
    """The activations between weights."""
    closing = last_activation(case)
    return [layer for layer in case.layers("activation") if layer is not closing]


def called(name: str) -> str:
    """A layer's name in a sentence: the 2 of a `Sequential` is "layer 2"; that of a compiled
    network is that of the network itself.
    """
    name = name.removeprefix("_orig_mod.")
    return f"layer {name}" if name[:1].isdigit() else name


def length(rows: Tensor | None) -> float:
    """√Σ of the squares of lengths by row: the length of the whole; nan for None."""
    return math.nan if rows is None else float(rows.double().norm())


def moved(change: Change) -> float:
    """|Δw| / |w| of one step; nan where it is not known or the weights are 0."""
    weight = length(change.weight)
    return length(change.update) / weight if weight > 0 else math.nan


def largest_move(case: Case, look: Look) -> tuple[float, str]:
    """The largest |Δw| / |w| of the weight matrices in one step, and whose it is."""
    found = [
        (moved(look.changes[name]), layer.name)
        for layer, name in weight_layers(case)
        if name in look.changes
    ]
    return max(((m, name) for m, name in found if not math.isnan(m)), default=(math.nan, ""))


def largest_jump(case: Case) -> tuple[int, float, str]:
    """The largest |Δw| / |w| of a weight matrix in the first looks, |w| being its length before:
    (step, how large, whose).

    Weights that start near 0 have to move: no |w| counts as less than a tenth of that of standard
    weights, √rows."""
    found = []
    for before, look in zip([None, *case.looks[:5]], case.looks[:6], strict=False):
        for layer, name in weight_layers(case):
            change, facts = look.changes.get(name), case.facts.parameters[name]
            if change is None or math.isnan(size := length(change.update)):
                continue
            old = (
                facts.length
                if before is None
                else length(before.changes[name].weight)
                if name in before.changes
                else math.nan
            )
            found.append((look.step, size / max(old, 0.1 * math.sqrt(facts.shape[0])), layer.name))
    return max(
        (jump for jump in found if not math.isnan(jump[1])),
        key=lambda jump: jump[1],
        default=(0, math.nan, ""),
    )


def median(numbers: Iterable[float]) -> float:
    """The median of those that are numbers; nan of none."""
    kept = sorted(n for n in numbers if not math.isnan(n))
    return kept[len(kept) // 2] if kept else math.nan


def optimizer(case: Case) -> str:
    """The class of the first optimizer, "" where none is known."""
    return str(case.facts.groups[0]["optimizer"]) if case.facts.groups else ""


def end_loss(case: Case) -> float:
    """The mean loss of the last twentieth of the training; nan where it is not known."""
    return case.smooth[-1][1] if case.smooth else math.nan


def first_loss(case: Case) -> float:
    """The loss of the first step."""
    return case.losses[0][1] if case.losses else case.looks[0].loss if case.looks else math.nan


def well(case: Case, at_least: float = 0.6) -> bool:
    """Whether the training came at least so far between an ignorant answer (0) and a perfect one
    (1), by score, or else by loss.
    """
    if case.early:
        return False
    if case.diverged is not None:
        return False
    if case.learned is not None:
        return case.learned >= at_least
    start = case.ignorant_loss if case.ignorant_loss is not None else first_loss(case)
    return start > 0 and end_loss(case) <= (1 - at_least) * start


def still_falling(case: Case) -> bool:
    """Whether the loss fell steadily to the very end: the last quarter by more than its own noise,
    and by 5 % at least.
    """
    means = [value for _, value in case.smooth]
    if len(means) < 8:
        return False
    tail = means[-len(means) // 4 :]
    middle = means[len(means) // 2 :][: len(tail)]
    noise = sum(abs(b - a) for a, b in pairwise(tail)) / max(len(tail) - 1, 1)
    before, after = sum(middle) / len(middle), sum(tail) / len(tail)
    return before > 0 and after < 0.95 * before and before - after > noise


def baseline(case: Case) -> float | None:
    """The cross-validated score of simple models on standardised inputs (linear, and the 5 nearest
    neighbours): the better of the two.

    Accuracy or r2, on at most `ROWS` samples; None where inputs are no plain numbers or too few.
    """
    if "baseline" not in case.shared:
        case.shared["baseline"] = _baseline(case)
    found: float | None = case.shared["baseline"]
    return found


def _baseline(case: Case) -> float | None:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    table = standardised(case)
    if table is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    x, y = table
    if case.task == "regression":
        y = (y - y.mean(0)) / np.where(y.std(0) > 0, y.std(0), 1)
        models, scoring, parts = (
            (Ridge(0.1), KNeighborsRegressor(5)),
            "r2",
            KFold(3, shuffle=True, random_state=0),
        )
    else:
        counts = np.bincount(y)
        if (counts > 0).sum() < 2 or counts[counts > 0].min() < 3:
            return None
        models, scoring = (
            (LogisticRegression(C=0.1, max_iter=50), KNeighborsClassifier(5)),
            "accuracy",
        )
        parts = StratifiedKFold(3, shuffle=True, random_state=0)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = [
            float(np.mean(cross_val_score(model, x, y, cv=parts, scoring=scoring)))
            for model in models
        ]
    return max(scores)


def standardised(case: Case, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray] | None:
    """Inputs [N, F], standardised by column, and targets: classes [N], or numbers [N, T]; of at
    most `rows` samples.
    """
    if case.sample is None or not case.sample[0].is_floating_point():
        return None
    x, y = (t.detach().cpu() for t in case.sample)
    every = torch.linspace(0, len(x) - 1, min(rows, len(x))).long()
    flat = x[every].flatten(1).double().numpy()
    if len(flat) < 15 or flat.shape[1] > 5000 or not np.isfinite(flat).all():
        return None
    spread = flat.std(0)
    flat = (flat - flat.mean(0))[:, spread > 1e-12] / spread[spread > 1e-12]
    if flat.shape[1] == 0:
        return None
    chosen = y[every]
    if case.task == "regression":
        values = chosen.reshape(len(chosen), -1).double().numpy()
        return (
            (flat, values[:, 0] if values.shape[1] == 1 else values)
            if np.isfinite(values).all()
            else None
        )
    if case.task == "multilabel" or case.task is None:
        return None
    return flat, (
        chosen.argmax(1) if chosen.ndim == 2 and chosen.shape[1] > 1 else chosen.reshape(-1)
    ).long().numpy()


def behind(case: Case, margin: float) -> bool:
    """Whether the network is worse than a simple model on the same samples, by `margin` of its
    score at least.
    """
    score = case.scores.get("train")
    simple = baseline(case)
    return simple is not None and score is not None and simple - score >= margin


def rate_text(case: Case, lr: float) -> str:
    """The step of this training with another learning rate, as notation; a schedule keeps its
    form.
    """
    if case.recipe is not None and hasattr(case.recipe.step, "lr"):
        held = case.recipe.step
        if isinstance(held.lr, int | float):
            return repr(replace(held, lr=float(f"{lr:.1g}")))
        factor = lr / case.rate if case.rate else 1.0
        return repr(replace(held, lr=replace(held.lr, lr=float(f"{held.lr.lr * factor:.1g}"))))
    name = optimizer(case).lower()
    group = case.facts.groups[0] if case.facts.groups else {}
    momentum = (
        f", momentum={group['momentum']:g}" if name == "sgd" and group.get("momentum") else ""
    )
    return f"{name if name in ('sgd', 'adam', 'adamw', 'rmsprop', 'adagrad') else 'sgd'}(lr={float(f'{lr:.1g}'):g}{momentum})"


def with_activation(case: Case, activation: str) -> dict[str, str]:
    """The change to this activation in the hidden layers, of a network of dense layers or of a
    recipe's; of any other none.
    """
    predict = case.recipe.predict if case.recipe is not None else None
    if hasattr(predict, "widths") or hasattr(predict, "channels"):
        return {"predict": repr(rebuilt(predict, activation=activation))}
    return dense_text(case, 1, "" if activation == "relu" else f", activation='{activation}'")


def dense_text(case: Case, times: int = 1, options: str = "") -> dict[str, str]:
    """The network as a change, with hidden layers so many times as wide and weights to suit; none
    where it is not one of dense layers.
    """
    if any(layer.kind not in ("Linear", "Neuron") for layer, _ in weight_layers(case)):
        return {}
    widths = [case.facts.parameters[name].shape[0] for _, name in hidden_layers(case)]
    if times > 1:
        widths = [max(times * width, 16) for width in widths]
    return (
        {
            "predict": f"mlp({', '.join(map(str, widths))}{options})",
            "initialize": "kaiming_normal()",
        }
        if widths
        else {}
    )


def patient(case: Case, count: int) -> str:
    """The stop of this training, and an end as soon as validation has been no better for `count`
    epochs.
    """
    rules = [
        rule
        for rule in (case.recipe.stop.rules() if case.recipe is not None else ())
        if type(rule).__name__ != "patience"
    ]
    return " | ".join([*map(repr, rules), f"patience({count})"])


def digits(value: float, places: int = 3) -> float:
    """A number in as many significant digits as are worth showing."""
    return float(f"{value:.{places}g}") if math.isfinite(value) else value
