"""input_not_used: the answers do not depend on the input, or not on a part of it.

As where a mask lets nothing through, a wrong variable goes on, or the step of a sequence is read
that has seen nothing yet. Measured: whether another sample's input, one of several inputs, or a
stretch of a sequence, moves any answer at all in evaluation mode; and whether it does with weights
that are drawn anew, so that the structure is to blame, and not what the training made of it. And
the spread of the answers between samples; and whether what is not used tells more of the targets
than what the last layer reads. Source: an answer that ignores the input is the baseline
of every score.

Remedies: follow the input through `forward` to where it is lost: masks (True blocks in PyTorch's
attention masks, and lets pass in `scaled_dot_product_attention`), indices, variables. Silent on:
networks whose answers became alike in training; parts of the input that a network that learns well
does without; columns of a table where a simple model, which sees them, does no better; labels
among the inputs.
"""

from __future__ import annotations

import torch

from sevensteps.doctor.asking import TARGETS, main_target, only_tensor
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import layer_label, learned_enough, significant
from sevensteps.doctor.questions.another_input import (
    ALIKE,
    AnotherInput,
    another_input,
    input_name,
)
from sevensteps.doctor.questions.missed_part import MissedPart, missed_part
from sevensteps.doctor.questions.padding_mask import padding_mask
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.observe.structure import tensors_of

STEP = "predict"
EXPLAINS = (
    "underfitting",
    "overfitting",
    "stopped_early",
    "too_small",
    "learning_rate_too_low",
    "learning_rate_too_high",
    "labels_unrelated",
    "label_noise",
    "batch_too_small",
    "vanishing_gradient",
    "signal_vanishes",
    "ill_conditioned",
    "class_imbalance",
    "inputs_unscaled",
    "symmetric_units",
    "parameters_not_updated",
    "not_shuffled",
)
POOR = 0.5  # skill, below which a part that is not used is missed
GOOD = 0.9  # skill, from which on nothing is missed
TELLS = 0.1  # of a linear model's score, that a part which is not used adds
AHEAD = 0.1  # of the score, of a simple model that sees all columns
SEQUENCE = 4  # steps, fewer whole numbers are columns, each looked up in its own table
BLOCKED = 0.9  # of the words, by a mask that is to block the padding
MOST = 0.5  # of a sequence that moves no answer


def examine(case: Case) -> Finding | None:
    answers = another_input(case)
    if answers is None:
        return None
    if not learned_enough(case, GOOD) and (finding := _words_blocked(case)) is not None:
        return finding
    if answers.spread <= ALIKE and answers.redrawn <= ALIKE:
        return _nothing_used(case, answers)
    if not case.loss_is_error or case.skill is None:
        return None
    if case.skill > POOR:
        return None if learned_enough(case, GOOD) else _missed(case, answers)
    unused = [path for path in answers.unused if not _is_aside(case, path)]
    if unused and len(unused) < len(answers.parts):
        return _input_unused(unused, answers)
    reached = [at for at, moves in answers.places.items() if moves]
    blocked = [at for at, moves in answers.places.items() if not moves]
    steps = sum(last - first + 1 for first, last in blocked)
    if reached and steps >= MOST * answers.length:
        if not _is_table(case) and answers.length >= SEQUENCE:
            return _places_unused(reached, steps, answers)
        if answers.length < SEQUENCE or worse_than_simple_model(case, AHEAD):
            return _columns_unused(blocked, steps, answers)
    return _missed(case, answers)


def _missed(case: Case, answers: AnotherInput) -> Finding | None:
    """What moves no answer, whatever the weights are, and tells more of the targets than the
    network knows.
    """
    unused = [path for path in answers.unused if not _is_aside(case, path)]
    for path in unused if len(unused) < len(answers.parts) else []:
        missed = missed_part(case, path)
        if missed is not None and missed.with_it - missed.without > TELLS:
            return _with_gain(_input_unused([path], answers), missed)
    blocked = tuple(at for at, moves in answers.places.items() if not moves)
    if not blocked or len(blocked) == len(answers.places):
        return None
    missed = missed_part(case, answers.path, blocked)
    if missed is None or missed.with_it - missed.without <= TELLS:
        return None
    steps = sum(last - first + 1 for first, last in blocked)
    if _is_table(case):
        return _with_gain(_columns_unused(list(blocked), steps, answers), missed)
    reached = [at for at, moves in answers.places.items() if moves]
    return _with_gain(_places_unused(reached, steps, answers), missed)


def _with_gain(finding: Finding, missed: MissedPart) -> Finding:
    finding.confidence = 0.9
    finding.explanation += (
        " Beside what the network makes of the rest, it would tell more of the targets: a linear "
        f"model of both reaches {missed.with_it:.3g}, of the rest alone {missed.without:.3g}."
    )
    finding.evidence.append(
        Measure(
            "score of a linear model of the last layer's inputs, with what is not used and without",
            f"{missed.with_it:.3g}, {missed.without:.3g}",
            f"less than {TELLS:g} apart",
            "cross-validated",
        )
    )
    return finding


def _nothing_used(case: Case, answers: AnotherInput) -> Finding:
    lost = f", from {layer_label(answers.layer)} on" if answers.layer else ""
    return _finding(
        "error" if case.loss_is_error else "warning",
        0.95,
        f"Different inputs get the same answer{lost}: between {answers.samples} samples the "
        f"answers spread by {significant(answers.spread, 2):g} of their size, and with weights "
        f"drawn anew by {significant(answers.redrawn, 2):g}. No training can change that: the "
        "input is lost on its way, as by a mask that lets nothing through, or a wrong variable.",
        Measure(
            "spread of the answers between samples, relative to their size",
            significant(answers.spread),
            f"above {ALIKE:g}",
            f"{answers.samples} samples, in evaluation mode, also with new weights",
        ),
        {"layers": [answers.layer]} if answers.layer else {},
    )


def _words_blocked(case: Case) -> Finding | None:
    """A mask of padding with its meaning turned round: it blocks the words."""
    mask = padding_mask(case)
    if mask is None or mask.words < BLOCKED or mask.padding > 1 - BLOCKED:
        return None
    return _finding(
        "error",
        0.93,
        f"The mask that {layer_label(mask.layer)} is called with blocks {mask.words:.0%} of the "
        f"words and {mask.padding:.0%} of the padding after them: attention reads the padding and "
        "nothing else.",
        Measure(
            "share of the words that the mask of padding blocks",
            significant(mask.words),
            0,
            "the training data, where they end in padding",
        ),
        {"layers": [mask.layer]},
    )


def _input_unused(unused: list[str], answers: AnotherInput) -> Finding:
    names = " and ".join(input_name(path) for path in unused)
    return _finding(
        "warning",
        0.8,
        f"The answers do not depend on {names}: another sample's in its place moves none of "
        f"{answers.samples} answers, not with new weights either, and the network does not learn "
        "well without it.",
        Measure(
            f"answers that move with {names}",
            0,
            answers.samples,
            "another sample's in its place, in evaluation mode",
        ),
        {"inputs": unused},
    )


def _places_unused(reached: list[tuple[int, int]], steps: int, answers: AnotherInput) -> Finding:
    first, last = reached[0][0] + 1, reached[-1][1] + 1
    return _finding(
        "warning",
        0.8,
        f"Of {answers.length} steps of the input, {steps} move no answer, whatever the weights "
        f"are; what counts lies in the steps {first} to {last}. Is the right step read, and does "
        "the mask let the others through?",
        Measure(
            "steps of the input that move an answer",
            answers.length - steps,
            answers.length,
            "another sample's in their place, in evaluation mode",
        ),
        {"steps": [first, last]},
    )


def _columns_unused(blocked: list[tuple[int, int]], steps: int, answers: AnotherInput) -> Finding:
    columns = ", ".join(
        f"{first + 1} to {last + 1}" if first < last else f"column {first + 1}"
        for first, last in blocked
    )
    looked_up = answers.length < SEQUENCE
    missed = (
        "and the network does not learn well without"
        if looked_up
        else "and a simple model that sees them all does better"
    )
    return _finding(
        "warning",
        0.85,
        f"Of {answers.length} columns of the input, {steps} move no answer, whatever the weights "
        f"are ({columns}), {missed}. Is one part of the input read twice, and another never?",
        Measure(
            "columns of the input that move an answer",
            answers.length - steps,
            answers.length,
            "another sample's in their place, in evaluation mode",
        ),
        {"columns": [place for first, last in blocked for place in (first, last)]},
    )


def _is_table(case: Case) -> bool:
    """Whether the input is one tensor of samples by columns, of no whole numbers."""
    x = None if case.examples is None else only_tensor(case.examples[0])
    return x is not None and x.ndim == 2 and x.is_floating_point()


def _is_aside(case: Case, path: str) -> bool:
    """Whether an input is no part of the question: labels, numbers of samples."""
    if path.rpartition(".")[2] in TARGETS or case.examples is None:
        return True
    tensor = tensors_of(case.examples[0]).get(path)
    target = main_target(case.examples[1])
    if tensor is None or (target is not None and torch.equal(tensor, target)):
        return True
    whole = not tensor.is_floating_point() and tensor.dtype != torch.bool
    return whole and tensor.ndim == 1 and len(tensor.unique()) == len(tensor)


def _finding(
    severity: str, confidence: float, explanation: str, evidence: Measure, where: dict[str, object]
) -> Finding:
    return Finding(
        "input_not_used",
        STEP,
        "error" if severity == "error" else "warning",
        confidence,
        explanation,
        [evidence],
        [
            Remedy(
                {},
                "nothing is learned from what does not arrive",
                "print where the tensors in forward() stop to differ between samples; in "
                "attn_mask of nn.MultiheadAttention True blocks, in "
                "scaled_dot_product_attention it lets pass",
            )
        ],
        where,
    )
