"""output_overconfident: before it has learned anything, the network is sure of wrong answers.

Its weights are far too large, and the first epochs do no more than make them small again. Measured:
the first loss of a classifier, of samples, tokens or pixels, against that of one that knows
nothing, the entropy of its classes (ln C for C equal ones), and that of a regression against the
variance of its targets; together with the length of the weight rows, √2 by He et al. 2015, or of
the vectors whose products the answers are. The first epochs then only undo that.

Remedies: `kaiming_normal()`, or random weights divided by the root of the number of inputs.
Silent on: a high first loss that large inputs make (see inputs_unscaled). A remark, no more,
where the network learns well, and on other samples no worse than a simple model.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy, Severity
from sevensteps.doctor.measures import (
    first_loss,
    layer_label,
    learned_enough,
    median,
    significant,
    weight_layers,
)
from sevensteps.doctor.rate_by_itself import first_update_from_usual_weights
from sevensteps.doctor.simple_models import simple_model_score
from sevensteps.observe.network_facts import LayerFacts

STEP = "initialize"
EXPLAINS = (
    "learning_rate_too_high",
    "exploding_gradient",
    "dead_units",
    "underfitting",
    "stopped_early",
    "ill_conditioned",
    "vanishing_gradient",
    "overfitting",
    "batch_too_small",
    "learning_rate_too_low",
)
TASKS = ("binary", "multiclass", "tokens", "dense", "regression")
TIMES = 3.0  # the ignorant loss
TIMES_SQUARED = 30.0  # the variance of the targets, for a squared error
LEAP = 0.5  # |Δw| / |w| of a first step that is too long from weights of the usual size
FAR_OFF = 30.0  # times the ignorant loss
CARRIED_OVER = 0.05  # of the validation score
WRONG = "sure of wrong answers"
USUAL = math.sqrt(2)  # length of a weight row by He et al.; .6 by PyTorch's default
AWAY = 5.0  # spreads, from the targets, of answers that are alike
LONG = 6.0  # median length of a weight row, or of all layers together, one after another


def examine(case: Case) -> Finding | None:
    if not case.looks or case.task not in TASKS or case.baseline_loss is None:
        return None
    loss, ignorant = first_loss(case), case.baseline_loss
    rows = {
        layer.name: _usual_row(case, name)
        for layer, name in [*weight_layers(case), *_tied(case)] or _tables(case)
        if name in case.looks[0].changes
    }
    numbers = case.task == "regression"
    times = TIMES_SQUARED if numbers else TIMES
    if not rows or ignorant <= 0 or not loss > times * ignorant:
        return None
    layer, longest = max(rows.items(), key=lambda item: item[1])
    together = math.prod(max(length / USUAL, 1.0) for length in rows.values())
    if max(longest, USUAL * together) < LONG:
        if (shifted := _starts_elsewhere(case, loss, ignorant)) is not None:
            return shifted
        case.ruled_out.append(
            (
                "output_overconfident",
                f"the first loss is {loss:.3g}, but no weights are large: it comes from the "
                "inputs, or grows on its way",
            )
        )
        return None
    return Finding(
        "output_overconfident",
        STEP,
        _severity(case, loss / ignorant),
        0.9,
        f"The first loss is {loss:.3g}, where a network that knows nothing has {ignorant:.3g}: it "
        f"starts out {'with answers far beyond all targets' if numbers else WRONG}. The "
        + (
            f"weights of {layer_label(layer)} are too large (a norm of {longest:.3g} per unit, "
            "where about 1.4 keeps the signal's size), and"
            if longest >= LONG
            else f"weights of {len(rows)} layers, one after another, make the signal about "
            f"{together:.2g} times as large (norms of up to {longest:.3g} per unit, where about "
            "1.4 keeps its size), and"
        )
        + " much of the training goes into making them small "
        "again.",
        [
            Measure(
                "loss of the first step",
                significant(loss),
                significant(ignorant),
                "variance of the targets" if numbers else "entropy of the classes",
            ),
            Measure(
                f"norm of a weight row in {layer_label(layer)}",
                significant(longest),
                "0.6 to 1.4",
                "He et al. 2015; PyTorch's default",
            ),
        ],
        [
            Remedy(
                {"initialize": "kaiming_normal()"},
                "weights with variance 2 / inputs start near the ignorant loss",
                "initialise with torch.nn.init.kaiming_normal_, or divide the random weights by "
                "the root of the number of inputs; an embedding that is the output layer, too, "
                "starts with a standard deviation of 0.02",
            )
        ],
        {"layers": [name for name, rows_ in rows.items() if rows_ >= min(LONG, longest)]},
        0,
    )


def _starts_elsewhere(case: Case, loss: float, ignorant: float) -> Finding | None:
    """First answers that are nearly the same for all samples, and far from all of their numbers:
    those of the last layer's bias.
    """
    output, target = case.looks[0].output, case.target
    if output is None or target is None or case.task != "regression" or len(output) < 2:
        return None
    answers, numbers = (x.detach().double().reshape(len(x), -1) for x in (output, target))
    if answers.shape[1] != numbers.shape[1] or not bool(answers.isfinite().all()):
        return None
    away = (answers.mean(0) - numbers.mean(0)).abs()
    spread = torch.maximum(answers.std(0), numbers.std(0))
    at = int((away / spread.clamp_min(1e-12)).argmax())
    if not float(away[at]) > AWAY * float(spread[at]):
        return None
    return Finding(
        "output_overconfident",
        STEP,
        _severity(case, loss / ignorant),
        0.9,
        f"The first loss is {loss:.3g}, where a network that knows nothing has {ignorant:.3g}: all "
        f"answers start near {float(answers.mean(0)[at]):.3g}, and the targets lie about "
        f"{float(numbers.mean(0)[at]):.3g}, with a spread of {float(numbers.std(0)[at]):.3g}. The "
        "last layer's bias is far off, and the training spends its steps on the way back.",
        [
            Measure(
                "distance of the first answers' mean from the targets', in spreads",
                significant(float(away[at] / spread[at])),
                "below 1",
                "first look",
            )
        ],
        [
            Remedy(
                {"initialize": "kaiming_normal()"},
                "the bias is then 0, as the mean of standardised targets is",
                "start the last layer's bias at the mean of the targets as the loss takes them",
            )
        ],
        {"layers": ["output"]},
        0,
    )


def _severity(case: Case, times: float) -> Severity:
    """An error where a training that started `times` as far off as one that knows nothing did not
    get over it: no learning rate is right for such a start.
    """
    if learned_enough(case, 0.93) and not _carries_over_badly(case):
        return "info"
    if first_update_from_usual_weights(case) > LEAP:
        return "warning"  # the steps would be too long from any start
    far_off = FAR_OFF**2 if case.task == "regression" else FAR_OFF
    return "error" if times > far_off and not learned_enough(case, 0.8) else "warning"


def _usual_row(case: Case, name: str) -> float:
    """The length of a usual row of a weight matrix at the start; the first look is at the end of
    the first step, which may have made it longer.
    """
    facts = case.facts.parameters[name]
    at_start = facts.length / math.sqrt(facts.shape[0])
    after = median(case.looks[0].changes[name].weight.tolist())
    return min(after, at_start) if at_start > 0 else after


def _carries_over_badly(case: Case) -> bool:
    """Whether a simple model is better on samples that it has not seen than the network is."""
    valid = case.scores.get("valid")
    if valid is None or valid > 1 - CARRIED_OVER:
        return False
    simple = simple_model_score(case)
    return simple is not None and simple - valid >= CARRIED_OVER


def _tables(case: Case) -> list[tuple[LayerFacts, str]]:
    """Tables of vectors, where the network has no other weights: its answers are their products."""
    return [
        (layer, name)
        for layer in case.layers("weights")
        if layer.kind in ("Embedding", "EmbeddingBag")
        for name in layer.parameters
        if (parameter := case.facts.parameters.get(name)) is not None
        and len(parameter.shape) == 2
        and parameter.shape[1] > 1  # a bias of each
    ]


def _tied(case: Case) -> list[tuple[LayerFacts, str]]:
    """Embeddings that no output layer stands beside: with a row for each class, they are it."""
    output = case.looks[0].shapes.get("output", ())
    heads = {case.facts.parameters[name].shape[0] for _, name in weight_layers(case)}
    return [
        (layer, name)
        for layer in case.layers("weights")
        if layer.kind == "Embedding"
        for name in layer.parameters
        if (parameter := case.facts.parameters.get(name)) is not None
        and len(parameter.shape) == 2
        and parameter.shape[0] in output[1:]
        and parameter.shape[0] not in heads
    ]
