"""What models without training by gradient reach on the data of a case: a linear one, and the
nearest neighbours.

They say whether there is a pattern that a network could have learned. Both are judged on samples
that they were not fitted to, and all that they need of the inputs are the products of each sample
with each other, X Xᵀ.
"""

from __future__ import annotations

import statistics

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.pairs import Pair
from sevensteps.observe.structure import spread_indices

MAX_ROWS = 400  # samples that a simple model is judged on
MAX_COLUMNS = 5000  # of a sample; more are no plain table, and would take long
FOLDS = 3  # each is judged by models fitted to the two others
FEW, REPEATS = 200, 9  # fewer samples are split so many times: one split of them says little
NEIGHBOURS = 5
BELL_PENALTY = 0.1  # of half the squared weights of bells
RIDGE_PENALTY, LOGISTIC_PENALTY = 0.1, 10.0  # of half the squared weights, against summed losses
ITERATIONS = 40  # after which no more than one answer in a hundred changed on any data tried
LEFT = 0.05  # of the loss of an answer that ignores the input


def simple_model_score(case: Case) -> float | None:
    """The better cross-validated score of two simple models on standardized inputs.

    A linear one and the 5 nearest neighbours; accuracy or r2, on at most `MAX_ROWS` samples. None
    where inputs are no plain numbers, or too few, or are themselves what is to be given. Worked out
    once for the data of the case.
    """

    score: float | None = case.of_data("simple_model_score", lambda: _median_score(case))
    return score


def linear_model_score(case: Case) -> float | None:
    """`simple_model_score` of the linear model alone."""
    score: float | None = case.of_data(
        "linear_model_score", lambda: _median_score(case, linear=True)
    )
    return score


def smooth_model_score(case: Case) -> float | None:
    """The cross-validated score of a smooth function of the inputs, a sum of bells around samples:
    it bends as a wide network does, and knows patterns that neighbours and lines do not.
    """
    score: float | None = case.of_data("smooth_model_score", lambda: _smooth_score(case))
    return score


def _smooth_score(case: Case) -> float | None:
    table = standardized_table(case)
    if table is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    x, y = table
    classes = case.task != "regression"
    target = torch.nn.functional.one_hot(y).double() if classes else y
    distances = _squared_distances(x @ x.T)
    bells = torch.exp(-distances / distances.median().clamp_min(1e-12))
    fold = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)) % FOLDS
    answer = torch.empty_like(target)
    for train, test in _splits(fold):
        known = bells[train][:, train]
        known.diagonal().add_(BELL_PENALTY)
        mean = target[train].mean(0)
        answer[test] = (
            bells[test][:, train] @ torch.linalg.solve(known, target[train] - mean) + mean
        )
    if classes:
        return float((answer.argmax(1) == y).double().mean())
    return float(1 - (answer - y).square().sum() / (y - y.mean(0)).square().sum().clamp_min(1e-300))


def model_of_places_score(case: Case) -> float | None:
    """The cross-validated score of a linear model that sees which word stands at which place, for
    inputs [N, T] of whole numbers; None for others, or of too many words and places.
    """
    pair = case.sample
    if pair is None or pair[0].is_floating_point() or pair[0].ndim != 2:
        return None
    if case.task not in ("binary", "multiclass", "regression"):
        return None
    few = torch.linspace(0, len(pair[0]) - 1, min(MAX_ROWS, len(pair[0]))).long()
    words, target = pair[0][few].cpu().long(), pair[1][few].cpu()
    words = words - words.min()
    if len(words) < 15 or words.shape[1] * (int(words.max()) + 1) > MAX_COLUMNS / 2:
        return None
    table = torch.nn.functional.one_hot(words).flatten(1).double()
    if case.task == "regression":
        return regression_score(table, target.reshape(len(target), -1).double(), linear=True)
    classes = class_indices(target).unique(return_inverse=True)[1]
    return classification_score(table, classes, linear=True)


def model_of_sets_score(case: Case) -> float | None:
    """The cross-validated score of a model that sees of a sequence what is in it and not where: how
    often each word of [N, T] comes, or mean, spread and ends of each column of [N, T, F] over the
    steps. None for other inputs, or of too many words.
    """
    pair = case.sample
    if pair is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    few = torch.linspace(0, len(pair[0]) - 1, min(MAX_ROWS, len(pair[0]))).long()
    x, target = pair[0][few].cpu(), pair[1][few].cpu()
    if x.ndim == 3 and x.is_floating_point():
        x = x.double()
        table = torch.cat([x.mean(1), x.std(1), x.amin(1), x.amax(1)], 1)
    elif x.ndim == 2 and not x.is_floating_point():
        words = x.long() - x.min().long()
        if int(words.max()) >= MAX_COLUMNS:
            return None
        table = torch.zeros(len(x), int(words.max()) + 1, dtype=torch.float64)
        table.scatter_add_(1, words, torch.ones_like(words, dtype=torch.float64))
    else:
        return None
    if len(table) < 15:
        return None
    table = (table - table.mean(0)) / table.std(0, correction=0).clamp_min(1e-12)
    if case.task == "regression":
        return regression_score(table, target.reshape(len(target), -1).double())
    return classification_score(table, class_indices(target).unique(return_inverse=True)[1])


def _median_score(case: Case, **which: bool) -> float | None:
    table = standardized_table(case)
    if table is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    x, y = table
    if case.task == "regression" and _stands_in(y, x):
        return None
    judge = regression_score if case.task == "regression" else classification_score
    scores = [judge(x, y, split, **which) for split in range(REPEATS if len(x) < FEW else 1)]
    known = [score for score in scores if score is not None]
    return statistics.median(known) if known else None


def _stands_in(y: Float[Tensor, "N T"], x: Float[Tensor, "N F"]) -> bool:
    """Whether every number that is to be given is one of the inputs, but for its unit, as where
    they are reconstructed: a model of them that may copy says nothing of a network that has to put
    them into a code, of how many numbers or words only the network knows.
    """
    spread = y.std(0, correction=0)
    varied = (y - y.mean(0))[:, spread > 0] / spread[spread > 0]
    alike = (varied.T @ x / len(x)).abs()
    return bool(varied.numel()) and bool((alike.amax(1) > 1 - 1e-6).all())


def worse_than_simple_model(case: Case, margin: float) -> bool:
    """Whether the network's score is lower by `margin` or more than that of a simple model on the
    same samples.

    One that gives accuracy away for the recall of rare classes is compared by its skill, too.
    """
    score, least = case.scores.get("train"), case.baseline_score
    if targets_are_inputs(case):
        return False  # a linear model copies them; the network is made to do it in another way
    if loss_is_gone(case):
        return False  # that score is one of other samples, or in another state
    # a score so high that no model is better by that much needs none to be compared with
    if score is None or score > 1 - margin:
        return False
    simple = simple_model_score(case)
    if simple is None or simple - score < margin:
        return False
    if case.skill is None or least is None or least >= 1:
        return True
    return case.skill < (simple - least) / (1 - least)


def loss_is_gone(case: Case) -> bool:
    """Whether next to nothing is left of the loss: a bad score is then one of other samples, or of
    a network in another state, than those that were trained.
    """
    if not case.loss_is_error or not case.losses:
        return False
    start = case.baseline_loss if case.baseline_loss is not None else case.losses[0][1]
    means = case.smoothed_losses
    return start > 0 and bool(means) and means[-1][1] < LEFT * start


def targets_are_inputs(case: Case) -> bool:
    """Whether the targets are the inputs, as those of an autoencoder, or of a message."""
    pair = case.sample
    if pair is None or pair[0].numel() != pair[1].numel():
        return False
    x, y = (t[:MAX_ROWS].detach().cpu().flatten().double() for t in pair)
    return bool(torch.allclose(x, y))


def standardized_table(
    case: Case, rows: int = MAX_ROWS, pair: Pair | None = None
) -> tuple[Float[Tensor, "N F"], Shaped[Tensor, "N ..."]] | None:
    """Inputs [N, F], float64 and standardized by column, and targets, of at most `rows` samples of
    `pair`, else of the case's sample.

    Targets are numbers of classes that occur [N], or numbers [N, T]. None where inputs are no plain
    numbers, or too few.
    """
    given = pair is not None
    pair = case.sample if pair is None else pair
    if pair is None or not pair[0].is_floating_point():
        return None
    x, y = (t.detach().cpu() for t in pair)
    if not given and case.part("train") is None and case.observation.sketch.rows_are_samples():
        x, y = _each_once(x, y)
    chosen = spread_indices(len(x), rows)
    flat = x[chosen].reshape(len(chosen), -1).double()  # also of one number a sample, [N]
    if len(flat) < 15 or flat.shape[1] > MAX_COLUMNS or not bool(flat.isfinite().all()):
        return None
    spread = flat.std(0, correction=0)
    varied = spread > 1e-12
    if not bool(varied.any()):
        return None
    flat = (flat - flat.mean(0))[:, varied] / spread[varied]
    targets = y[chosen]
    if case.task == "regression":
        numbers = targets.reshape(len(targets), -1).double()
        return (flat, numbers) if bool(numbers.isfinite().all()) else None
    if case.task == "multilabel" or case.task is None:
        return None
    return flat, class_indices(targets).unique(return_inverse=True)[1]


def _each_once(x: Tensor, y: Tensor) -> Pair:
    """The samples without those that were kept before: whoever is judged on a sample must not have
    seen it.
    """
    both = torch.cat([x.reshape(len(x), -1).double(), y.reshape(len(y), -1).double()], 1)
    probe = torch.rand(both.shape[1], generator=torch.Generator().manual_seed(0)).double()
    first: dict[float, int] = {}
    for row, mark in enumerate((both @ probe).tolist()):
        first.setdefault(mark, row)
    rows = torch.tensor(list(first.values()))
    return x[rows], y[rows]


def nearest_samples(x: Float[Tensor, "N F"], count: int) -> Int[Tensor, "N K"]:
    """The `count` samples nearest to each, itself left out, nearest first."""
    # float32 puts samples of many columns in nearly the same order, in half the time
    x = x.float() if x.shape[1] > 64 else x
    distances = _squared_distances(x @ x.T).fill_diagonal_(torch.inf)
    return distances.topk(count, largest=False).indices


def regression_score(
    x: Float[Tensor, "N F"], y: Float[Tensor, "N T"], split: int = 0, *, linear: bool = False
) -> float:
    """The better r2, over three folds and all outputs, of ridge regression and of the mean of the
    nearest neighbours; of a `linear` one, the former. `split` is the seed of the folds.
    """
    spread = y.std(0, correction=0)
    y = (y - y.mean(0)) / torch.where(spread > 0, spread, 1.0)
    products, squares = x @ x.T, torch.zeros(2, y.shape[1], dtype=torch.float64)
    fold = torch.randperm(len(x), generator=torch.Generator().manual_seed(split)) % FOLDS
    for train, test in _splits(fold):
        truth, mean = y[test], y[train].mean(0)
        centre = x[train].mean(0)
        known = (x[train] - centre) @ (x[train] - centre).T
        known.diagonal().add_(RIDGE_PENALTY)
        weights = torch.linalg.solve(known, y[train] - mean)
        straight = (x[test] - centre) @ (x[train] - centre).T @ weights + mean
        neighbours = y[train][_nearest(products, train, test)].mean(1)
        for index, answer in enumerate((straight, neighbours)):
            squares[index] += (truth - answer).square().sum(0)
    variation = y.square().sum(0).clamp_min(1e-300)
    scores = (1 - squares / variation).mean(1)
    return float(scores[0] if linear else scores.max())


def classification_score(
    x: Float[Tensor, "N F"], y: Int[Tensor, "N"], split: int = 0, *, linear: bool = False
) -> float | None:
    """The better accuracy, over three folds, of logistic regression and of a vote of the nearest
    neighbours; of a `linear` one, the former. None with fewer than two classes, or one of fewer
    than three samples. `split` is the seed of the folds.
    """
    counts = y.bincount()
    if int((counts > 0).sum()) < 2 or int(counts[counts > 0].min()) < FOLDS:
        return None
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(split))
    fold = torch.empty_like(order)
    # each class alike in every fold
    fold[order[y[order].sort(stable=True).indices]] = torch.arange(len(x)) % FOLDS
    one_hot = torch.nn.functional.one_hot(y).double()
    products, scores = x @ x.T, torch.zeros(2, dtype=torch.float64)
    between_votes = torch.arange(one_hot.shape[1]) / one_hot.shape[1]  # equals: the first class
    for train, test in _splits(fold):
        # a column of tens beside the inputs is the bias, on which there is hardly a penalty
        known, asked = products[train][:, train] + 100.0, products[test][:, train] + 100.0
        straight = asked @ _logistic_regression(known, one_hot[train])
        votes = one_hot[train][_nearest(products, train, test)].sum(1) - between_votes
        for index, answer in enumerate((straight, votes)):
            scores[index] += (answer.argmax(1) == y[test]).double().mean() / FOLDS
    return float(scores[0] if linear else scores.max())


def _logistic_regression(
    products: Float[Tensor, "N N"], one_hot: Float[Tensor, "N C"]
) -> Float[Tensor, "N C"]:
    """A, [N, C], of logistic regression with a penalty λ |W|²/2, where W = Xᵀ A.

    The curvature of the loss is nowhere above X Xᵀ/2, so that Newton's step with that matrix in
    its place always goes down, and one factorization serves for all steps:
    A ← A + (X Xᵀ/2 + λ)⁻¹ (Y - softmax(X Xᵀ A) - λ A), taken from a little further on in the
    direction of the step before. Source: Böhning 1992, Multinomial logistic regression algorithm;
    Nesterov 1983.
    """
    bound = products / 2
    bound.diagonal().add_(LOGISTIC_PENALTY)
    factor = torch.linalg.cholesky(bound)
    a = ahead = torch.zeros_like(one_hot)
    for step in range(ITERATIONS):
        slope = one_hot - (products @ ahead).softmax(1) - LOGISTIC_PENALTY * ahead
        before, a = a, ahead + torch.cholesky_solve(slope, factor)
        ahead = a + step / (step + 3) * (a - before)
    return a


def _splits(fold: Int[Tensor, "N"]) -> list[tuple[Int[Tensor, "M"], Int[Tensor, "K"]]]:
    """(samples fitted to, samples judged) for each fold."""
    return [
        (torch.nonzero(fold != index).flatten(), torch.nonzero(fold == index).flatten())
        for index in range(FOLDS)
    ]


def _nearest(products: Float[Tensor, "N N"], train: Tensor, test: Tensor) -> Int[Tensor, "K 5"]:
    """The nearest neighbours of the samples `test` among `train`, as places in `train`."""
    distances = _squared_distances(products)[test][:, train]
    return distances.topk(min(NEIGHBOURS, len(train)), largest=False).indices


def _squared_distances(products: Float[Tensor, "N N"]) -> Float[Tensor, "N N"]:
    """|a - b|² = |a|² + |b|² - 2 a·b of all pairs."""
    squares = products.diagonal()
    return squares[:, None] + squares - 2 * products
