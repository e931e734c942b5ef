"""labels_unrelated: the targets have nothing to do with the inputs.

As when one of them was shuffled and the other was not. Measured: the agreement of nearest
neighbours, without any network: where targets follow from inputs, samples that lie near each other
agree more often than chance. Judged against the spread of that agreement for shuffled targets, and
only where neither the network nor a simple model does better than guessing. Source: Zhang et al.
2017, Understanding deep learning requires rethinking generalization. And exactly, where the
training data are known: rows that were fed with another target than these data have for them.

Remedies: check that inputs and targets are read, sorted and split together. Silent on: small
data; a network or a simple model that beats guessing by a tenth of the way; the pairs of steps with
several forward passes.
"""

from __future__ import annotations

import statistics

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import comparison
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant
from sevensteps.doctor.simple_models import nearest_samples, simple_model_score, standardized_table

STEP = "repeat"
EXPLAINS = (
    "underfitting",
    "overfitting",
    "stopped_early",
    "too_small",
    "learning_rate_too_low",
    "label_noise",
    "train_valid_mismatch",
    "batch_too_small",
    "class_imbalance",
    "inputs_unscaled",
    "targets_unscaled",
    "ill_conditioned",
    "dead_units",
)
SAMPLES = 100  # fewer say nothing
SIGMAS = 3.0  # above chance that related targets show
SHUFFLES = 50  # of the targets, to see what chance does


MISMATCHED = 0.2  # agreement of targets fed with those of the data: 0 is chance, 1 all
KNOWN = 0.9  # share of the inputs, and of the targets, that the data have, too


def examine(case: Case) -> Finding | None:
    return _fed_apart(case) or _unrelated(case)


def _fed_apart(case: Case) -> Finding | None:
    """Inputs and targets that belong together in the data, but were fed in other pairs.

    In a step of several forward passes the targets may be those of any of them, as where gradients
    are accumulated.
    """
    if any(look.passes > 1 for look in case.looks):
        return None
    compared = None if case.before_training else comparison(case)
    if (
        compared is None
        or min(compared.known, compared.known_targets) < KNOWN
        or not compared.pairs < MISMATCHED
    ):
        return None
    return Finding(
        "labels_unrelated",
        STEP,
        "error",
        0.97,
        "The batches that were trained on hold inputs and targets of the training data, but not "
        f"in their pairs: of {compared.rows:,} rows looked up, the targets agree with those of "
        "the data no more than chance has it. Inputs and targets were shuffled or read apart from "
        "each other, as by two loaders that each draw an order of their own.",
        [
            Measure(
                "agreement of the targets fed with those of the data, 0 by chance",
                significant(compared.pairs),
                1,
                f"hashes of {compared.rows:,} rows",
            )
        ],
        [
            Remedy(
                {},
                "inputs and targets have to come from one order",
                "one loader over both: DataLoader(TensorDataset(x, y), shuffle=True)",
            )
        ],
        {},
        0,
    )


def _unrelated(case: Case) -> Finding | None:
    if case.before_training or case.task not in ("binary", "multiclass", "regression"):
        return None
    if not case.loss_is_error:
        return None  # then the targets need not be answers to the inputs
    reached = case.scores.get("valid", case.scores.get("train"))
    chance = case.baseline_score
    if reached is None or chance is None or reached - chance > 0.1 * (1 - chance):
        return None
    table = standardized_table(case, 600)
    if table is None or len(table[0]) < SAMPLES:
        return None
    x, y = table
    agreement = case.of_data("agreement of neighbours", lambda: _agreement(x, y))
    if agreement > SIGMAS:
        return None
    simple = simple_model_score(case)
    if simple is not None and simple - chance > 0.1 * (1 - chance):
        return None
    return Finding(
        "labels_unrelated",
        STEP,
        "error",
        0.85,
        "Samples that lie next to each other agree in their targets no more than shuffled "
        f"targets would ({agreement:.1f} standard "
        "deviations from chance), and what the network has learned does not carry over "
        f"({reached:.3g}, where guessing reaches "
        f"{chance:.3g}). Inputs and targets were probably shuffled or sorted apart from each "
        "other.",
        [
            Measure(
                "agreement of nearest neighbours, in standard deviations from chance",
                significant(agreement),
                f"above {SIGMAS:g}",
                f"{SHUFFLES} shuffles",
            ),
            Measure(
                "score", significant(reached), f"above {chance:.3g}", "validation, else training"
            ),
        ],
        [
            Remedy(
                {},
                "a pattern can only be learned where there is one",
                "check that inputs and targets are read, sorted and split together",
            )
        ],
        {},
        0,
    )


def _agreement(x: Tensor, y: Tensor) -> float:
    """How much more the nearest neighbours agree than shuffled targets do, in standard deviations
    of the latter.
    """
    nearest = nearest_samples(x, 4)
    generator = torch.Generator().manual_seed(0)

    def agree(t: Tensor) -> float:
        if not t.is_floating_point():
            return float((t[nearest] == t[:, None]).double().mean())
        centred = (t - t.mean(0)).reshape(len(t), -1)
        return float((centred[nearest] * centred[:, None]).mean())

    shuffled = [agree(y[torch.randperm(len(y), generator=generator)]) for _ in range(SHUFFLES)]
    spread = statistics.pstdev(shuffled) or 1e-12
    return (agree(y) - statistics.fmean(shuffled)) / spread
