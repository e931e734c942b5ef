"""Scores of networks that have no single answer to be scored by: of each of several heads, of codes
by what lies nearest, of a loss whose purpose is not known, and those that the loop reports.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import accuracy_of_positions, class_indices, outputs_fit
from sevensteps.doctor.loss_purpose import is_error, purpose_of
from sevensteps.doctor.pairs import targets_of
from sevensteps.doctor.simple_models import nearest_samples
from sevensteps.metrics import baseline, r2
from sevensteps.observe.call import ELEMENTWISE_LOSSES, LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.structure import tensors_of

MIN_EVALUATIONS = 3  # that show a network at chance
SCORE = 0.05  # of the way from an ignorant answer to a perfect one
ERRORS = 3.0  # standard errors of a share beyond which it is no luck
MIN_SAMPLES = 20  # fewer say nothing about chance
NEIGHBOURS, MAX_CODES = 5, 400  # of each code, and codes that are compared
OF_INPUTS = 0.35  # of what the inputs' own neighbours say beyond chance
MIN_REPORTS = 40  # of a score; fewer show no trend
RISES = 2.5  # standard errors, of a trend or a difference
GOOD = 0.9  # of a share that is good from the start, and need not rise


@dataclass(frozen=True)
class ChanceComparison:
    """What a network reached in one measure ("accuracy", "r2", "loss", …), and what the best answer
    that ignores the inputs reaches; `better` is whether the network is beyond it. `by` names that
    answer, or whatever else `ignorant` is of.
    """

    measure: str
    reached: float
    ignorant: float
    of: str
    better: bool
    by: str = "the same for all"

    def __str__(self) -> str:
        return f"{self.measure} {self.reached:.3g}, where {self.by} gives {self.ignorant:.3g}"


def heads(case: Case) -> list[ChanceComparison]:
    """The score of each head that a term of the loss compares with targets; empty where there are
    not several, or where it is not known which targets are whose.
    """
    terms = next((look.loss_terms for look in case.looks if look.loss_terms), ())
    links = {term.output: term.name for term in terms if purpose_of(term) == "error"}
    paths = [term.output for term in terms if purpose_of(term) == "error"]
    examples = case.examples
    if len(set(paths)) < 2 or len(set(paths)) < len(terms) or examples is None:
        return []
    targets = tensors_of(examples[1])
    try:
        with case.network_copy() as network, torch.no_grad():
            outputs = {} if network is None else tensors_of(ask(network, examples[0]))
    except Exception:  # inputs of another form
        return []
    comparisons = []
    for path in paths:
        output = outputs.get(path)
        target = None if output is None else target_of_head(path, output, targets, links[path])
        if output is None or target is None:
            return []
        measure, reached, least = score_of_head(linked(output, target, links[path]), target)
        if reached is None or len(target) < MIN_SAMPLES:
            return []
        comparisons.append(
            ChanceComparison(
                f"{measure} of output {path}",
                reached,
                least,
                "training samples",
                is_better(reached, least, len(target)),
            )
        )
    return comparisons


def target_of_head(
    path: str, output: Tensor, targets: Mapping[str, Tensor], loss: str = ""
) -> Tensor | None:
    """The targets of a head: those of its name, or the only ones that it can be an answer to. A
    `loss` that compares number with number is not one of classes.
    """
    if (own := targets.get(path)) is not None:
        return own if outputs_fit(tuple(output.shape), own) else None
    numbers = loss in ELEMENTWISE_LOSSES
    fitting = [
        t
        for t in targets.values()
        if outputs_fit(tuple(output.shape), t) and (t.is_floating_point() or not numbers)
    ]
    return fitting[0] if len(fitting) == 1 else None


def linked(output: Tensor, target: Tensor, loss: str) -> Tensor:
    """An output as the loss function of that name compares it with targets that are numbers."""
    if not target.is_floating_point():
        return output
    if loss == "binary_cross_entropy_with_logits":
        return output.sigmoid()
    return output.softmax(1) if loss == "cross_entropy" else output


def score_of_head(output: Tensor, target: Tensor) -> tuple[str, float | None, float]:
    """Which measure, the score, and that of one answer for all."""
    if target.is_floating_point():
        return "r2", r2(output.reshape(target.shape), target), 0.0
    known = target[target >= 0].long()
    least = baseline("multiclass", known) if len(known) else 0.0
    if math.prod(output.shape[1:]) == 1:
        answers = (output.reshape(-1) > 0).long()
        return "accuracy", float((answers == target.reshape(-1)).double().mean()), least
    return "accuracy", accuracy_of_positions(output, target), least


def is_better(reached: float, least: float, samples: int) -> bool:
    """Whether a score is beyond that of one answer for all by more than luck."""
    error = math.sqrt(max(least * (1 - least), 0.0) / samples)
    return reached - least > max(SCORE * (1 - least), ERRORS * error)


def score_of_unknown_loss(case: Case) -> ChanceComparison | None:
    """The accuracy of outputs that are as many as there are classes, whatever the loss is that they
    go into, as long as nothing says that it compares something else.
    """
    output, target = case.train_outputs, targets_of(case.examples)
    if case.skill is not None or output is None or target is None or len(target) < MIN_SAMPLES:
        return None
    classes = not target.is_floating_point() and output.ndim == target.ndim + 1
    if is_error(case.looks) is False or case.bootstrapped or not classes or case.read_otherwise:
        return None
    if len(output) != len(target) or not outputs_fit(tuple(output.shape), target):
        return None
    measure, reached, least = score_of_head(output, target)
    if reached is None:
        return None
    better = is_better(reached, least, len(target))
    return ChanceComparison(measure, reached, least, "training samples", better)


def score_in_looks(case: Case) -> ChanceComparison | None:
    """The score of the outputs against the targets in the last looks, of a network that cannot be
    asked as a whole, as its parts are called one by one; where one function compares them.
    """
    if case.skill is not None or case.train_outputs is not None or case.bootstrapped:
        return None
    looks = case.looks[-max(len(case.looks) // 4, 2) :]
    pairs = [
        (_as_compared(look, look.output), look.target)
        for look in looks
        if look.output is not None
        and look.target is not None
        and len(look.output) == len(look.target)
        and [_is_compared(term) for term in look.loss_terms].count(True) == 1
    ]
    if not looks or len(pairs) < len(looks) or not all(_answers(*pair) for pair in pairs):
        return None
    output, target = (torch.cat([pair[at] for pair in pairs]) for at in (0, 1))
    measure, reached, least = score_of_head(output, target)
    if reached is None or len(target) < MIN_SAMPLES:
        return None
    better = is_better(reached, least, len(target))
    return ChanceComparison(measure, reached, least, "samples of the last looks", better)


def _as_compared(look: Look, output: Tensor) -> Tensor:
    """The output as its loss compares it: logits go through a sigmoid within the loss, or before a
    loss of probabilities.
    """
    target, names = look.target, {term.name for term in look.loss_terms if _is_compared(term)}
    if target is None or not target.is_floating_point():
        return output
    outside = bool(((output < 0) | (output > 1)).any())
    of_logits = "binary_cross_entropy_with_logits" in names
    return (
        output.sigmoid() if of_logits or ("binary_cross_entropy" in names and outside) else output
    )


def _is_compared(term: LossTerm) -> bool:
    """Whether a term compares outputs with data, by a function or by a square."""
    squared = term.call is None and term.target == "data" and term.name in ("Pow", "Abs")
    return squared or purpose_of(term) == "error"


def _answers(output: Tensor, target: Tensor) -> bool:
    if target.is_floating_point():
        return output.numel() == target.numel() and bool(output.isfinite().all())
    return output.ndim == target.ndim + 1 and outputs_fit(tuple(output.shape), target)


def mean_of_density(case: Case) -> ChanceComparison | None:
    """The r2 of the means that a network gives beside widths, for a loss that is a density of
    numbers that are data.
    """
    output, target = case.train_outputs, targets_of(case.examples)
    names = {term.name for look in case.looks[:8] for term in look.loss_terms}
    if not names & {"gaussian_nll_loss", "Normal.log_prob", "Laplace.log_prob"}:
        return None
    if output is None or target is None or not target.is_floating_point() or case.bootstrapped:
        return None
    if len(target) < MIN_SAMPLES or output.numel() != 2 * target.numel() or output.ndim != 2:
        return None
    halves = (*output.chunk(2, 1), output[:, ::2])
    scores = [r2(half.reshape(target.shape), target) for half in halves]
    best = max((score for score in scores if score is not None), default=None)
    if best is None:
        return None
    return ChanceComparison("r2 of the means", best, 0.0, "training samples", best > SCORE)


def retrieval(case: Case) -> ChanceComparison | None:
    """How often most of the nearest codes have the class of a sample, against how often its nearest
    inputs do. A network that has drawn nothing near that belongs together loses what was there.
    """
    examples, codes = case.examples, case.train_outputs
    target = targets_of(examples)
    if case.loss_is_error or examples is None or codes is None or target is None:
        return None
    x = examples[0]
    if not isinstance(x, Tensor) or not x.is_floating_point() or target.is_floating_point():
        return None
    if codes.ndim != 2 or codes.shape[1] < 2 or target.ndim != 1 or len(codes) != len(target):
        return None
    few = torch.linspace(0, len(codes) - 1, min(MAX_CODES, len(codes))).long()
    classes = class_indices(target[few]).unique(return_inverse=True)[1]
    counts = classes.bincount()
    if len(few) < 5 * MIN_SAMPLES or len(counts) < 2 or len(counts) > len(few) / 5:
        return None
    least = float(counts.max() / counts.sum())
    reached, of_inputs = (_neighbours_agree(v[few].flatten(1), classes) for v in (codes, x))
    if of_inputs - least < 0.3 * (1 - least):
        return None  # what belongs together is not near in the inputs: these say nothing
    least += OF_INPUTS * (of_inputs - least)
    return ChanceComparison(
        "retrieval by the nearest codes",
        reached,
        least,
        "training samples",
        reached > least,
        f"a third of what the nearest inputs tell ({of_inputs:.3g})",
    )


def places_in_batch(case: Case) -> ChanceComparison | None:
    """The loss of codes that are to find their partner among those of the batch, by a cross-entropy
    whose classes are the places there: alike logits for all have the logarithm of their number.
    """
    looks = [look for look in case.looks if look.loss_terms]
    if len(looks) < 2 or not case.losses:
        return None
    ignorant = []
    for look in looks:
        terms = [term for term in look.loss_terms if term.name != "penalty"]
        calls = [look.calls[t.call] for t in terms if t.call is not None]
        shapes = [call.shapes.get("input", ()) for call in calls]
        known = all(t.target == "positions" and t.name == "cross_entropy" for t in terms)
        if not known or len(calls) < len(terms) or any(len(s) != 2 or s[1] < 2 for s in shapes):
            return None
        if len(look.loss_terms) > len(terms) or any(t.factor is None for t in terms):
            return None
        ignorant.append(
            math.fsum(
                (t.factor or 0.0) * math.log(s[1]) for t, s in zip(terms, shapes, strict=True)
            )
        )
    least = ignorant[-1]
    if not least > 0 or max(ignorant) > (1 + SCORE) * min(ignorant):
        return None
    few = [value for _, value in case.losses[-max(len(case.losses) // 20, 5) :]]
    reached = statistics.fmean(few)
    by = "the same code for all"
    better = reached < (1 - SCORE) * least
    return ChanceComparison("loss", reached, least, "its last steps", better, by)


def _neighbours_agree(points: Tensor, classes: Tensor) -> float:
    points = points.detach().cpu().double()
    if not bool(points.isfinite().all()):
        return 0.0
    points = points + 1e-9 * torch.randn(
        points.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    votes = classes.cpu()[nearest_samples(points, NEIGHBOURS)].mode(1).values
    return float((votes == classes.cpu()).double().mean())


def accuracy_of_evaluations(case: Case) -> ChanceComparison | None:
    """The share of right answers in a script's own evaluations; None where it is no better than an
    ignorant one's in the last and was once, or was asked for too seldom.
    """
    least, notes = case.baseline_score, case.observation.notes
    scores = [s for _, _, s in case.observation.evaluations if s is not None and math.isfinite(s)]
    if not notes.get("script") or least is None or not scores:
        return None
    if case.task not in ("binary", "multiclass"):
        return None
    enough = least + SCORE * (1 - least)
    better = scores[-1] > enough
    if not better and (len(scores) < MIN_EVALUATIONS or max(scores) > enough):
        return None
    return ChanceComparison("accuracy", scores[-1], least, "the script's own evaluation", better)


def reported_score(case: Case, any_loss: bool = False) -> ChanceComparison | None:
    """The score that the loop reports at the end against that at the start, for losses whose curve
    says nothing, or for `any_loss`.
    """
    scores = [score for _, score in case.observation.scores if math.isfinite(score)]
    if len(scores) < MIN_REPORTS or (case.loss_is_error and not any_loss):
        return None
    few = max(len(scores) // 20, 5)
    before, rest, after = scores[:few], scores[few:], scores[-(len(scores) // 4) :]
    if min(scores) >= 0 and max(scores) <= 1 and statistics.fmean(after) > GOOD:
        return None
    spread = statistics.stdev(rest)
    first, end = statistics.fmean(before), statistics.fmean(after)
    noise = spread * math.sqrt(1 / few + 1 / len(after))
    trend = (
        statistics.correlation(scores, list(range(len(scores)))) * math.sqrt(len(scores))
        if statistics.stdev(scores) > 0
        else 0.0
    )
    parts = [rest[i : i + few] for i in range(0, len(rest) - few + 1, few)]
    best = max(statistics.fmean(part) for part in parts)
    rose = end - first > RISES * noise or trend > RISES
    rose = rose or best - first > (RISES + 1.5) * spread * math.sqrt(2 / few)
    return ChanceComparison("reported score", end, first, "the last quarter", rose, "the start")
