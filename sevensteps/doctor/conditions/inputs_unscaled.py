"""inputs_unscaled: inputs so large, so small or so uneven that no usual learning rate suits.

A single rate cannot serve all weights of the first layer. Measured: the root mean square of the
inputs, and for tables the spread of the columns against each other; judged only where it hurts,
that is where a simple model on standardised inputs does better. The curvature along a weight grows
with the square of its input: pixels of 0 to 255 make the first layer 65,025 times as steep as
pixels of 0 to 1. And numbers that come again and again far outside of all others in a column, as
-9999 for what is missing. Source: LeCun et al. 1998, Efficient BackProp, ch. 4.3.

Remedies: subtract each input's mean and divide by its standard deviation, learned on the
training part. Silent on: large inputs with which the network learns all the same, as Adam often
does with raw pixels; the examination before the first step, for the same reason; columns that are
hardly ever anything but one value, as the pixels of a margin, beside others of usual size; networks
with batch norm that do badly in evaluation mode alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    learned_enough,
    significant,
    weight_layers,
)
from sevensteps.doctor.pairs import targets_of
from sevensteps.doctor.simple_models import simple_model_score, worse_than_simple_model
from sevensteps.observe.structure import first_tensor

STEP = "repeat"
EXPLAINS = (
    "dead_units",
    "learning_rate_too_high",
    "output_overconfident",
    "ill_conditioned",
    "exploding_gradient",
    "not_finite",
    "signal_explodes",
    "saturated_units",
    "underfitting",
    "learning_rate_too_low",
    "stopped_early",
    "vanishing_gradient",
    "too_small",
    "batch_too_small",
    "targets_unscaled",
    "overfitting",
    "optimizer_setting",
    "representation_collapsed",
    "input_not_used",
    "weight_decay_too_strong",
    "class_imbalance",
)
TINY = 0.02  # largest number, if all are as small
LARGE = 6.0  # root mean square; standardised inputs have 1, pixels of 0 to 1 about .3
APART = 100.0  # largest column's spread against the smallest
WIDE = 3.0  # spread of a column that is too large by itself; standardised ones have 1
RARE = 0.9  # share of the samples that have one value in common
# root mean square of what the first layer gives; spread over samples against its size
SWAMPED, ALIKE = 10.0, 0.03
WORSE = 2.0  # times the loss of an answer that ignores the input
GOOD = 0.8  # of the way to a perfect score; then a better simple model has to be twice as far off
FAR, NEARLY_ALL = 50.0, 0.95  # spreads of the others that a mark lies away; learned all the same
LEAST_MARKS, DIFFERENT = 5, 10  # rows with a mark; other numbers, fewer are codes
ROWS, MOST_COLUMNS = 5000, 200  # that are looked through
STRETCHES = 10  # of the losses, fewer say nothing of the first
SIZE = "root mean square of the inputs"
SPREADS = "largest column's spread against the smallest"
MARGIN = 0.05  # of the score that a simple model on standardised inputs does better


def examine(case: Case) -> Finding | None:
    inputs = _inputs(case)
    if inputs is None or not inputs.is_floating_point() or inputs.ndim < 2:
        return None
    if not case.before_training and (marked := _marks(case)) is not None:
        return marked
    size, spreads, rare = case.of_data("scale of the inputs", lambda: _scale(inputs))
    if not math.isfinite(size):
        return None
    varied = spreads[(spreads > 1e-9) & ~rare]
    table = inputs.ndim == 2 and inputs.shape[1] <= 200 and len(varied) > 1
    apart = float(varied.max() / varied.min()) if table else 1.0
    tiny = float(inputs.abs().max()) < TINY and size > 0
    if size < LARGE and not tiny and not (apart > APART and float(varied.max()) > WIDE):
        return None
    if case.before_training:
        return None  # Adam takes raw pixels well: only the training can tell
    if known_to_learn(case, 0.97) and not _fell_at_once(case):
        return None
    simple, score = simple_model_score(case), case.scores.get("train")
    if simple is not None and score is not None:
        margin = 2 * MARGIN if learned_enough(case, GOOD) else MARGIN
        if not worse_than_simple_model(case, margin) and not (
            _off_the_scale(case) or _is_at_chance(case)
        ):
            case.ruled_out.append(
                (
                    "inputs_unscaled",
                    f"the inputs are {'small' if tiny else 'large'} (root mean square {size:.3g}), "
                    "and the network learns all the same",
                )
            )
            return None
        if case.facts.norms and simple - _score_in_training_mode(case) < margin:
            case.ruled_out.append(
                (
                    "inputs_unscaled",
                    "with the statistics of each batch, as in training, the network has learned; "
                    "with the running ones that evaluation uses it has not",
                )
            )
            return None
    else:
        learned = known_to_learn(case, 0.5) and not _fell_at_once(case)
        if learned or not (case.loss_is_error or _first_layer_suffers(case)):
            return None
    evidence = [Measure(SIZE, significant(size), "about 1", "samples seen")]
    if table:
        evidence.append(
            Measure(
                SPREADS,
                significant(apart),
                f"below {APART:g}",
                "standard deviations",
            )
        )
    if simple is not None and score is not None:
        evidence.append(
            Measure(
                "score, against a simple model on standardised inputs",
                f"{score:.3g}",
                f"{simple:.3g}",
                "cross-validated",
            )
        )
    first_dead = any(
        float((s.firing == 0).double().mean()) == 1
        for look in case.looks[1:3]
        for name, s in look.signals.items()
        if case.facts.layers.get(name) and case.facts.layers[name].activation == "relu"
    )
    columns = (
        f", and one column varies {apart:.3g} times as much as another" if apart > APART else ""
    )
    return Finding(
        "inputs_unscaled",
        STEP,
        "error" if score is None or not learned_enough(case, 0.5) else "warning",
        0.88,
        f"No input is above {float(inputs.abs().max()):.2g}: the first layer gives all samples "
        "nearly the same, its biases, and the gradient of its weights is that many times smaller "
        "than theirs."
        if tiny
        else f"The inputs have a root mean square of {size:.3g}{columns}: the loss is steep along "
        + (
            "their weights and flat along the biases"
            if apart == 1
            else "the weights of large inputs and flat along those of small ones"
        )
        + ", so that one learning rate is too large for the first and too small for the others."
        + (" The first step already switched units off for good." if first_dead else ""),
        evidence,
        [
            Remedy(
                {"data": "standardize()"},
                "all weights of the first layer then see inputs of size 1",
                "subtract each input's mean and divide by its standard deviation, learned on the "
                "training part",
            ),
            Remedy(
                {"data": "standardize()", "step": "adam(lr=0.01)"},
                "with a learning rate that suits standardised numbers",
                "standardise as above, and use Adam at 1e-2",
            ),
        ],
        {
            "columns": torch.nonzero(spreads > 10 * varied.median()).flatten().tolist()[:16]
            if table
            else []
        },
        0,
    )


def title(finding: Finding) -> str:
    """Which of the three it is."""
    observed = {measure.measure: measure.observed for measure in finding.evidence}
    if (size := observed.get(SIZE)) is None:
        return "A number that stands for what is missing lies far outside of all others"
    if observed.get(SPREADS, 1.0) > APART:
        return "The columns are of such different size that no learning rate suits all"
    if size >= LARGE:
        return "The inputs are so large that no usual learning rate suits"
    return "The inputs are so small that the first layer hardly learns from them"


def _inputs(case: Case) -> Tensor | None:
    """Some of the first inputs, where there are no targets too; one number a sample as a column."""
    if case.sample is not None:
        x: Tensor | None = case.sample[0]
    else:
        x = first_tensor(case.part("train") or (case.observation.inputs,))
    return x[:, None] if x is not None and x.ndim == 1 else x


def _off_the_scale(case: Case) -> bool:
    """Whether the network ends far worse than an answer that ignores the input, and its first layer
    suffers: then no other model is needed to compare with.
    """
    ignorant = case.baseline_loss
    far = ignorant is not None and final_loss(case) > WORSE * ignorant > 0
    return (far or (case.skill is not None and case.skill < 1 - WORSE)) and _first_layer_suffers(
        case
    )


def _is_at_chance(case: Case) -> bool:
    """Whether the network answers no better than one that ignores its inputs, and its first layer
    suffers: of a rare class no simple model need be better by its accuracy.
    """
    judgement = judge(case)
    at_chance = judgement.verdict == "chance" and judgement.had_time
    return at_chance and _first_layer_suffers(case)


def _fell_at_once(case: Case) -> bool:
    """Whether a loss of which nothing else is known fell in the first steps alone, from where large
    inputs had put it, and the first layer suffers: no more was learned than a bias.
    """
    means = [value for _, value in case.smoothed_losses]
    if case.skill is not None or len(means) < STRETCHES or not _first_layer_suffers(case):
        return False
    at_once, later = first_loss(case) - means[0], means[0] - final_loss(case)
    return final_loss(case) > 0 and at_once > 2 * max(later, 0.0) and later < means[0] / 2


def _first_layer_suffers(case: Case) -> bool:
    """Whether the first layer gives numbers at the start that no layer is made for, or hardly
    different ones for different samples: what there is to go by where no score is known.
    """
    look = case.looks[0] if case.looks else None
    layers = [layer.name for layer, _ in weight_layers(case)]
    if look is None or not layers or (signal := look.signals.get(layers[0])) is None:
        return False
    size, spread = (float(t.double().square().mean().sqrt()) for t in (signal.mean, signal.std))
    return max(size, spread) > SWAMPED or 0 < spread < ALIKE * size


def _marks(case: Case) -> Finding | None:
    """Columns of a table in which one number far outside stands for what is missing."""
    if case.sample is None or case.sample[0].ndim != 2 or learned_enough(case, NEARLY_ALL):
        return None
    marks: dict[int, tuple[float, float, float]] = case.of_data(
        "marks of missing values", lambda: _marked_columns(case)
    )
    if not marks:
        return None
    column, (mark, share, spread) = max(marks.items(), key=lambda item: item[1][1])
    return Finding(
        "inputs_unscaled",
        STEP,
        "error" if not learned_enough(case, 0.5) else "warning",
        0.88,
        f"In {share:.1%} of the rows column {column} is {mark:g}, and all its other numbers have "
        f"a spread of {spread:.3g}"
        + (f"; so it is in {len(marks) - 1} more columns" if len(marks) > 1 else "")
        + ". Such a number stands for what is missing; to the network it is "
        "one like others, and so large that it decides the answer and the gradient of its row.",
        [
            Measure(
                f"distance of {mark:g} from the others of column {column}, in their spreads",
                significant(abs(mark) / spread),
                f"below {FAR:g}",
                "samples seen",
            )
        ],
        [
            Remedy(
                {},
                "a missing number must not be a large one",
                "put the column's mean or median there, learned on the training part, and add a "
                "column that says where it was missing; only then standardise",
            )
        ],
        {"columns": list(marks)[:16]},
        0,
    )


def _marked_columns(case: Case) -> dict[int, tuple[float, float, float]]:
    """Of each column with one: the number that comes again and again far outside of the others, its
    share, and the spread of these.
    """
    x = case.train[0] if case.train is not None else case.sample[0] if case.sample else None
    if x is None:
        return {}
    x = x[:: max(len(x) // ROWS, 1)].detach().cpu().double()
    marks = {}
    for column in range(min(x.shape[1], MOST_COLUMNS)):
        numbers = x[:, column]
        if not bool(numbers.isfinite().all()):
            continue
        for mark in (float(numbers.min()), float(numbers.max())):
            others = numbers[numbers != mark]
            if not LEAST_MARKS <= len(numbers) - len(others) <= len(numbers) / 2:
                continue
            spread, away = float(others.std()), (others - mark).abs().min()
            if len(others.unique()) >= DIFFERENT and float(away) > FAR * spread > 0:
                marks[column] = mark, 1 - len(others) / len(numbers), spread
    return marks


def _score_in_training_mode(case: Case) -> float:
    score = case.score(case.outputs(case.examples, training=True), targets_of(case.examples))
    return -math.inf if score is None else score


def _scale(inputs: Tensor) -> tuple[float, Tensor, Tensor]:
    """The root mean square of all inputs, the standard deviation of each column, and whether nearly
    all samples have one value there.
    """
    x = inputs.detach().cpu().flatten(1).double()
    usual = (x == x.median(0).values).double().mean(0)
    return float(x.square().mean().sqrt()), x.std(0, correction=0), usual > RARE
