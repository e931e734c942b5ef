"""target_in_input: the answer stands among the inputs, so that it is copied and not predicted.

As where a causal mask is missing, labels are not shifted by a step, or a column of a table is the
target in other words. Measured: of a network that is to predict the next step of its own input,
whether the answer at a place moves with the inputs after it, in evaluation mode; whether targets
are the very inputs at the same place; whether another input, or a column, is the target, or columns
are marks of the classes; whether one column tells nearly all of it, and all others together far
less; whether noise is a difference of two inputs, or a code is to be told by its likeness to
itself. Source: Vaswani et al. 2017, Attention is all you need, section 3.2.3; Kaufman et al. 2012,
Leakage in data mining.

Remedies: a causal mask; inputs `tokens[:, :-1]` and targets `tokens[:, 1:]`; leave the column out.
Silent on: networks that read in both directions, where the target is no later input;
autoencoders; values of a series, which a recurrent layer may have to remember; a single column that
a target is computed from, beside others that tell nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.asking import main_target
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.likest_to_itself import likest_to_itself
from sevensteps.doctor.measures import learned_enough, significant, weight_layers
from sevensteps.doctor.questions.another_input import another_input, input_name
from sevensteps.doctor.questions.later_inputs import LaterInputs, later_inputs
from sevensteps.doctor.relation import relation
from sevensteps.doctor.simple_models import (
    classification_score,
    regression_score,
    standardized_table,
)
from sevensteps.doctor.subtracted_noise import subtracted_noise
from sevensteps.doctor.telling_columns import (
    columns_above,
    copies,
    explained_shares,
    is_one_to_one,
    marks_of_classes,
)
from sevensteps.observe.structure import first_tensor, tensors_of

STEP = "repeat"
EXPLAINS = ("overfitting", "train_valid_mismatch", "output_overconfident", "class_imbalance")
MOVED = 1e-3  # of the spread of the answers
ROWS = 64  # of a table, fewer say nothing
COLUMNS = 3  # of a table, fewer may be the target's own
MARKED, FEWEST = 24, 5  # samples, and of each class, whose marks are no accident
COPIED = 0.9  # skill of a network that has the answer
TELLS_NUMBERS = 0.998  # of the variance of a target, that one column explains
MARKED_ELSEWHERE = 0.5  # of the samples without targets, that a mark of the class may stand in
NO_CLASS = 0.4  # of 1 / classes², the variance of a column that the classes leave unexplained
EXACTLY, FAILS = 0.9999, 0.2  # R² of a sum that is the target; by how much less it is elsewhere
OTHERS = (0.1, 0.9)  # skill of a simple model without that column


def examine(case: Case) -> Finding | None:
    if case.before_training:
        return None
    for answers in later_inputs(case):
        if answers.target == "next" and answers.after > MOVED:
            return _looks_ahead(answers)
        least = min(answers.own, answers.before)
        if answers.target == "same" and answers.after <= MOVED < least:
            return _not_shifted(answers)
    return (
        _labels(case)
        or _column(case)
        or _telling_column(case)
        or _marks(case)
        or _sum_of_columns(case)
        or _noise(case)
        or likest_to_itself(case)
    )


def _noise(case: Case) -> Finding | None:
    """Noise that is to be guessed, beside what it was added to."""
    seen = case.observation
    inputs, targets = case.examples or (seen.inputs, seen.targets)
    y = None if targets is None else main_target(targets)
    if inputs is None or y is None or not case.loss_is_error:
        return None
    if not isinstance(inputs, Tensor | tuple | list | dict):
        inputs = (inputs.args, inputs.kwargs)
    parts = subtracted_noise(tensors_of(inputs).values(), y)
    if parts is None:
        return None
    return _finding(
        "error",
        0.9,
        "The targets are noise, and in each sample a weighed sum of two parts of the inputs is the "
        "target exactly: the noisy numbers, and those that the noise was added to. The network "
        "only has to subtract; where it is to be used, there are no clean numbers.",
        Measure("samples whose target is a sum of two inputs", len(y), 0, "least squares"),
        "leave the clean numbers out of what the network is called with, or give its own guess",
        {"parts": list(parts)},
    )


def _sum_of_columns(case: Case) -> Finding | None:
    """Columns whose weighed sum is the target in the training data, and is not elsewhere."""
    train, valid = case.scores.get("train"), case.scores.get("valid")
    if train is None or valid is None or train < COPIED or train - valid < FAILS:
        return None
    lines = relation(case)
    if lines is None or lines.train < EXACTLY or lines.train - lines.valid < FAILS:
        return None
    return _finding(
        "error",
        0.9,
        f"In the training data a weighed sum of the inputs is the target exactly (R² "
        f"{lines.train:.6f} of a straight line, fitted to the other half); in the validation data "
        f"it is {lines.valid:.3g}. A number like that was computed with the target, as a mean over "
        "hours to come: where the target is not known yet, it is another.",
        Measure(
            "R² of the training targets by a straight line",
            significant(lines.train, 6),
            f"{significant(lines.valid):g}, as in the validation data",
            "least squares, halves of the training data against each other",
        ),
        "compute inputs from what is known before the target: rolling means that end before it, "
        "never centred ones; statistics of a group without the sample itself",
        {},
    )


def _looks_ahead(answers: LaterInputs) -> Finding:
    place = answers.place + 1
    return _finding(
        "error",
        0.95,
        f"The output at position {place} changes with the inputs after it (by "
        f"{significant(answers.after, 2):g} × the spread of the outputs there), and the target at "
        f"a position is the next input: the network copies what it is to predict. It will fail "
        "where the next input is not there yet.",
        Measure(
            f"how far the output at position {place} of {answers.length} moves with the inputs "
            "after it, in spreads",
            significant(answers.after),
            0,
            "another sample's inputs there, in evaluation mode",
        ),
        "mask the future: mask=nn.Transformer.generate_square_subsequent_mask(T), is_causal=True "
        "in scaled_dot_product_attention, a recurrent layer in one direction, convolutions padded "
        "on the left only",
        {"positions": [place]},
    )


def _not_shifted(answers: LaterInputs) -> Finding:
    return _finding(
        "error",
        0.85,
        "The target at a position is the input at the same position, which the output there "
        f"depends on (by {significant(answers.own, 2):g} × the spread of the outputs): the "
        "network, which reads from left to right, only has to copy. Labels of a model of "
        "sequences are the inputs shifted by a step.",
        Measure(
            "how far an output moves with the input that is its target, in spreads",
            significant(answers.own),
            0,
            "another sample's input there, in evaluation mode",
        ),
        "inputs tokens[:, :-1] and targets tokens[:, 1:]",
        {"positions": [answers.place + 1]},
    )


def _labels(case: Case) -> Finding | None:
    """One of several inputs that is the class to be told, and moves the answers."""
    if case.examples is None or not case.loss_is_error:
        return None
    inputs, y = tensors_of(case.examples[0]), main_target(case.examples[1])
    if len(inputs) < 2 or y is None or y.ndim != 1 or y.is_floating_point():
        return None
    labels = [path for path, x in inputs.items() if _tells_classes(x, y)]
    answers = another_input(case) if labels else None
    if answers is None:
        return None
    used = [path for path in labels if path in answers.parts and path not in answers.unused]
    if not used:
        return None
    return _finding(
        "error",
        0.9,
        f"{input_name(used[0]).capitalize()} is the target itself, or its classes by other names, "
        "and the answers move with it: the network has to copy what it is to predict.",
        Measure(
            "samples whose target is among their inputs",
            answers.samples,
            0,
            "and another sample's in its place moves the answers",
        ),
        f"leave {input_name(used[0])} out of what the network is called with",
        {"inputs": used},
    )


def _tells_classes(x: Tensor, y: Tensor) -> bool:
    """Whether an input, of classes or of a row of marks for each, is the target in other names."""
    if x.ndim == 2 and len(x) == len(y) and x.shape[1] > 1:
        marked = x != 0
        x = x.argmax(1) if bool((marked.sum(1) == 1).all()) else x
    if x.numel() != len(y) or len(x) != len(y):
        return False
    x = x.reshape(-1)
    if torch.equal(x, y):
        return True
    return len(y.unique()) * FEWEST <= len(y) and len(y) >= ROWS and is_one_to_one(x, y)


def _column(case: Case) -> Finding | None:
    """A column of a table that is the target, to a scale and a shift, or by other names of the
    classes; where the network has learned it.
    """
    if case.sample is None or not case.loss_is_error or case.skill is None or case.skill < COPIED:
        return None
    x, y = case.sample[0], main_target(case.sample[1])
    if not _reads_columns(case, x.shape[-1]):
        return None  # a value of a series may be what is to be remembered
    if y is None or x.ndim != 2 or len(x) < ROWS or x.shape[1] < COLUMNS or len(x) != len(y):
        return None
    same = copies(x.double(), y) if y.numel() == len(y) else []
    if not same:
        return None
    column = same[0]
    return _finding(
        "warning",
        0.85,
        f"Column {column} of the inputs is the target, in other numbers: in {len(x):,} samples "
        "each follows from the other. The network has to copy it, and what it scores says nothing "
        "of inputs without the target.",
        Measure(
            f"samples in which column {column} tells the target exactly",
            len(x),
            "none, where the target is to be predicted",
            f"{len(x):,} samples",
        ),
        f"leave column {column} out of the inputs",
        {"columns": same},
    )


def _marks(case: Case) -> Finding | None:
    """Columns of marks, one for each class, that are set for the class of the sample: in the inputs
    as they were fed, also where only the first of them have targets, as the nodes of a graph.
    """
    if not case.loss_is_error or not learned_enough(case, COPIED):
        return None
    inputs, y = _fed(case)
    if inputs is None or y is None or y.ndim != 1 or y.is_floating_point() or inputs.ndim != 2:
        return None
    count = min(len(inputs), len(y))
    x, classes = inputs[:count], y[:count].unique(return_inverse=True)[1]
    counts = classes.bincount()
    if count < MARKED or x.shape[1] <= len(counts) or len(counts) < 2 or int(counts.min()) < FEWEST:
        return None
    marks = [column for column in marks_of_classes(x.double(), classes) if column >= 0]
    if len(set(marks)) < len(counts) - 1:
        return _marks_of_known(x, classes, inputs[len(y) :])
    some = f"all {count:,} samples whose targets are known"
    return _finding(
        "warning",
        0.85,
        f"Columns {', '.join(map(str, sorted(set(marks))))} of the inputs are marks of the classes "
        f"that are to be told, each set for one of them, in {some}. The network has to copy them, "
        "and what it learns says nothing of samples whose class is not known yet.",
        Measure(
            "samples in which these columns tell the target exactly",
            count,
            "none, where the target is to be predicted",
            "inputs as they were fed",
        ),
        "leave these columns out of the inputs; of neighbours, give the marks of the others only",
        {"columns": sorted(set(marks))},
    )


def _marks_of_known(x: Tensor, classes: Tensor, others: Tensor) -> Finding | None:
    """Columns that tell the class of each sample with a known target, being larger for it than for
    all the rest, and are that large in few samples without one.
    """
    columns = columns_above(x.double(), classes)
    if not columns or len(others) < MARKED:
        return None
    as_large = torch.stack([others[:, column] > limit for column, limit in columns], 1)
    share = float(as_large.any(1).double().mean())
    if share > MARKED_ELSEWHERE:
        return None
    named = sorted(column for column, _ in columns)
    return _finding(
        "warning",
        0.85,
        f"Columns {', '.join(map(str, named))} of the inputs tell the class of all {len(x):,} "
        "samples whose targets are known, each being larger for one class than for all others; of "
        f"the {len(others):,} without a target only {share:.0%} have such a number. They were "
        "computed with the sample's own target, which the network has to copy.",
        Measure(
            "samples without a target that these columns tell as they tell those with one",
            significant(share),
            1,
            "inputs as they were fed",
        ),
        "compute what a sample hears of known classes without its own: no edge of a node to "
        "itself, no mean of a group with the sample in it",
        {"columns": named},
    )


def _fed(case: Case) -> tuple[Tensor | None, Tensor | None]:
    """Inputs and targets as they were fed, in the same order; the targets perhaps of the first
    alone, or of those whose answers were picked by an index or a mask.
    """
    if case.sample is not None:
        return case.sample[0], main_target(case.sample[1])
    inputs = getattr(case.observation, "inputs", None)
    x = first_tensor((inputs.args, inputs.kwargs)) if inputs else None
    y = first_tensor(getattr(case.observation, "targets", None))
    if x is None or y is None or not y.ndim:
        return None, None
    for look in case.looks[:1]:
        for call in look.calls:
            places = call.content.get("index.first")
            if places is not None and call.shapes.get("input") == look.shapes.get("output"):
                some = torch.tensor(places[: len(y)])
                return x[some[some < len(x)]], y[: len(some)][some < len(x)]
    return x, y


def _reads_columns(case: Case, columns: int) -> bool:
    """Whether the first layer with weights takes all columns at once, as of a table."""
    layers = weight_layers(case)
    if not layers or layers[0][0].kind not in ("Linear", "LazyLinear", "Neuron"):
        return False
    return case.facts.parameters[layers[0][1]].shape[-1] == columns


def _telling_column(case: Case) -> Finding | None:
    """A column that tells nearly all of the target, beside others that tell some of it."""
    if case.sample is None or not case.loss_is_error or case.skill is None or case.skill < COPIED:
        return None
    table, least = standardized_table(case), case.baseline_score
    if table is None or case.sample[0].ndim != 2 or least is None:
        return None
    x, y = table
    if len(x) < ROWS or x.shape[1] < COLUMNS or x.shape[1] != case.sample[0].shape[1]:
        return None
    explained = explained_shares(x, y)
    column = int(explained.argmax())
    classes = 0 if y.is_floating_point() else len(y.unique())
    enough = 1 - NO_CLASS / classes**2 if classes > 1 else TELLS_NUMBERS
    if explained[column] < enough:
        return None
    rest = torch.cat([x[:, :column], x[:, column + 1 :]], 1)
    score = classification_score(rest, y) if classes else regression_score(rest, y)
    others = None if score is None else (score - least) / (1 - least)
    if others is None or not OTHERS[0] <= others <= OTHERS[1]:
        return None
    return _finding(
        "warning",
        0.75,
        f"Column {column} of the inputs alone tells {100 * float(explained[column]):.3g} % of the "
        f"target's variance, and a simple model with all the others scores {score:.3g}. A column "
        "like that is often the target in other numbers, filled in once it is known: for new "
        "samples it is not there.",
        Measure(
            f"share of the variance that column {column} and the target have in common",
            significant(float(explained[column]), 4),
            f"below {significant(enough, 4):g}",
            f"{len(x):,} samples",
        ),
        f"ask when column {column} is known; leave it out if that is after the target",
        {"columns": [column]},
    )


def _finding(
    severity: str,
    confidence: float,
    explanation: str,
    evidence: Measure,
    advice: str,
    where: dict[str, object],
) -> Finding:
    return Finding(
        "target_in_input",
        STEP,
        "error" if severity == "error" else "warning",
        confidence,
        explanation,
        [evidence],
        [Remedy({}, "what is to be predicted must not be there to be read", advice)],
        where,
    )
