"""What the network ends with does not fit its loss or its targets; written as a function."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


class Ending(nn.Module):
    """A small network, and a function of its outputs."""

    def __init__(self, ending: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.ending = ending
        self.first, self.last = nn.Linear(inputs, 40), nn.Linear(40, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(F.relu(self.first(x)))
        match self.ending:
            case "softmax":
                return F.softmax(x, dim=1)
            case "log softmax":
                return x.log_softmax(-1)
            case "sigmoid":
                return torch.sigmoid(x)
            case "relu":
                return F.relu(x)
            case "clamp":
                return x.clamp(0, 1)
            case _:
                return x


def both_classes(count: int) -> tuple[Tensor, Tensor]:
    x, y = clouds(count, 2, 8, apart=2.0)
    return x, y[:, None].float()


def share_right(answer: Tensor, y: Tensor, border: float) -> float:
    return float(((answer > border).float() == y).double().mean())


def softmax_of_one(cured: bool, watch: Watch) -> Trained:
    x, y = both_classes(1000)
    model = Ending("sigmoid" if cured else "softmax", 8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.binary_cross_entropy, x[:800], y[:800], 8)
    data = known(x, y, 800, F.binary_cross_entropy)
    return Trained(watching, share_right(model(x[800:]), y[800:], 0.5), data)


def log_softmax_of_one(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    model = Ending("" if cured else "log softmax", 6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 15)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def sigmoid_of_a_price(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    y = 4 + 2 * y
    model = Ending("" if cured else "sigmoid", 6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.l1_loss, x[:1000], y[:1000], 15)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.l1_loss))


def relu_before_a_loss_of_logits(cured: bool, watch: Watch) -> Trained:
    """An answer counts from a probability of .6."""
    x, y = both_classes(1000)
    model = Ending("" if cured else "relu", 8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.BCEWithLogitsLoss()
    watching = fit(watch, model, optimizer, loss_fn, x[:800], y[:800], 8)
    p = torch.sigmoid(model(x[800:])).detach()
    score = float(((p - y[800:]).abs() < 0.4).double().mean())
    return Trained(watching, score, known(x, y, 800, loss_fn))


def clamped_to_one(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    model = Ending("" if cured else "clamp", 6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.huber_loss, x[:1000], y[:1000], 15)
    data = known(x, y, 1000, F.huber_loss)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), data)


def several_labels_by_softmax(cured: bool, watch: Watch) -> Trained:
    """Six labels of which any number holds; an answer counts from a probability of one half."""
    x = torch.randn(1500, 10)
    y = (x @ torch.randn(10, 6) > 0).float()
    loss_fn = F.binary_cross_entropy_with_logits if cured else F.cross_entropy
    model = dense(10, 48, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:1200], y[:1200], 10)
    output = model(x[1200:])
    said = (torch.sigmoid(output) if cured else output.softmax(1)) > 0.5
    truth = y[1200:] == 1
    f1 = float(2 * (said & truth).sum() / (said.sum() + truth.sum()))
    return Trained(watching, f1, known(x, y, 1200, loss_fn))


def number_of_the_class(cured: bool, watch: Watch) -> Trained:
    """The number of the class is learned as if 3 lay between 2 and 4."""
    x, y = clouds(1200, 8, 6)
    model = dense(6, 32, 8 if cured else 1)
    target = y if cured else y[:, None].float()
    loss_fn = F.cross_entropy if cured else F.mse_loss
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:1000], target[:1000], 10)
    answer = model(x[1000:])
    if cured:
        score = right(answer, y[1000:])
    else:
        score = float((answer[:, 0].round() == y[1000:]).double().mean())
    return Trained(watching, score, known(x, target, 1000, loss_fn))


PAIRS = [
    Pair(
        "softmax of a single output",
        "sigmoid of a single output",
        ("output_loss_mismatch",),
        softmax_of_one,
        0.7,
        0.8,
    ),
    Pair(
        "log softmax of a single number",
        "a single number",
        ("output_loss_mismatch", "target_out_of_range"),
        log_softmax_of_one,
        0.3,
        0.6,
    ),
    Pair(
        "sigmoid of numbers beyond one",
        "numbers beyond one",
        ("target_out_of_range", "saturated_units"),
        sigmoid_of_a_price,
        0.2,
        0.6,
    ),
    Pair(
        "ReLU before a loss of logits",
        "logits before a loss of logits",
        ("output_loss_mismatch",),
        relu_before_a_loss_of_logits,
        0.75,
        0.8,
    ),
    Pair(
        "clamped to 0 … 1, numbers on both sides",
        "not clamped, numbers on both sides",
        ("target_out_of_range", "output_loss_mismatch"),
        clamped_to_one,
        0.5,
        0.6,
    ),
    Pair(
        "several labels by one softmax",
        "several labels by sigmoids",
        ("loss_unsuited",),
        several_labels_by_softmax,
        0.65,
        0.8,
    ),
    Pair(
        "the number of the class as a number",
        "a class as a class",
        ("loss_unsuited",),
        number_of_the_class,
        0.7,
        0.85,
    ),
]
