"""The evaluation path: what is random or taken from the batch stays so when the network is used."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right


def train_and_judge(
    watch: Watch,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    count: int,
    epochs: int,
    lr: float,
    evaluation_mode: bool = True,
) -> tuple[object, Tensor]:
    """Epochs of training, each with an evaluation in batches of 20 as they stand; the last one's
    answers.
    """
    loss_fn = F.mse_loss if y.is_floating_point() else F.cross_entropy
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with watch(model, optimizer) as watching:
        for _ in range(epochs):
            model.train()
            for chosen in batches(count, 32, 1):
                descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
            if evaluation_mode:
                model.eval()
            with torch.no_grad():
                answer = torch.cat([model(part) for part in x[count:].split(20)])
            watching.valid(loss=float(loss_fn(answer, y[count:])))
    return watching, answer


def sorted_by_class(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The samples after the first `count` in the order of their classes, as folders give them."""
    order = torch.cat([torch.arange(count), count + y[count:].argsort()])
    return x[order], y[order]


def judged_in_training_mode(cured: bool, watch: Watch) -> Trained:
    """Batch norm by the batch in the evaluation too, where a batch is of one class."""
    x, y = sorted_by_class(*clouds(1200, 4, 8), 800)
    model = nn.Sequential(
        nn.BatchNorm1d(8), nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4)
    )
    watching, answer = train_and_judge(watch, model, x, y, 800, 8, 5e-3, evaluation_mode=cured)
    return Trained(watching, right(answer, y[800:]), known(x, y, 800, F.cross_entropy))


def slow_statistics(cured: bool, watch: Watch) -> Trained:
    """Each batch moves the running values by a ten-thousandth."""
    x, y = bars(900)
    x = 20 + 5 * x
    model = nn.Sequential(
        nn.BatchNorm2d(1, momentum=0.1 if cured else 1e-4),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 4),
    )
    watching, answer = train_and_judge(watch, model, x, y, 700, 8, 3e-3)
    return Trained(watching, right(answer, y[700:]), known(x, y, 700, F.cross_entropy))


class DropoutMadeInForward(nn.Module):
    """Dropout as a layer of the network, or made anew in `forward` and so never in evaluation."""

    def __init__(self, as_layer: bool) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(8, 16), nn.Linear(16, 5)
        self.dropout = nn.Dropout(0.7) if as_layer else None

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.into(x))
        h = self.dropout(h) if self.dropout is not None else nn.Dropout(0.7)(h)
        kinds: Tensor = self.out(h)
        return kinds


def dropout_made_in_forward(cured: bool, watch: Watch) -> Trained:
    x, y = clouds(1400, 5, 8, apart=1.5)
    model = DropoutMadeInForward(cured)
    watching, answer = train_and_judge(watch, model, x, y, 1100, 12, 5e-3)
    return Trained(watching, right(answer, y[1100:]), known(x, y, 1100, F.cross_entropy))


class Noisy(nn.Module):
    """Noise on the hidden values, while training or always."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always
        self.into, self.out = nn.Linear(10, 32), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.into(x))
        if self.training or self.always:
            h = h + 3 * torch.randn_like(h)
        kinds: Tensor = self.out(h)
        return kinds


def noise_always_on(cured: bool, watch: Watch) -> Trained:
    x, y = clouds(1200, 5, 10, apart=1.2)
    model = Noisy(not cured)
    watching, answer = train_and_judge(watch, model, x, y, 900, 10, 3e-3)
    return Trained(watching, right(answer, y[900:]), known(x, y, 900, F.cross_entropy))


class FunctionalNorm(nn.Module):
    """Batch norm as a function, told that it is training or told the truth."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always
        self.mean: Tensor
        self.var: Tensor
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("var", torch.ones(8))
        self.layers = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        training = self.training or self.always
        kinds: Tensor = self.layers(F.batch_norm(x, self.mean, self.var, training=training))
        return kinds


def functional_norm_always_on(cured: bool, watch: Watch) -> Trained:
    x, y = sorted_by_class(*clouds(1200, 4, 8), 800)
    model = FunctionalNorm(not cured)
    watching, answer = train_and_judge(watch, model, x, y, 800, 8, 5e-3)
    return Trained(watching, right(answer, y[800:]), known(x, y, 800, F.cross_entropy))


PAIRS = [
    Pair(
        "evaluation in training mode, a class at a time",
        "evaluation in evaluation mode, a class at a time",
        ("mode_mismatch", "samples_mixed"),
        judged_in_training_mode,
        0.8,
        0.88,
    ),
    Pair(
        "batch norm whose statistics hardly move",
        "batch norm whose statistics follow",
        ("mode_mismatch",),
        slow_statistics,
        0.7,
        0.85,
    ),
    Pair(
        "dropout made in forward",
        "dropout as a layer",
        ("mode_mismatch",),
        dropout_made_in_forward,
        0.82,
        0.86,
    ),
    Pair(
        "noise in training and in use",
        "noise in training only",
        ("mode_mismatch",),
        noise_always_on,
        0.8,
        0.85,
    ),
    Pair(
        "functional batch norm always training",
        "functional batch norm in its mode",
        ("mode_mismatch", "samples_mixed"),
        functional_norm_always_on,
        0.8,
        0.88,
    ),
]
