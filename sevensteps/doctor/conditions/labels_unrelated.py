"""labels_unrelated: the targets have nothing to do with the inputs.

As when one of them was shuffled and the other was not. Measured: the agreement of nearest
neighbours, without any network: where targets follow from inputs, samples that lie near each other
agree more often than chance. Judged against the spread of that agreement for shuffled targets, and
only where neither the network nor a simple model does better than guessing, and a linear model
explains no more of all targets than chance has it. Of rare classes all samples are compared, not
their share. Nor where one of several small models tells more than chance does, as of a pattern that
may stand anywhere in a signal or a text; of words, of numbers that are looked up, and of several
inputs, these alone are asked. Without a score the network's answers have to be at chance in another
measure. Source: Zhang et al. 2017, Understanding deep learning requires rethinking generalization.
And exactly, where the training data are known: rows that were fed with another target than these
data have for them. Of losses over rows: whether output and target were laid out in the same order.
Of masks: whether each is most like its picture where it lies on it.

Remedies: check that inputs and targets are read, sorted and split together. Silent on: small
data, or few samples but for one class; a network or a simple model that beats guessing by a tenth
of the way; the pairs of steps with several forward passes.
"""

from __future__ import annotations

import math
import statistics

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import comparison
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import learned_enough, significant
from sevensteps.doctor.overlay import overlay
from sevensteps.doctor.pairs import Pair, targets_of
from sevensteps.doctor.probes import TELLS, strongest_relation
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
ROWS = 20000  # that a linear model is fitted to
ROWS_COMPARED = 600  # with their neighbours
SAMPLES = 100  # fewer say nothing
OTHERS = 15  # samples of other classes than the most common; neighbours of fewer say nothing
SIGMAS = 3.0  # above chance that related targets show
BY_CHANCE = 1e-2  # probability of what neighbours and a linear model show of related targets
DISPLACED = 0.15  # share of the masks
SHUFFLES = 50  # of the targets, to see what chance does


ROWS_APART = "order.rows"  # of a call's content
MISMATCHED = 0.2  # agreement of targets fed with those of the data: 0 is chance, 1 all
KNOWN = 0.9  # share of the inputs, and of the targets, that the data have, too


def examine(case: Case) -> Finding | None:
    return _laid_out_apart(case) or _fed_apart(case) or _turned_apart(case) or _unrelated(case)


def _laid_out_apart(case: Case) -> Finding | None:
    """Outputs and targets that a loss takes in a row each, one of them by time first and the other
    by sample first.
    """
    if case.before_training or learned_enough(case, 0.9):
        return None
    apart = (call for look in case.looks[:8] for call in look.calls if ROWS_APART in call.content)
    if (call := next(apart, None)) is None:
        return None
    output, target = call.content[ROWS_APART]
    where = f" ({call.where})" if call.where else ""
    return Finding(
        "labels_unrelated",
        STEP,
        "error",
        0.95,
        f"{call.name}{where} compares outputs with the targets of others: both were laid out in a "
        f"row, the outputs from {output} and the targets from {target}, one with the samples first "
        "and the other with the time. The n-th output and the n-th target then belong to different "
        "samples.",
        [
            Measure(
                "order in which outputs and targets are laid out",
                f"outputs {output}",
                f"that of the targets, {target}",
                "PyTorch's graph from the loss to the output",
            )
        ],
        [
            Remedy(
                {},
                "each output is then compared with its own target",
                "give both the same order before they are flattened: output.transpose(0, 1), or "
                "target.t(), then reshape(-1)",
            )
        ],
        {},
        0,
    )


def _turned_apart(case: Case) -> Finding | None:
    """Masks that are like their pictures, but not where they lie on them."""
    if case.before_training or not case.loss_is_error or learned_enough(case, 0.9):
        return None
    answer = overlay(case)
    if answer is None or answer.displaced < DISPLACED or answer.turn:
        return None
    return Finding(
        "labels_unrelated",
        STEP,
        "error",
        0.93,
        f"{answer.displaced:.0%} of the masks that were trained with do not lie on their pictures: "
        "each is like its own picture, more than other masks are, but in another place or turned "
        "another way. Pictures and masks were turned, flipped, cropped or shifted by draws of "
        "their own.",
        [
            Measure(
                "share of the masks that are most like their picture in another place",
                significant(answer.displaced),
                0,
                f"correlations of {answer.pairs} pairs as they were fed, in all turns and shifts",
            )
        ],
        [
            Remedy(
                {},
                "the same draw has to turn both",
                "draw once for each sample and use it for picture and mask: "
                "torchvision.transforms.v2 with tv_tensors.Mask, or one albumentations call",
            )
        ],
        {},
        0,
    )


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
    reached = case.scores.get("valid", case.scores.get("train"))
    chance = case.baseline_score
    if reached is None or not case.loss_is_error:
        judgement = judge(case)
        if judgement.verdict != "chance" or not judgement.had_time:
            return None  # then the targets need not be answers to the inputs
        said = "; ".join(map(str, judgement.comparisons))
        measures = [
            Measure(one.measure, significant(one.reached), f"beyond {one.ignorant:.3g}", one.of)
            for one in judgement.comparisons
        ]
    elif chance is None or reached - _most_by_chance(case) > 0.1 * (1 - chance):
        return None
    else:
        said = f"{reached:.3g}, where guessing reaches {chance:.3g}"
        of = "validation, else training"
        measures = [Measure("score", significant(reached), f"above {chance:.3g}", of)]
    if case.sample is None or not case.sample[0].is_floating_point():
        return _without_relation(case, said, measures)
    table = standardized_table(case, ROWS_COMPARED, _with_rare_ones(case))
    if table is None or len(table[0]) < SAMPLES:
        return None
    x, y = table
    if not y.is_floating_point() and len(y) - int(y.bincount().max()) < OTHERS:
        return None
    agreement = case.of_data("agreement of neighbours", lambda: _agreement(x, y))
    if agreement > SIGMAS:
        return None
    chance_of_relation = case.of_data("linear relation", lambda: _linear_relation(case))
    if chance_of_relation is not None and _together(agreement, chance_of_relation) < BY_CHANCE:
        return None  # weakly, or of a rare class
    relation = strongest_relation(case)
    if relation is not None and relation > TELLS:
        return None  # by what may stand anywhere in a sample, of which neighbours know nothing
    simple = simple_model_score(case) if relation is None else None
    if simple is not None and chance is not None and simple - chance > 0.1 * (1 - chance):
        return None
    return Finding(
        "labels_unrelated",
        STEP,
        "error",
        0.85,
        "Samples that lie next to each other agree in their targets no more than shuffled "
        f"targets would ({agreement:.1f} standard "
        f"deviations from chance), and what the network has learned does not carry over ({said}). "
        "Inputs and targets were probably shuffled or sorted apart from each other.",
        [
            Measure(
                "agreement of nearest neighbours, in standard deviations from chance",
                significant(agreement),
                f"above {SIGMAS:g}",
                f"{SHUFFLES} shuffles",
            ),
            *measures,
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


def _without_relation(case: Case, scores: str, measures: list[Measure]) -> Finding | None:
    """Words, numbers that are looked up, or several inputs, by which none of several small models
    tells targets.
    """
    relation = strongest_relation(case)
    if relation is None or relation > TELLS:
        return None
    kinds = (
        "of each input alone, of all side by side, and of how those of one shape differ"
        if case.sample is None
        else "of words by their number, by their place and in their neighbourhood, and of the "
        "products of their vectors"
    )
    return Finding(
        "labels_unrelated",
        STEP,
        "warning",
        0.6,
        f"What the network has learned does not carry over ({scores}), and small models of several "
        f"kinds, {kinds}, tell no more of the targets on samples that they were not "
        f"fitted to than chance does ({relation:.1f} standard deviations). Inputs and targets were "
        "probably shuffled, sorted or joined apart from each other.",
        [
            Measure(
                "what the best of several small models tells, in standard deviations from chance",
                significant(relation),
                f"above {TELLS:g}",
                "samples that they were not fitted to",
            ),
            *measures,
        ],
        [
            Remedy(
                {},
                "a pattern can only be learned where there is one",
                "check that inputs and targets are read, sorted, joined and split together",
            )
        ],
        {},
        0,
    )


def _with_rare_ones(case: Case) -> Pair | None:
    """All training samples that are not of the most common class, where these are the fewer, and as
    many of it, or what makes `ROWS_COMPARED`; None for any other data.
    """
    if case.train is None or case.labels is None:
        return None
    most = case.labels == case.labels.mode().values
    rare, common = torch.nonzero(~most).flatten(), torch.nonzero(most).flatten()
    if not OTHERS <= len(rare) < len(common):
        return None
    count = max(len(rare), ROWS_COMPARED - len(rare))
    spread = torch.linspace(0, len(common) - 1, min(count, len(common))).long()
    chosen = torch.cat([rare, common[spread]]).sort().values
    return case.train[0][chosen], case.train[1][chosen]


def _most_by_chance(case: Case) -> float:
    """What an answer that ignores the input may reach on the samples judged: the share of their own
    largest class, which in few samples is not that of the training data, and what luck adds.
    """
    chance = case.baseline_score or 0.0
    if "valid" not in case.scores or case.task == "regression":
        return chance
    if (target := targets_of(case.valid_examples)) is None:
        return chance
    classes = class_indices(target.cpu())
    own = max(chance, float(classes.unique(return_counts=True)[1].max()) / len(classes))
    return own + math.sqrt(own * (1 - own) / len(classes))


def _together(agreement: float, chance: float) -> float:
    """The probability, without any relation, of such an agreement of neighbours and of a linear
    relation of probability `chance` (Fisher 1925), or of the latter alone.
    """
    from scipy.special import chdtrc, ndtr

    both = [max(float(ndtr(-agreement)), 1e-300), max(chance, 1e-300)]
    return min(chance, float(chdtrc(4, -2 * sum(map(math.log, both)))))


def _linear_relation(case: Case) -> float | None:
    """How probable it is that a linear model, fitted to all data, explains as much of targets
    without any relation; the least of all targets, times their number.

    Of F columns and N samples R² is then beta distributed, with F/2 and (N - F - 1)/2. None for
    more columns than a quarter of the samples.
    """
    from scipy.special import betaincc

    table = standardized_table(case, ROWS, case.train)
    if table is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    x, y = table
    n, f = x.shape
    if f > n / 4:
        return None
    t = y.double() if case.task == "regression" else F.one_hot(y).double()
    t = t - t.mean(0)
    t = t[:, t.square().sum(0) > 0]
    if not t.shape[1]:
        return None
    fitted = x @ torch.linalg.lstsq(x.T @ x + 1e-6 * n * torch.eye(f).double(), x.T @ t).solution
    explained = 1 - (t - fitted).square().sum(0) / t.square().sum(0)
    most = float(explained.max())
    return min(1.0, t.shape[1] * float(betaincc(f / 2, (n - f - 1) / 2, min(max(most, 0.0), 1.0))))


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
