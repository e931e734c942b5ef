"""What the loss was called with: shapes, weights, reductions, arguments in the wrong place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def column_against_row(cured: bool, watch: Watch) -> Trained:
    """A Huber loss of [B, 1] and [B]: every answer against every target."""
    x, y = bent(1500)
    target = y if cured else y[:, 0]
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    watching = fit(watch, model, optimizer, F.smooth_l1_loss, x[:1200], target[:1200], 20)
    score = explained(model(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, target, 1200, F.smooth_l1_loss))


def likelihood_against_row(cured: bool, watch: Watch) -> Trained:
    """The same inside a likelihood written by hand."""
    x, y = bent(1500)
    target = y if cured else y[:, 0]

    def loss_fn(output: Tensor, y: Tensor) -> Tensor:
        mean, log_width = output.split(1, 1)
        width = log_width.clamp(-4, 4)
        return (width + 0.5 * ((y - mean) / width.exp()).square()).mean()

    model = dense(6, 48, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:1200], target[:1200], 20)
    score = explained(model(x[1200:])[:, 0], y[1200:, 0])
    return Trained(watching, score, known(x, target, 1200, loss_fn))


def weights_the_wrong_way(cured: bool, watch: Watch) -> Trained:
    """Classes weigh what they are frequent, where they should weigh its inverse."""
    shares = torch.tensor([0.8, 0.1, 0.06, 0.04])
    y = torch.multinomial(shares, 3000, replacement=True)
    x = 0.7 * torch.randn(4, 8)[y] + torch.randn(3000, 8)
    counts = torch.bincount(y[:2400], minlength=4).float()
    weight = (1 / counts if cured else counts) / (1 / counts if cured else counts).mean()
    loss_fn = nn.CrossEntropyLoss(weight=weight)
    model = dense(8, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:2400], y[:2400], 12)
    answer = model(x[2400:]).argmax(1)
    recalls = [float((answer[y[2400:] == c] == c).double().mean()) for c in range(1, 4)]
    return Trained(watching, sum(recalls) / 3, known(x, y, 2400, loss_fn))


def summed_over_pixels(cured: bool, watch: Watch) -> Trained:
    """reduction="sum" with the step size of a mean."""
    x = torch.tanh(torch.randn(1200, 3) @ torch.randn(3, 64))
    model = nn.Sequential(dense(64, 32, 8, end=nn.ReLU()), dense(8, 32, 64))
    loss_fn = nn.MSELoss(reduction="mean" if cured else "sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    watching = fit(watch, model, optimizer, loss_fn, x[:1000], x[:1000], 20)
    score = explained(model(x[1000:]), x[1000:])
    return Trained(watching, score, known(x, x, 1000, loss_fn))


def arguments_exchanged(cured: bool, watch: Watch) -> Trained:
    """F.kl_div(target, output): the target's probabilities are taken for the answer."""
    x = torch.randn(1500, 6)
    target = (1.5 * x @ torch.randn(6, 5)).softmax(1)
    model = dense(6, 48, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 12):
            answer = model(x[chosen]).log_softmax(1)
            wanted = target[chosen]
            if cured:
                loss = F.kl_div(answer, wanted, reduction="batchmean")
            else:
                loss = F.kl_div(wanted, answer.exp(), reduction="batchmean")
            descend(watching, optimizer, loss, wanted)
    with torch.no_grad():
        score = explained(model(x[1200:]).softmax(1), target[1200:])
    return Trained(watching, score)


def labels_shifted(cured: bool, watch: Watch) -> Trained:
    """The training file counts classes from one, the last one clamped; the other from zero."""
    x, y = clouds(1200, 5, 8)
    labels = y if cured else (y + 1).clamp(max=4)
    model = dense(8, 32, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1000], labels[:1000], 10)
    score = right(model(x[1000:]), y[1000:])
    shown = torch.cat([labels[:1000], y[1000:]])
    return Trained(watching, score, known(x, shown, 1000, F.cross_entropy))


PAIRS = [
    Pair(
        "a column of answers against a row of targets",
        "a column of answers against a column of targets",
        ("target_shape_mismatch",),
        column_against_row,
        0.2,
        0.7,
    ),
    Pair(
        "a likelihood against a row of targets",
        "a likelihood against a column of targets",
        ("target_shape_mismatch",),
        likelihood_against_row,
        0.2,
        0.7,
    ),
    Pair(
        "frequent classes weigh more",
        "rare classes weigh more",
        ("class_imbalance",),
        weights_the_wrong_way,
        0.5,
        0.55,
    ),
    Pair(
        "pixels' errors summed, with a step for their mean",
        "the mean of the pixels' errors",
        ("loss_scale", "learning_rate_too_high", "exploding_gradient"),
        summed_over_pixels,
        0.2,
        0.7,
    ),
    Pair(
        "a divergence with its arguments exchanged",
        "a divergence",
        ("output_loss_mismatch", "target_out_of_range", "loss_sign"),
        arguments_exchanged,
        0.5,
        0.8,
    ),
    Pair(
        "labels shifted by one in training",
        "labels as they are",
        ("train_valid_mismatch", "labels_unrelated"),
        labels_shifted,
        0.4,
        0.85,
    ),
]
