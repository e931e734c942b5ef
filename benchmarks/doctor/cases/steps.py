"""Cases of our own, so that every condition has one: faulty, with the healthy or cured training it
is compared with.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor import data
from benchmarks.doctor.cases.published import adam, bce_logits, digits, regression, sgd
from benchmarks.doctor.loop import Case, Setup
from benchmarks.doctor.networks import Functional, convolutional, dense


def changed(change: Callable[[Setup], None], **settings: object) -> Callable[[int], Setup]:
    return digits(change, **settings)  # type: ignore[arg-type]


def optimizer(make: Callable[[nn.Module], optim.Optimizer]) -> Callable[[Setup], None]:
    def change(setup: Setup) -> None:
        setup.optimizer = make(setup.model)

    return change


def loss(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Setup], None]:
    def change(setup: Setup) -> None:
        setup.loss_fn = function

    return change


def per_batch(setup: Setup) -> None:
    setup.scheduler, setup.each_batch = optim.lr_scheduler.StepLR(setup.optimizer, 2, 0.5), True


def missing_numbers(setup: Setup) -> None:
    x, y = setup.train
    x = x.clone()
    x[17, 300] = float("nan")
    setup.train = x, y


def noisy(setup: Setup) -> None:
    x, y = setup.train
    draw = torch.Generator().manual_seed(0)
    wrong = torch.rand(len(y), generator=draw) < 0.3
    setup.train = x, torch.where(wrong, (y + torch.randint(1, 10, y.shape, generator=draw)) % 10, y)
    setup.epochs = 25
    setup.optimizer = adam(setup.model)


def rare(setup: Setup) -> None:
    """A class of 1 %, seldom enough never to be answered in the time given."""
    x, y = setup.train
    keep = torch.cat([torch.nonzero(y != 8).flatten(), torch.nonzero(y == 8).flatten()[:6]])
    setup.train, setup.epochs = (x[keep], y[keep]), 6


def few(setup: Setup) -> None:
    """Learned by heart: 150 samples for 100,000 parameters."""
    setup.train = setup.train[0][:150], setup.train[1][:150]
    setup.model = dense(784, 512, 10)
    setup.optimizer, setup.epochs, setup.batch = adam(setup.model), 60, 32


def evaluation_mode(setup: Setup) -> None:
    setup.train_mode = False


def judged_in_training_mode(setup: Setup) -> None:
    setup.eval_mode, setup.evaluate_each = False, True


def tiny_statistics(setup: Setup) -> None:
    for module in setup.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0


def detached(setup: Setup) -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(784, 128), nn.Linear(128, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(F.relu(self.first(x)).detach())

    setup.model = Detached()
    setup.optimizer = sgd(setup.model)


def no_step(setup: Setup) -> None:
    setup.step = False


def one_column(setup: Setup) -> None:
    """Class numbers as numbers."""
    setup.model = dense(784, 128, 1)
    setup.optimizer = sgd(setup.model, 0.01)
    setup.train, setup.valid = ((x, y.float()[:, None]) for x, y in (setup.train, setup.valid))
    setup.loss_fn, setup.decide = F.mse_loss, lambda o: o.round().long().reshape(-1)


def plus_minus(setup: Setup) -> None:
    """Targets -1 and 1 for a loss that takes 0 and 1."""
    (x, y), (xv, yv) = setup.train, setup.valid
    setup.train, setup.valid = (
        (x, torch.where(y[:, None] < 5, -1.0, 1.0)),
        (xv, torch.where(yv[:, None] < 5, -1.0, 1.0)),
    )
    setup.model = dense(784, 64, 1)
    setup.optimizer, setup.loss_fn = sgd(setup.model, 0.5), bce_logits
    setup.decide = lambda o: torch.where(o.reshape(-1) > 0, 1, -1)


def ill(seed: int) -> Setup:
    """The quadratic of a raw variable of 0 to 19: the speed example."""
    torch.manual_seed(seed)
    t = torch.arange(0, 20).float()
    y = torch.randn(20) * 3 + 0.75 * (t - 9.5) ** 2 + 1
    x = torch.stack([t**2, t, torch.ones(20)], 1)
    model = nn.Linear(3, 1, bias=False)
    return Setup(
        model, sgd(model, 1e-5), F.mse_loss, (x, y[:, None]), (x, y[:, None]), batch=20, epochs=200
    )


def ill_cured(seed: int) -> Setup:
    setup = ill(seed)
    x, y = setup.train
    x = torch.cat([(x[:, :2] - x[:, :2].mean(0)) / x[:, :2].std(0), x[:, 2:]], 1)
    y = (y - y.mean()) / y.std()
    setup.train = setup.valid = x, y
    setup.optimizer, setup.epochs = sgd(setup.model, 0.3), 400
    return setup


def small_circle(width: int, epochs: int = 200) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = dense(2, width, 1) if width else nn.Linear(2, 1)
        return Setup(
            model,
            adam(model, 0.01),
            bce_logits,
            *data.circle(),
            batch=64,
            epochs=epochs,
            decide=lambda o: (o.reshape(-1) > 0).long(),
        )

    return build


def recurrent(gain: float) -> Callable[[int], Setup]:
    """A deep tanh network with weights `gain` times Xavier's."""

    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = dense(
            64, *[64] * 6, 10, activation=nn.Tanh, start=lambda w: nn.init.xavier_normal_(w, gain)
        )
        return Setup(model, sgd(model, 0.05), F.cross_entropy, *data.digits(), batch=32, epochs=6)

    return build


def relu_gain(gain: float) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = dense(
            64, *[64] * 8, 10, start=lambda w: w.normal_(0, gain * (2 / w.shape[1]) ** 0.5)
        )
        return Setup(model, sgd(model, 0.02), F.cross_entropy, *data.digits(), batch=32, epochs=6)

    return build


def table(
    network: Callable[[], nn.Module], epochs: int = 60, lr: float = 1e-3
) -> Callable[[int], Setup]:
    return regression(data.mpg, network, lambda m: adam(m, lr), epochs)


def linear_table(lr: float, epochs: int) -> Callable[[int], Setup]:
    """A linear model of the table; beyond lr = .3 every step is longer than the one before."""
    return regression(data.mpg, lambda: nn.Linear(9, 1), lambda m: sgd(m, lr), epochs)


CASES = [
    Case(
        "digits: 8 ReLU layers, weights 3 times He",
        "faulty",
        build=relu_gain(3.0),
        conditions=(
            "signal_explodes",
            "exploding_gradient",
            "output_overconfident",
            "learning_rate_too_high",
        ),
        twin="digits: 8 ReLU layers, He",
    ),
    Case("digits: 8 ReLU layers, He", "cured", conditions=(), build=relu_gain(1.0)),
    Case(
        "digits: tanh, weights 20 times Xavier",
        "faulty",
        build=recurrent(20.0),
        conditions=("saturated_units", "output_overconfident"),
        twin="digits: tanh",
    ),
    Case("digits: tanh", "cured", conditions=(), build=recurrent(1.0)),
    Case(
        "circle: no activation",
        "faulty",
        build=regression(
            data.circle,
            lambda: dense(2, 16, 16, 1, activation=nn.Identity),
            lambda m: adam(m, 0.01),
            30,
        ),
        conditions=("no_nonlinearity", "too_small"),
        twin="circle: 16 units",
    ),
    Case(
        "circle: no hidden layer",
        "faulty",
        build=small_circle(0, 60),
        conditions=("too_small", "underfitting"),
        twin="circle: 16 units",
    ),
    Case(
        "circle: 1 hidden unit",
        "faulty",
        build=small_circle(1, 60),
        conditions=("too_small", "dead_units", "underfitting"),
        twin="circle: 16 units",
    ),
    Case("circle: 16 units", "cured", conditions=(), build=small_circle(16, 60)),
    Case(
        "CNN: trained in evaluation mode",
        "faulty",
        build=changed(
            evaluation_mode,
            network=lambda: convolutional(8, 16, norm=True, dropout=0.3),
            batch=64,
            epochs=4,
        ),
        conditions=("mode_mismatch",),
        twin="CNN with norm",
        structural=True,
    ),
    Case(
        "CNN: judged in training mode",
        "faulty",
        build=changed(
            judged_in_training_mode,
            network=lambda: convolutional(8, 16, norm=True, dropout=0.3),
            batch=64,
            epochs=4,
        ),
        conditions=("mode_mismatch",),
        twin="CNN with norm",
        structural=True,
    ),
    Case(
        "CNN: running statistics never move",
        "faulty",
        build=changed(
            tiny_statistics, network=lambda: convolutional(8, 16, norm=True), batch=64, epochs=4
        ),
        conditions=("mode_mismatch",),
        twin="CNN with norm",
    ),
    Case(
        "CNN with norm",
        "healthy",
        conditions=(),
        build=digits(
            network=lambda: convolutional(8, 16, norm=True, dropout=0.3), batch=64, epochs=4
        ),
    ),
    Case(
        "MNIST: sigmoid, then BCE with logits",
        "faulty",
        build=changed(
            lambda s: (
                plus_minus(s),
                setattr(s, "train", (s.train[0], (s.train[1] + 1) / 2)),
                setattr(s, "model", dense(784, 64, 1, end=nn.Sigmoid())),
                setattr(s, "optimizer", sgd(s.model, 0.5)),
                setattr(s, "valid", (s.valid[0], (s.valid[1] + 1) / 2)),
                setattr(s, "decide", lambda o: (o.reshape(-1) > 0.5).long()),
            )[0]
        ),
        conditions=("output_loss_mismatch",),
        twin="MNIST",
        structural=True,
    ),
    Case(
        "MNIST: targets -1 and 1",
        "faulty",
        build=changed(plus_minus),
        conditions=("target_out_of_range",),
        twin="MNIST",
        structural=True,
    ),
    Case(
        "MNIST: class numbers regressed",
        "faulty",
        build=changed(one_column),
        conditions=("loss_unsuited",),
        twin="MNIST",
    ),
    Case(
        "MNIST: loss negated",
        "faulty",
        build=changed(loss(lambda o, t: -F.cross_entropy(o, t))),
        conditions=("loss_sign",),
        twin="MNIST",
    ),
    Case(
        "MNIST: loss maximized",
        "faulty",
        build=changed(optimizer(lambda m: sgd(m, 0.1, maximize=True))),
        conditions=("loss_sign",),
        twin="MNIST",
    ),
    Case(
        "MNIST: loss summed",
        "faulty",
        build=changed(loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"))),
        conditions=("loss_scale", "learning_rate_too_high"),
        twin="MNIST",
    ),
    Case(
        "MNIST: a detached layer",
        "faulty",
        build=changed(detached),
        conditions=("parameters_not_updated",),
        twin="MNIST",
    ),
    Case(
        "MNIST: no step",
        "faulty",
        build=changed(no_step),
        conditions=("parameters_not_updated",),
        twin="MNIST",
    ),
    Case(
        "MNIST: SGD 3, functional ReLU",
        "faulty",
        build=digits(network=Functional, lr=3.0),
        conditions=("learning_rate_too_high", "dead_units"),
        twin="MNIST",
    ),
    Case(
        "MNIST: Adam .3",
        "faulty",
        build=changed(optimizer(lambda m: adam(m, 0.3))),
        conditions=("learning_rate_too_high", "dead_units"),
        twin="MNIST",
    ),
    Case(
        "MNIST: Adam 1e-6",
        "faulty",
        build=changed(optimizer(lambda m: adam(m, 1e-6))),
        conditions=("learning_rate_too_low",),
        twin="MNIST",
    ),
    Case(
        "speed: raw t",
        "faulty",
        build=ill,
        conditions=("inputs_unscaled", "ill_conditioned", "targets_unscaled"),
        twin="speed: standardised",
    ),
    Case("speed: standardised", "cured", conditions=(), build=ill_cured),
    Case(
        "MNIST: momentum .999",
        "faulty",
        build=changed(optimizer(lambda m: sgd(m, 0.1, momentum=0.999))),
        conditions=("optimizer_setting", "learning_rate_too_high"),
        twin="MNIST",
    ),
    Case(
        "MNIST: Adam with eps 10",
        "faulty",
        build=changed(optimizer(lambda m: optim.Adam(m.parameters(), lr=1e-3, eps=10.0))),
        conditions=("optimizer_setting",),
        twin="MNIST",
    ),
    Case(
        "MNIST: schedule stepped per batch",
        "faulty",
        build=changed(per_batch),
        conditions=("schedule_collapsed",),
        twin="MNIST",
    ),
    Case(
        "MNIST: a NaN among the inputs",
        "faulty",
        build=changed(missing_numbers),
        conditions=("inputs_not_finite",),
        twin="MNIST",
    ),
    Case(
        "MNIST: 30 % of the labels wrong",
        "faulty",
        build=changed(noisy),
        conditions=("label_noise", "overfitting"),
        twin="MNIST",
    ),
    Case(
        "MNIST: a class of 6 samples",
        "faulty",
        build=changed(rare),
        conditions=("class_imbalance",),
        twin="MNIST",
        structural=True,
    ),
    Case(
        "MNIST: 150 samples by heart",
        "faulty",
        build=changed(few),
        conditions=("overfitting",),
        twin="MNIST",
    ),
    Case(
        "table: one epoch",
        "faulty",
        build=table(lambda: dense(9, 64, 1), epochs=2, lr=3e-4),
        conditions=("stopped_early", "learning_rate_too_low"),
        twin="table: 60 epochs",
    ),
    Case("table: 60 epochs", "cured", conditions=(), build=table(lambda: dense(9, 64, 1))),
    Case(
        "table: linear, SGD .5",
        "faulty",
        build=linear_table(0.5, epochs=4),
        conditions=("learning_rate_too_high", "exploding_gradient", "not_finite"),
        twin="table: linear, SGD .05",
    ),
    Case("table: linear, SGD .05", "cured", conditions=(), build=linear_table(0.05, epochs=10)),
]
