"""Trainings with nothing wrong, of as many kinds as there are: on these a doctor stays silent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor import data
from benchmarks.doctor.cases.published import adam, bce_logits, raw_pixels, regression, sgd
from benchmarks.doctor.loop import Case, Setup
from benchmarks.doctor.networks import (
    Functional,
    Recurrent,
    Residual,
    Transformer,
    convolutional,
    dense,
    he,
)


def small(
    network: Callable[[], nn.Module],
    optimizer: Callable[[nn.Module], Any] = sgd,
    loss: Any = F.cross_entropy,
    epochs: int = 10,
    batch: int = 32,
    change: Callable[[Setup], None] | None = None,
    **settings: Any,
) -> Callable[[int], Setup]:
    """scikit-learn's digits."""

    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = network()
        setup = Setup(
            model, optimizer(model), loss, *data.digits(), batch=batch, epochs=epochs, **settings
        )
        if change:
            change(setup)
        return setup

    return build


def mlp(*hidden: int, **settings: Any) -> Callable[[], nn.Module]:
    return lambda: dense(64, *hidden, 10, **settings)


def binary(
    network: Callable[[], nn.Module], loss: Any, column: bool = True, threshold: float = 0.0
) -> Callable[[int], Setup]:
    def change(setup: Setup) -> None:
        setup.train, setup.valid = (
            (x, (y > 4).float()[:, None] if column else (y > 4).float())
            for x, y in (setup.train, setup.valid)
        )
        setup.decide = lambda o: (o.reshape(-1) > threshold).long()

    return small(network, adam, loss, change=change)


class Squeezed(nn.Module):
    """One output a sample, as [B]."""

    def __init__(self) -> None:
        super().__init__()
        self.network = dense(64, 32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[:, 0]


class Density(nn.Module):
    """Mean and log of the standard deviation of a normal distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.network = dense(9, 64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def density(o: Tensor, t: Tensor) -> Tensor:
    return (
        o[:, 1:] + 0.5 * ((t - o[:, :1]) / o[:, 1:].exp()) ** 2 + 0.5 * math.log(2 * math.pi)
    ).mean() - 3


def rows(setup: Setup) -> None:
    setup.train, setup.valid = ((x, x) for x, _ in (setup.train, setup.valid))


def many(setup: Setup) -> None:
    setup.train, setup.valid = (
        (x, torch.stack([y % 2, y // 5, y % 3 == 0], 1).float())
        for x, y in (setup.train, setup.valid)
    )


def frozen(setup: Setup) -> None:
    setup.model[0].requires_grad_(False)
    setup.optimizer = sgd(setup.model[2])


def two_optimizers(setup: Setup) -> None:
    setup.optimizer = [sgd(setup.model[0]), adam(setup.model[2], 1e-2)]


def groups(setup: Setup) -> None:
    setup.optimizer = optim.SGD(
        [
            {"params": setup.model[0].parameters(), "lr": 0.1},
            {"params": setup.model[2].parameters(), "lr": 0.05},
        ],
        momentum=0.9,
    )


def cosine(setup: Setup) -> None:
    setup.scheduler = optim.lr_scheduler.CosineAnnealingLR(setup.optimizer, setup.epochs)


def one_cycle(setup: Setup) -> None:
    steps = setup.epochs * -(-len(setup.train[0]) // setup.batch)
    setup.scheduler, setup.each_batch = (
        optim.lr_scheduler.OneCycleLR(setup.optimizer, 0.5, total_steps=steps),
        True,
    )


def mild_imbalance(setup: Setup) -> None:
    x, y = setup.train
    keep = torch.cat([torch.nonzero(y != 8).flatten(), torch.nonzero(y == 8).flatten()[:60]])
    setup.train = x[keep], y[keep]


def plain(setup: Setup) -> None:
    return None


def raw_adam(setup: Setup) -> None:
    raw_pixels(setup)
    setup.optimizer = adam(setup.model)


class Tied(nn.Module):
    """An autoencoder whose decoder is its encoder turned round."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(64, 24)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(torch.relu(self.encode(x)), self.encode.weight.T)


class Twice(nn.Module):
    """A layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.again, self.out = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.into(x))
        return self.out(torch.relu(self.again(torch.relu(self.again(h)))))


def probabilities(o: Tensor, t: Tensor) -> Tensor:
    return -(o.gather(1, t[:, None]) + 1e-9).log().mean()


def zeros(weight: Tensor) -> None:
    nn.init.zeros_(weight)


HEALTHY: dict[str, Callable[[int], Setup]] = {
    "ReLU": small(mlp(64)),
    "ReLU, 2 layers, Adam": small(mlp(64, 32), adam),
    "ReLU, 6 layers, He": small(mlp(*[64] * 6, start=he), lambda m: sgd(m, 0.05)),
    "ReLU, 12 layers, He, Adam": small(mlp(*[64] * 12, start=he), adam, epochs=15),
    "tanh": small(mlp(64, activation=nn.Tanh)),
    "tanh, 4 layers": small(mlp(*[64] * 4, activation=nn.Tanh, start=nn.init.xavier_normal_)),
    "sigmoid": small(mlp(64, activation=nn.Sigmoid), lambda m: sgd(m, 1.0)),
    "sigmoid, Adam": small(mlp(64, activation=nn.Sigmoid), lambda m: adam(m, 0.01)),
    "GELU": small(mlp(64, 64, activation=nn.GELU), adam),
    "SELU, 8 layers": small(
        mlp(
            *[64] * 8,
            activation=nn.SELU,
            start=lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"),
        ),
        lambda m: sgd(m, 0.02),
    ),
    "leaky ReLU": small(mlp(64, 64, activation=nn.LeakyReLU)),
    "ELU": small(mlp(64, 64, activation=nn.ELU)),
    "SiLU": small(mlp(64, 64, activation=nn.SiLU), adam),
    "linear from zeros": small(mlp(start=zeros), lambda m: sgd(m, 0.5)),
    "linear": small(mlp(), lambda m: sgd(m, 0.5)),
    "last layer from zeros": small(
        lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), _zeroed(nn.Linear(64, 10)))
    ),
    "residual, branches from zeros": small(Residual, adam),
    "CNN": small(lambda: convolutional(8, 16, side=8), adam, epochs=6),
    "CNN, norm": small(lambda: convolutional(8, 16, side=8, norm=True), adam, epochs=6),
    "CNN, norm, dropout": small(
        lambda: convolutional(16, 16, side=8, norm=True, dropout=0.3), adam, epochs=8
    ),
    "transformer": small(Transformer, lambda m: adam(m, 2e-3), epochs=12),
    "transformer, 3 layers": small(lambda: Transformer(layers=3), adam, epochs=10),
    "LSTM": small(Recurrent, lambda m: adam(m, 5e-3), epochs=12),
    "GRU": small(lambda: Recurrent(nn.GRU), lambda m: adam(m, 5e-3), epochs=12),
    "autoencoder": small(
        lambda: dense(64, 24, 64), lambda m: adam(m, 3e-3), F.mse_loss, change=rows, epochs=25
    ),
    "linear autoencoder": small(
        lambda: dense(64, 24, 64, activation=nn.Identity),
        lambda m: adam(m, 3e-3),
        F.mse_loss,
        change=rows,
        epochs=25,
    ),
    "tied autoencoder": small(Tied, lambda m: adam(m, 3e-3), F.mse_loss, change=rows, epochs=25),
    "a layer twice": small(Twice, adam),
    "multilabel": small(
        lambda: dense(64, 64, 3), lambda m: adam(m, 3e-3), bce_logits, change=many, epochs=15
    ),
    "binary, logits [B, 1]": binary(lambda: dense(64, 32, 1), bce_logits),
    "binary, logits [B]": binary(Squeezed, bce_logits, column=False),
    "binary, sigmoid and BCE": binary(
        lambda: dense(64, 32, 1, end=nn.Sigmoid()), F.binary_cross_entropy, threshold=0.5
    ),
    "log-softmax and NLL": small(lambda: dense(64, 64, 10, end=nn.LogSoftmax(1)), loss=F.nll_loss),
    "log-softmax and cross-entropy": small(lambda: dense(64, 64, 10, end=nn.LogSoftmax(1))),
    "softmax, -log p by hand": small(
        lambda: dense(64, 64, 10, end=nn.Softmax(1)), loss=probabilities
    ),
    "squared error on one-hot": small(
        lambda: dense(64, 64, 10),
        lambda m: adam(m, 3e-3),
        lambda o, t: F.mse_loss(o, F.one_hot(t, 10).float()),
    ),
    "label smoothing": small(mlp(64), loss=lambda o, t: F.cross_entropy(o, t, label_smoothing=0.1)),
    "weighted cross-entropy": small(
        mlp(64), loss=lambda o, t: F.cross_entropy(o, t, weight=torch.linspace(0.5, 1.5, 10))
    ),
    "summed loss, small rate": small(
        mlp(64), lambda m: sgd(m, 0.003), lambda o, t: F.cross_entropy(o, t, reduction="sum")
    ),
    "regression": regression(data.mpg, lambda: dense(9, 64, 1), adam, 60),
    "regression, SGD": regression(
        data.mpg, lambda: dense(9, 32, 32, 1), lambda m: sgd(m, 0.05), 40
    ),
    "regression, targets of 3 ± 2, Adam": regression(
        lambda: _moved(), lambda: dense(9, 64, 1), lambda m: adam(m, 0.01), 120
    ),
    "sine": regression(
        data.curve("sin", -3, 3),
        lambda: dense(1, 64, 64, 1, activation=nn.Tanh),
        lambda m: adam(m, 5e-3),
        150,
    ),
    "a density, loss below 0": small(
        Density,
        adam,
        density,
        change=lambda s: (setattr(s, "train", data.mpg()[0]), setattr(s, "valid", data.mpg()[1]))[
            0
        ],
        epochs=30,
        read=lambda o: o[:, :1],
    ),
    "momentum .9": small(mlp(64), lambda m: sgd(m, 0.05, momentum=0.9)),
    "Nesterov": small(mlp(64), lambda m: sgd(m, 0.05, momentum=0.9, nesterov=True)),
    "RMSprop": small(mlp(64), lambda m: optim.RMSprop(m.parameters(), lr=1e-3)),
    "Adagrad": small(mlp(64), lambda m: optim.Adagrad(m.parameters(), lr=0.05)),
    "AdamW, decay": small(
        mlp(64), lambda m: optim.AdamW(m.parameters(), lr=3e-3, weight_decay=0.01)
    ),
    "Adadelta": small(mlp(64), lambda m: optim.Adadelta(m.parameters())),
    "SGD, decay 1e-3": small(mlp(64), lambda m: sgd(m, 0.1, weight_decay=1e-3)),
    "cosine": small(mlp(64), change=cosine),
    "one-cycle": small(mlp(64), change=one_cycle),
    "clipped": small(mlp(64), clip=1.0),
    "accumulated": small(mlp(64), accumulate=4, batch=16),
    "zero_grad after the step": small(mlp(64), clear_after=True),
    "full batch": small(mlp(64), lambda m: sgd(m, 0.5), batch=2000, epochs=150),
    "batches of 8": small(mlp(64), lambda m: sgd(m, 0.02), batch=8),
    "batches of 1, small steps": small(mlp(32), lambda m: sgd(m, 0.005), batch=1, epochs=4),
    "not shuffled, mixed": small(mlp(64), shuffle=False),
    "frozen first layer": small(mlp(256), change=frozen),
    "two optimizers": small(mlp(64), change=two_optimizers),
    "two groups": small(mlp(64), change=groups),
    "a rarer class": small(mlp(64), change=mild_imbalance),
    "functional ReLU": small(lambda: Functional(64), lambda m: sgd(m, 0.2)),
    "MNIST, 3 epochs": lambda seed: _digits(3)(seed),
    "MNIST, pixels 0 to 255, Adam": lambda seed: _digits(3, raw_adam)(seed),
    "MNIST, 784-30-10, SGD .5": lambda seed: _digits(5, network=lambda: dense(784, 30, 10), lr=0.5)(
        seed
    ),
    "MNIST, wide": lambda seed: _digits(2, network=lambda: dense(784, 512, 10))(seed),
    "a deep one": small(mlp(*[48] * 20, start=he), lambda m: adam(m, 5e-4), epochs=20),
    "circle, wide": lambda seed: _circle(seed),
    "dropout": small(
        lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
        adam,
    ),
}


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _moved() -> Any:
    (x, y), (xv, yv) = data.mpg()
    return (x, y * 2 + 3), (xv, yv * 2 + 3)


def _digits(
    epochs: int,
    change: Callable[[Setup], None] | None = None,
    network: Callable[[], nn.Module] | None = None,
    lr: float = 0.1,
) -> Callable[[int], Setup]:
    from benchmarks.doctor.cases.published import digits

    return digits(change, network, lr, epochs=epochs)


def _circle(seed: int) -> Setup:
    torch.manual_seed(seed)
    model = dense(2, 64, 32, 1)
    return Setup(
        model,
        adam(model, 0.01),
        bce_logits,
        *data.circle(),
        batch=64,
        epochs=40,
        decide=lambda o: (o.reshape(-1) > 0).long(),
    )


CASES = [
    Case(f"healthy: {name}", "healthy", conditions=(), build=build)
    for name, build in HEALTHY.items()
]
