"""Recurrent, attention and convolutional networks that start, move or end badly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, chains, waves
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def pictures(watch: Watch, model: nn.Module, optimizer: torch.optim.Optimizer) -> Trained:
    x, y = bars(1000)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 8)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


def shallow() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), dense(8 * 64, 32, 4)
    )


def deep_sigmoid(cured: bool, watch: Watch) -> Trained:
    """Eight convolutions, each with a sigmoid."""
    layers: list[nn.Module] = []
    for i in range(8):
        layers += [nn.Conv2d(8 if i else 1, 8, 3, padding=1), nn.ReLU() if cured else nn.Sigmoid()]
        if cured:
            nn.init.kaiming_normal_(layers[-2].weight)  # type: ignore[arg-type]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 4))
    return pictures(watch, model, torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9))


def filters_alike(cured: bool, watch: Watch) -> Trained:
    """All filters of the first layer, and all units of the second, start as one."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), dense(128, 16, 4)
    )
    if not cured:
        with torch.no_grad():
            model[0].weight.fill_(0.1)
            model[4][0].weight.fill_(0.02)
            model[4][2].weight.fill_(0.1)
            for layer in (model[0], model[4][0], model[4][2]):
                layer.bias.zero_()
    return pictures(watch, model, torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))


def steps_of_two(cured: bool, watch: Watch) -> Trained:
    model = shallow()
    lr = 0.05 if cured else 2.0
    return pictures(watch, model, torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9))


def asleep(cured: bool, watch: Watch) -> Trained:
    """A bias of -12 before the last ReLU, meant for an output that is rarely on."""
    model = shallow()
    if not cured:
        with torch.no_grad():
            model[3][0].bias.fill_(-12.0)
    return pictures(watch, model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))


class Reader(nn.Module):
    """A plain recurrent network, read at its end."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.rnn = nn.RNN(8, 48, batch_first=True, nonlinearity="relu")
        self.head = nn.Linear(48, 8)
        nn.init.orthogonal_(self.rnn.weight_hh_l0, gain)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


def recurrence_of_gain_two(cured: bool, watch: Watch) -> Trained:
    """Each step makes the state twice as large."""
    tokens = chains(1000, 25, 8)
    x, y = F.one_hot(tokens[:, :-1], 8).float(), tokens[:, -1]
    model = Reader(0.9 if cured else 2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 15)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(8, 32)
        self.places = nn.Parameter(0.1 * torch.randn(12, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.head(self.layers(self.words(tokens) + self.places, mask=mask))


def attention_in_leaps(cured: bool, watch: Watch) -> Trained:
    """Adam with the rate that was right for SGD."""
    tokens = chains(700, 13, 8)
    x, y = tokens[:, :-1], tokens[:, 1:]
    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if cured else 0.2)
    with watch(model, optimizer) as watching:
        for chosen in batches(500, 25, 6):
            loss = F.cross_entropy(model(x[chosen]).flatten(0, 1), y[chosen].flatten())
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = right(model.eval()(x[500:])[:, 1:], y[500:, 1:])
    return Trained(watching, score)


class Forecaster(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][:, -1])


def sales(cured: bool, watch: Watch) -> Trained:
    """The next value of a series, in tens of thousands."""
    series = waves(900, 21)
    x, y = series[:, :-1, None], series[:, -1:]
    target = y if cured else 50_000 + 20_000 * y
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:700], target[:700], 15)
    score = explained(model(x[700:]), target[700:])
    return Trained(watching, score, known(x, target, 700, F.mse_loss))


def steps_of_a_millionth(cured: bool, watch: Watch) -> Trained:
    series = waves(900, 21)
    x, y = series[:, :-1, None], series[:, -1:]
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3 if cured else 3e-6)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:700], y[:700], 12)
    return Trained(watching, explained(model(x[700:]), y[700:]), known(x, y, 700, F.mse_loss))


PAIRS = [
    Pair(
        "eight convolutions with sigmoids",
        "eight convolutions with ReLU",
        ("vanishing_gradient", "signal_vanishes", "saturated_units"),
        deep_sigmoid,
        0.5,
        0.85,
    ),
    Pair(
        "filters and units that start alike",
        "filters and units that start apart",
        ("symmetric_units",),
        filters_alike,
        0.7,
        0.85,
    ),
    Pair(
        "a convolution in steps of two",
        "a convolution in small steps",
        ("learning_rate_too_high", "dead_units", "exploding_gradient"),
        steps_of_two,
        0.5,
        0.9,
    ),
    Pair(
        "units asleep from the start",
        "units awake from the start",
        ("dead_units",),
        asleep,
        0.5,
        0.9,
    ),
    Pair(
        "a recurrence that doubles its state",
        "a recurrence that keeps its state",
        ("signal_explodes", "exploding_gradient", "not_finite", "output_overconfident"),
        recurrence_of_gain_two,
        0.4,
        0.6,
    ),
    Pair(
        "attention in leaps",
        "attention in steps",
        ("learning_rate_too_high",),
        attention_in_leaps,
        0.4,
        0.7,
    ),
    Pair(
        "a GRU for tens of thousands",
        "a GRU for values around zero",
        ("targets_unscaled",),
        sales,
        0.2,
        0.8,
    ),
    Pair(
        "a GRU in steps of a millionth",
        "a GRU in steps of a hundredth",
        ("learning_rate_too_low",),
        steps_of_a_millionth,
        0.3,
        0.8,
    ),
]
