"""Whether targets can be told from inputs at all: small models of several kinds, judged on samples
that they were not fitted to.

Each looks for another kind of pattern: a linear one and a sum of bells for tables, patches for what
may stand anywhere in a signal, a picture or a text (as in Coates, Ng 2011; Dempster, Petitjean,
Webb 2020), words by their place and by their number, and products of two numbers' vectors for pairs
of users and items (Rendle 2010). What none of them finds may still be there.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sevensteps.doctor.asking import only_tensor
from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.observe.structure import spread_indices, tensors_of

ROWS, LEAST = 900, 200  # samples
JUDGED = 600  # of the validation data
PAIRS = 4000  # of numbers that are looked up
FOLDS, PENALTY = 2, 0.1
KERNELS, WIDTHS, SIDES = 128, (3, 6), (3, 5)  # patches, their length, and their sides in pictures
NUMBERS = 60_000  # of a sample times its patches: more take long
WORDS, COLUMNS = 64, 3000  # of a one-hot code, and of a table
FACTORS, STEPS, RATE, DECAY = 6, 120, 0.05, 0.02
RARE = 0.1  # share of a class, whose samples are all taken
TELLS = 4.5  # standard deviations of chance, the largest of all probes and classes


def strongest_relation(case: Case) -> float | None:
    """By how many standard deviations of chance the probe that tells most is beyond it; None where
    none can be asked.
    """
    relation: float | None = case.of_data("probes", lambda: _strongest_relation(case))
    return relation


def _strongest_relation(case: Case) -> float | None:
    pair = case.train if case.train is not None else case.sample
    pair = case.part("train") or case.examples if pair is None else pair
    if pair is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    inputs, y = _comparable_inputs(pair[0]), only_tensor(pair[1])
    if inputs is None or y is None or any(len(x) != len(y) for x in inputs):
        return None
    y = y.detach().cpu()
    rows = _rows(case, y, ROWS)
    few, target = [x[rows] for x in inputs], _numbers(case, y[rows])
    finite = all(bool(x.double().isfinite().all()) for x in few)
    if len(rows) < LEAST or target is None or not finite:
        return None
    tables = _tables(few[0]) if len(few) == 1 else _tables_of_several(few)
    relation = [_relation(_by_bells(table, target), target) for table in tables]
    if (numbers := _looked_up(inputs)) is not None:
        rows = _rows(case, y, PAIRS)
        if (target := _numbers(case, y[rows])) is not None:
            relation.append(_relation(_by_factors(numbers[rows], target), target))
    return max(relation) if relation else None


def _comparable_inputs(inputs: Any) -> list[Tensor] | None:
    """The inputs of a network that these probes know how to read: one tensor; one beside lengths,
    masks and other single numbers; two of one shape; numbers that are looked up. None for others,
    of which a relation between several may be all there is.
    """
    tensors = [t.detach().cpu() for t in tensors_of(inputs).values()]
    if len(tensors) == 1:
        return tensors
    if not tensors or any(not t.ndim or len(t) != len(tensors[0]) for t in tensors):
        return None
    tensors = [t.long() if t.dtype == torch.bool else t for t in tensors]
    large = [t for t in tensors if t[0].numel() > 1 and not _is_mask(t)]
    pair = len(large) == 2 and large[0].shape == large[1].shape
    return tensors if len(large) < 2 or pair else None


def _is_mask(x: Tensor) -> bool:
    return bool(((x == 0) | (x == 1)).all())


def _looked_up(inputs: list[Tensor]) -> Tensor | None:
    """Two to four integers a sample [N, C], in one tensor or in several; None for other inputs."""
    if any(x.is_floating_point() or x.ndim > 2 for x in inputs):
        return None
    numbers = torch.cat([x.reshape(len(x), -1) for x in inputs], 1)
    return numbers if inputs[0].ndim + len(inputs) > 2 and 2 <= numbers.shape[1] <= 4 else None


def _tables_of_several(inputs: list[Tensor]) -> list[Float[Tensor, "N D"]]:
    """The tables of each of several inputs, of all of them side by side, and of how two of one
    shape differ.
    """
    each = [_tables(x if x.is_floating_point() or x.ndim > 1 else x[:, None]) for x in inputs]
    tables = [table for own in each for table in own if table.numel()]
    together = torch.cat([own[0] for own in each if own], 1) if any(each) else None
    if together is not None and together.numel() and together.shape[1] <= COLUMNS:
        tables.append(together)
    for one, other in itertools.combinations(inputs, 2):
        if one.shape == other.shape and one[0].numel() <= COLUMNS:
            a, b = (x.reshape(len(x), -1).double() for x in (one, other))
            alike = (a == b).double() if not one.is_floating_point() else (a - b).abs()
            tables += [_standardised(alike), _standardised(alike.mean(1, keepdim=True))]
    return [table for table in tables if table.numel()]


def relation_across(case: Case) -> tuple[float, float] | None:
    """The correlation of a small model's answers with targets of the training data that it was not
    fitted to, and with those of the validation data, by the kind of model that tells the former
    best; None where none can be asked.
    """
    if (
        case.train is None
        or case.valid is None
        or case.train[0].shape[1:] != case.valid[0].shape[1:]
    ):
        return None
    if case.task not in ("binary", "multiclass", "regression"):
        return None
    parts = [(x.detach().cpu(), y.detach().cpu()) for x, y in (case.train, case.valid)]
    if parts[0][0].dtype != parts[1][0].dtype or parts[0][1].shape[1:] != parts[1][1].shape[1:]:
        return None
    rows = [
        spread_indices(len(y), most) for (_, y), most in zip(parts, (ROWS, JUDGED), strict=True)
    ]
    x, y = (
        torch.cat([part[which][few] for part, few in zip(parts, rows, strict=True)])
        for which in (0, 1)
    )
    target, count = _numbers(case, y), len(rows[0])
    if min(count, len(rows[1])) < LEAST or target is None or not bool(x.double().isfinite().all()):
        return None
    own, valid = torch.arange(len(x)) < count, torch.arange(len(x)) >= count
    halves = [own & (torch.arange(len(x)) % 2 == number) for number in (0, 1)]
    best = None
    for table in _tables(x):
        kernel = _kernel(table)
        within = _correlation(_fitted(kernel, target, halves[0], halves[1]), target[halves[1]])
        if best is None or within > best[0]:
            best = within, _correlation(_fitted(kernel, target, own, valid), target[valid])
    return best


def _correlation(answers: Float[Tensor, "N T"], target: Float[Tensor, "N T"]) -> float:
    """The mean correlation over all columns."""
    a, b = answers - answers.mean(0), target - target.mean(0)
    return float(((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp_min(1e-12)).mean())


def _rows(case: Case, y: Tensor, most: int) -> Tensor:
    """Samples spread over the data, with all of a rare class."""
    rows = spread_indices(len(y), most)
    if case.task == "regression" or len(y) <= most:
        return rows
    classes = class_indices(y)
    counts = classes.bincount()
    rare = (counts[classes] < RARE * len(y)).nonzero().flatten()
    few = rare[spread_indices(len(rare), most // 2)] if len(rare) else rare
    chosen: Tensor = torch.cat([rows, few]).unique()
    return chosen


def _numbers(case: Case, y: Tensor) -> Float[Tensor, "N T"] | None:
    """Targets as standardised numbers, a column for each class."""
    if case.task == "regression":
        numbers = y.reshape(len(y), -1).double()
    else:
        classes = class_indices(y).unique(return_inverse=True)[1]
        numbers = F.one_hot(classes).double()
    spread = numbers.std(0)
    if not bool(numbers.isfinite().all()) or not bool((spread > 0).any()):
        return None
    return (numbers - numbers.mean(0))[:, spread > 0] / spread[spread > 0]


def _relation(answers: Float[Tensor, "N T"], target: Float[Tensor, "N T"]) -> float:
    """The largest correlation of answers and targets, times √N: about a standard normal number
    where they have nothing to do with each other.
    """
    centred = answers - answers.mean(0)
    correlation = (centred * target).mean(0) / centred.std(0).clamp_min(1e-12)
    return float(correlation.max()) * math.sqrt(len(target))


def _tables(x: Tensor) -> list[Float[Tensor, "N D"]]:
    """The inputs as tables, one for each kind of pattern."""
    tables = []
    if x.is_floating_point():
        if x[0].numel() <= COLUMNS:
            tables.append(x.flatten(1) if x.ndim > 1 else x[:, None])
        if x.ndim == 3:
            tables += [_patches(x), _patches(x.transpose(1, 2))]
        elif x.ndim == 4:
            tables.append(_patches(x))
    elif x.ndim == 2:
        words = (x - x.min()).unique(return_inverse=True)[1]
        code = F.one_hot(words % WORDS, WORDS).float()  # beyond so many, several share a column
        tables.append(code.sum(1))
        if code[0].numel() <= COLUMNS:
            tables.append(code.flatten(1))
        if x.shape[1] >= 2 * WIDTHS[0]:
            tables.append(_patches(code.transpose(1, 2)))
    return [_standardised(table.double()) for table in tables if table.numel()]


def _standardised(table: Tensor) -> Float[Tensor, "N D"]:
    spread = table.std(0)
    varied = spread > 1e-9 * spread.max()
    return (table - table.mean(0))[:, varied] / spread[varied]


def _patches(x: Tensor) -> Float[Tensor, "N D"]:
    """How much each of some patches of the samples [N, C, T] or [N, C, H, W] is like the best place
    of a sample, and like all its places on average.
    """
    draw = torch.Generator().manual_seed(0)
    x = x.float()
    dimensions = tuple(range(2, x.ndim))
    x = (x - x.mean((0, *dimensions), keepdim=True)) / x.std(
        (0, *dimensions), keepdim=True
    ).clamp_min(1e-9)
    columns = []
    for width in WIDTHS if x.ndim == 3 else SIDES:
        if min(x.shape[2:]) < width or x[0].numel() * width > NUMBERS:
            continue
        windows = x.unfold(2, width, 1)
        if x.ndim == 4:
            windows = windows.unfold(3, width, 1)
        count = len(x)
        rows = torch.randint(count, (KERNELS,), generator=draw)
        places = [torch.randint(n, (KERNELS,), generator=draw) for n in windows.shape[2 : x.ndim]]
        kernels = windows.movedim(1, -1)[(rows, *places)].movedim(-1, 1)
        kernels = kernels - kernels.flatten(1).mean(1).reshape(-1, *[1] * (x.ndim - 1))
        norms = kernels.flatten(1).norm(dim=1).clamp_min(1e-6)
        kernels = kernels / norms.reshape(-1, *[1] * (x.ndim - 1))
        convolve = F.conv1d if x.ndim == 3 else F.conv2d
        pooled = []
        for part in x.split(256):
            alike = convolve(part, kernels).flatten(2)
            pooled.append(torch.cat([alike.amax(2), alike.mean(2)], 1))
        columns.append(torch.cat(pooled))
    return torch.cat(columns, 1) if columns else x.new_empty(len(x), 0)


def _folds(count: int) -> list[tuple[Tensor, Tensor]]:
    """(samples fitted to, samples judged) for each fold."""
    fold = torch.randperm(count, generator=torch.Generator().manual_seed(0)) % FOLDS
    return [(fold != number, fold == number) for number in range(FOLDS)]


def _by_bells(table: Float[Tensor, "N D"], target: Float[Tensor, "N T"]) -> Float[Tensor, "N T"]:
    """Answers of a sum of a linear function and of bells around the samples."""
    kernel, answer = _kernel(table), torch.empty_like(target)
    for own, other in _folds(len(table)):
        answer[other] = _fitted(kernel, target, own, other)
    return answer


def _kernel(table: Float[Tensor, "N D"]) -> Float[Tensor, "N N"]:
    """How alike two samples are, by their products and by bells."""
    products = table @ table.T
    squares = products.diagonal()
    distances = (squares[:, None] + squares - 2 * products).clamp_min(0)
    bells = torch.exp(-distances / distances.median().clamp_min(1e-12))
    return products / max(table.shape[1], 1) + bells


def _fitted(
    kernel: Float[Tensor, "N N"], target: Float[Tensor, "N T"], own: Tensor, other: Tensor
) -> Float[Tensor, "M T"]:
    """Answers to the samples `other`, fitted to the targets of `own`."""
    known = kernel[own][:, own]
    known.diagonal().add_(PENALTY * float(known.diagonal().mean()))
    weights = torch.linalg.solve(known, target[own] - target[own].mean(0))
    answer: Tensor = kernel[other][:, own] @ weights
    return answer


def _by_factors(x: Tensor, target: Float[Tensor, "N T"]) -> Float[Tensor, "N T"]:
    """Answers of a number for each value of each column, and the products of their vectors."""
    codes = [column.unique(return_inverse=True)[1] for column in x.unbind(1)]
    draw = torch.Generator().manual_seed(0)
    answer = torch.empty_like(target)
    outputs = target.shape[1]
    for own, other in _folds(len(x)):
        levels = [torch.zeros(int(c.max()) + 1, outputs).requires_grad_() for c in codes]
        vectors = [
            (
                0.3 * torch.randn(int(c.max()) + 1, outputs * FACTORS, generator=draw)
            ).requires_grad_()
            for c in codes
        ]

        def model(
            rows: Tensor, levels: list[Tensor] = levels, vectors: list[Tensor] = vectors
        ) -> Tensor:
            level = sum(F.embedding(c[rows], t) for t, c in zip(levels, codes, strict=True))
            looked_up = [F.embedding(c[rows], t) for t, c in zip(vectors, codes, strict=True)]
            total = torch.stack(looked_up)
            products = (total.sum(0).square() - total.square().sum(0)) / 2
            return torch.as_tensor(level) + products.reshape(-1, outputs, FACTORS).sum(2)

        optimizer = torch.optim.Adam([*levels, *vectors], RATE)
        known = target[own].float()
        with torch.enable_grad():
            for _ in range(STEPS):
                loss = (model(own) - known).square().mean()
                penalty = sum((table.square().mean() for table in vectors), torch.zeros(()))
                optimizer.zero_grad()
                (loss + DECAY * penalty).backward()
                optimizer.step()
        with torch.no_grad():
            answer[other] = model(other).double()
    return answer
