"""mode_mismatch: dropout, batch norm or noise ran in the wrong mode, training or evaluation.

They compute something else in each mode; in the wrong one they learn or judge wrongly. Measured:
the mode in which steps were taken; forward passes without gradients that ran in training mode; how
far the scores in the two modes lie apart on the same data; whether dropout that evaluation mode
does not stop, called as a function, makes a trained network answer the same question in two ways;
and by how much the mean of some answers is better than one, where other noise does.
Source: Ioffe, Szegedy 2015; Srivastava et al. 2014.

Remedies: `model.train()` before training, `model.eval()` before every evaluation;
`F.dropout(x, p, training=self.training)`; batches of at least 8 for batch norm. Silent on: networks
that are the same in both modes; numbers that a network draws beside a divergence or another term of
the loss, as of a distribution; what is to come through noise as it went in; dropout that is called
with training=True and costs little; running statistics that are no more than a few long steps
behind the weights.
"""

from __future__ import annotations

from typing import Any

import torch

from sevensteps.doctor.asking import ask, set_mode
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import significant
from sevensteps.doctor.pairs import Pair, subset, targets_of
from sevensteps.doctor.questions.twice import Twice, twice
from sevensteps.doctor.simple_models import targets_are_inputs
from sevensteps.observe.structure import rows, sample_count, to_device

STEP = "predict"
EXPLAINS = (
    "overfitting",
    "train_valid_mismatch",
    "underfitting",
    "batch_too_small",
    "learning_rate_too_high",
    "stopped_early",
    "learning_rate_too_low",
    "exploding_gradient",
    "class_imbalance",
    "dead_units",
    "saturated_units",
    "signal_vanishes",
    "signal_explodes",
    "inputs_unscaled",
)
APART = 0.15  # of the score between the modes
FOLLOWS = 0.05  # momentum; PyTorch's is 0.1, with which ten steps make them new for two thirds
MOST = 64  # samples of a batch, about, of which statistics are taken anew
WANDERS = 0.02  # of the spread of the answers, between two answers to one question
NOISE_COSTS = 0.05  # of the score, of noise in evaluation mode
COSTS_ON_PURPOSE = 0.05  # of the score, of dropout that is called with training=True


def examine(case: Case) -> Finding | None:
    return _examine_layers(case) or _examine_answers(case)


def _examine_answers(case: Case) -> Finding | None:
    """Dropout that works in evaluation mode, seen by two answers to one question."""
    answers = twice(case)
    if answers is None:
        return None
    if not answers.places:
        return _noise(case, answers)
    if answers.without_dropout > 0:
        return None
    better = None
    if answers.score is not None and answers.score_without is not None:
        better = answers.score_without - answers.score
    if answers.apart < WANDERS or (
        answers.on_purpose and (better is None or better < COSTS_ON_PURPOSE)
    ):
        case.ruled_out.append(
            ("mode_mismatch", "dropout works in evaluation mode, too, but costs little there")
        )
        return None
    places = ", ".join(answers.places[:3])
    costs = (
        f" It scores {answers.score:.3g} so, and {answers.score_without:.3g} without that dropout."
        if better is not None and better > 0
        else ""
    )
    return _finding(
        list(case.facts.dropouts),
        0.9,
        "Asked the same twice in evaluation mode, the network gives two answers, which lie "
        f"{significant(answers.apart, 2):g} × the spread of its answers apart: model.eval() does "
        f"not stop the dropout that is called at {places}.{costs}",
        [
            Measure(
                "difference of two answers to the same inputs, in spreads of the answers",
                significant(answers.apart),
                0,
                "in evaluation mode, with other random numbers; 0 without dropout",
            )
        ],
        "F.dropout(x, p, training=self.training), dropout_p=self.p if self.training else 0.0, or "
        "nn.Dropout as an attribute of the module (not in a plain list)",
        {"places": list(answers.places)},
    )


def _noise(case: Case, answers: Twice) -> Finding | None:
    """Noise of another kind in evaluation mode, which the mean of some answers is better without;
    of a network whose whole loss is the error of its answers.
    """
    terms = [term for look in case.looks[:8] for term in look.loss_terms]
    if not case.loss_is_error or not terms or any(purpose_of(t) != "error" for t in terms):
        return None
    if targets_are_inputs(case):
        return None  # without the noise there were nothing to learn
    if answers.score is None or answers.score_of_mean is None:
        return None
    gain = answers.score_of_mean - answers.score
    if answers.apart < WANDERS or gain < NOISE_COSTS:
        return None
    return _finding(
        [],
        0.8,
        "Asked the same twice in evaluation mode, the network gives two answers, which lie "
        f"{significant(answers.apart, 2):g} × the spread of its answers apart, and no dropout is "
        f"to blame: random numbers are drawn in forward(). One answer scores {answers.score:.3g}, "
        f"the mean of some {answers.score_of_mean:.3g}.",
        [
            Measure(
                "score of one answer in evaluation mode",
                significant(answers.score),
                significant(answers.score_of_mean),
                "the mean of some answers to the same inputs",
            )
        ],
        "noise for training only: `if self.training: h = h + torch.randn_like(h) * scale`",
        {},
    )


def _examine_layers(case: Case) -> Finding | None:
    layers = [*case.facts.norms, *case.facts.dropouts]
    if not layers or case.before_training or not case.looks:
        return None
    kind = "batch norm" if case.facts.norms else "dropout"
    evaluations = int(case.observation.notes.get("evaluations_training", 0))
    stepped = [look for look in case.looks if look.stepped]
    if stepped and not any(look.training for look in stepped):
        return _finding(
            layers,
            0.85,
            f"Every step was taken in evaluation mode, in which {kind} does not do its work; call "
            "model.train() "
            "before the steps.",
            [
                Measure(
                    "observed steps that were in training mode", 0, len(stepped), "model.training"
                )
            ],
            "model.train() before training, model.eval() before evaluation",
        )
    # networks that feed each other run without gradients in the midst of training
    if evaluations and case.loss_is_error:
        return _finding(
            layers,
            0.85,
            f"{evaluations} evaluation batches ran in training mode. There dropout leaves units "
            "out, and batch norm uses the statistics of the batch and changes its running ones: "
            "what was measured is not the network that predicts.",
            [
                Measure(
                    "evaluation batches in training mode",
                    evaluations,
                    0,
                    "forward passes without gradients",
                )
            ],
            "model.eval() before every evaluation, model.train() after it",
        )
    pair = case.part("valid") or case.examples
    pair = None if pair is None else subset(pair, case.sample_limit)
    if case.facts.norms and pair is not None and case.steps >= 20:
        truth = targets_of(pair)
        judged = case.score(case.outputs(pair), truth)
        trained = case.score(case.outputs(pair, training=True), truth)
        apart = judged is not None and trained is not None and trained - judged > APART
        if apart and judged is not None and trained is not None:
            behind = _once_caught_up(case, pair)
            if behind is not None and trained - behind < max(APART, trained - judged) / 2:
                case.ruled_out.append(
                    (
                        "mode_mismatch",
                        "the running statistics of batch norm are a few steps behind the weights, "
                        "and fit once these stand still",
                    )
                )
                return None
            return _finding(
                list(case.facts.norms),
                0.8,
                f"With the statistics of the batch the network scores {trained:.3g}, with the "
                f"running ones that evaluation uses {judged:.3g}: the running statistics of batch "
                "norm do not fit the data.",
                [
                    Measure(
                        "score in evaluation mode",
                        significant(judged),
                        significant(trained),
                        "the same data in training mode",
                    )
                ],
                "check momentum of the batch norm, batches of at least 8, and that no evaluation "
                "runs in training mode",
            )
    return None


def _once_caught_up(case: Case, pair: Pair) -> float | None:
    """The score on `pair` in evaluation mode with the running statistics that the present weights
    have on the training data; None where some statistics do not follow the weights in a few steps.
    """
    if case.examples is None:
        return None
    inputs = case.examples[0]
    count = sample_count(inputs)
    with case.network_copy(training=True) as network, torch.no_grad():
        if network is None:
            return None
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
        for name in case.facts.norms:
            norm: Any = network.get_submodule(name)
            momentum = getattr(norm, "momentum", 0.0)
            if momentum is None or momentum < FOLLOWS or not hasattr(norm, "reset_running_stats"):
                return None
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all batches
        order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        try:
            for chosen in order.chunk(max(count // MOST, 1)):
                ask(network, to_device(rows(inputs, chosen), device))
            set_mode(network, False)
            answer = case.answer_in(ask(network, to_device(pair[0], device)))
        except Exception:
            return None
    return case.score(None if answer is None else answer.cpu(), targets_of(pair))


def _finding(
    layers: list[str],
    confidence: float,
    explanation: str,
    evidence: list[Measure],
    advice: str,
    where: dict[str, Any] | None = None,
) -> Finding:
    return Finding(
        "mode_mismatch",
        STEP,
        "warning",
        confidence,
        explanation,
        evidence,
        [Remedy({}, "each layer then computes what it should in that mode", advice)],
        {"layers": layers} if where is None else where,
    )
