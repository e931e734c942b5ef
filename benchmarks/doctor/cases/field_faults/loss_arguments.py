"""What the loss was called with: shapes, weights, classes to ignore, order, reduction."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def log_cosh(output: Tensor, target: Tensor) -> Tensor:
    """Mean of log cosh of the error."""
    error = output - target
    return (error + F.softplus(-2 * error)).mean() - 0.6931


def broadcast_error(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    target = y if cured else y[:, 0]
    model = dense(6, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, log_cosh, x[:1000], target[:1000], 20)
    data = known(x, target, 1000, log_cosh)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), data)


def rare_weight(cured: bool, watch: Watch) -> Trained:
    """One sample in twelve is positive; its weight is the ratio of the classes, or its inverse."""
    y = (torch.rand(2500) < 0.08).float()
    x = 0.9 * torch.randn(1, 8) * y[:, None] + torch.randn(2500, 8)
    many = (1 - y).sum() / y.sum()
    criterion = nn.BCEWithLogitsLoss(pos_weight=many if cured else 1 / many)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        loss: Tensor = criterion(output.squeeze(1), target)
        return loss

    model = dense(8, 24, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:2000], y[:2000], 5)
    said, truth = model(x[2000:])[:, 0] > 0, y[2000:] == 1
    found = float(said[truth].double().mean()), float((~said)[~truth].double().mean())
    return Trained(watching, sum(found) / 2, known(x, y, 2000, loss_fn))


def class_ignored(cured: bool, watch: Watch) -> Trained:
    """Class 0 is a class like the others, and is ignored."""
    x, y = clouds(1200, 3, 6)
    criterion = nn.CrossEntropyLoss() if cured else nn.CrossEntropyLoss(ignore_index=0)
    model = dense(6, 32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, criterion, x[:1000], y[:1000], 8)
    return Trained(watching, right(model(x[1000:]), y[1000:]), known(x, y, 1000, criterion))


def sum_for_mean(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1400)
    criterion = nn.MSELoss() if cured else nn.MSELoss(reduction="sum")
    model = dense(6, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    watching = fit(watch, model, optimizer, criterion, x[:1200], y[:1200], 12, 64)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, criterion))


def divergence_of_probabilities(cured: bool, watch: Watch) -> Trained:
    """`kl_div` takes the logarithms of probabilities first."""
    x, kinds = clouds(1200, 5, 8)
    y = 0.9 * F.one_hot(kinds, 5).float() + 0.02

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        if cured:
            return F.kl_div(F.log_softmax(output, 1), target, reduction="batchmean")
        return F.kl_div(target.log(), F.softmax(output, 1).log(), reduction="batchmean")

    model = dense(8, 32, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watching = fit(watch, model, optimizer, loss_fn, x[:1000], y[:1000], 6)
    return Trained(watching, right(model(x[1000:]), kinds[1000:]), known(x, y, 1000, loss_fn))


def arguments_exchanged(cured: bool, watch: Watch) -> Trained:
    """The loss takes the logits first, and was given the targets first."""
    x, kinds = clouds(1200, 2, 6, apart=1.0)
    y = kinds[:, None].float()

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        pair = (output, target) if cured else (target, output)
        return F.binary_cross_entropy_with_logits(*pair)

    model = dense(6, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:1000], y[:1000], 10)
    said = (model(x[1000:]) > 0).float()
    score = float((said == y[1000:]).double().mean())
    return Trained(watching, score, known(x, y, 1000, loss_fn))


PAIRS = [
    Pair(
        "log cosh of a column minus a row",
        "log cosh of two columns",
        ("target_shape_mismatch",),
        broadcast_error,
        0.4,
        0.6,
    ),
    Pair(
        "rare positives weighed down",
        "rare positives weighed up",
        ("class_imbalance",),
        rare_weight,
        0.6,
        0.7,
    ),
    Pair(
        "a class that is ignored in the loss",
        "no class ignored in the loss",
        ("padding_in_loss", "loss_unsuited", "class_imbalance"),
        class_ignored,
        0.8,
        0.9,
    ),
    Pair(
        "square errors summed at the rate of a mean",
        "square errors averaged",
        ("loss_scale", "learning_rate_too_high"),
        sum_for_mean,
        0.3,
        0.6,
    ),
    Pair(
        "divergence with its arguments exchanged",
        "divergence from logarithms of probabilities",
        ("output_loss_mismatch", "not_finite"),
        divergence_of_probabilities,
        0.6,
        0.8,
    ),
    Pair(
        "logits given to the loss as its targets",
        "logits given to the loss as such",
        ("output_loss_mismatch", "loss_sign", "target_out_of_range"),
        arguments_exchanged,
        0.7,
        0.8,
    ),
]
