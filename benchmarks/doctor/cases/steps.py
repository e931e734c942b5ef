"""Cases of our own, so that every condition has one: faulty, with the healthy or cured training it is compared with."""

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
    setup.train = x[keep], y[keep]


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
    setup.train, setup.valid = (x, torch.where(y[:, None] < 5, -1.0, 1.0)), (xv, torch.where(yv[:, None] < 5, -1.0, 1.0))
    setup.model = dense(784, 64, 1)
    setup.optimizer, setup.loss_fn = sgd(setup.model, 0.5), bce_logits
    setup.decide = lambda o: torch.where(o.reshape(-1) > 0, 1, -1)


def ill(seed: int) -> Setup:
    """The quadratic of a raw variable of 0 to 19: the speed example."""
    torch.manual_seed(seed)
    t = torch.arange(0, 20).float()
    y = torch.randn(20) * 3 + 0.75 * (t - 9.5) ** 2 + 1
    x = torch.stack([t ** 2, t, torch.ones(20)], 1)
    model = nn.Linear(3, 1, bias=False)
    return Setup(model, sgd(model, 1e-5), F.mse_loss, (x, y[:, None]), (x, y[:, None]), batch=20, epochs=200)


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
        return Setup(model, adam(model, 0.01), bce_logits, *data.circle(), batch=64, epochs=epochs, decide=lambda o: (o.reshape(-1) > 0).long())
    return build


def recurrent(gain: float) -> Callable[[int], Setup]:
    """A deep tanh network with weights `gain` times Xavier's."""
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = dense(64, *[64] * 6, 10, activation=nn.Tanh, start=lambda w: nn.init.xavier_normal_(w, gain))
        return Setup(model, sgd(model, 0.05), F.cross_entropy, *data.digits(), batch=32, epochs=6)
    return build


def relu_gain(gain: float) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = dense(64, *[64] * 8, 10, start=lambda w: w.normal_(0, gain * (2 / w.shape[1]) ** 0.5))
        return Setup(model, sgd(model, 0.02), F.cross_entropy, *data.digits(), batch=32, epochs=6)
    return build


def table(network: Callable[[], nn.Module], epochs: int = 60, lr: float = 1e-3) -> Callable[[int], Setup]:
    return regression(data.table, network, lambda m: adam(m, lr), epochs)


CASES = [
    Case("digits: 8 ReLU layers, weights 3 times He", "faulty", relu_gain(3.0), ("signal_explodes", "exploding_gradient", "output_overconfident",
                                                                               "learning_rate_too_high"), "digits: 8 ReLU layers, He"),
    Case("digits: 8 ReLU layers, He", "cured", relu_gain(1.0)),
    Case("digits: tanh, weights 20 times Xavier", "faulty", recurrent(20.0), ("saturated_units", "output_overconfident"), "digits: tanh"),
    Case("digits: tanh", "cured", recurrent(1.0)),
    Case("circle: no activation", "faulty", regression(data.circle, lambda: dense(2, 16, 16, 1, activation=nn.Identity), lambda m: adam(m, 0.01), 30),
         ("no_nonlinearity", "too_small"), "circle: 16 units"),
    Case("circle: no hidden layer", "faulty", small_circle(0, 60), ("too_small", "underfitting"), "circle: 16 units"),
    Case("circle: 1 hidden unit", "faulty", small_circle(1, 60), ("too_small", "dead_units", "underfitting"), "circle: 16 units"),
    Case("circle: 16 units", "cured", small_circle(16, 60)),
    Case("CNN: trained in evaluation mode", "faulty", changed(evaluation_mode, network=lambda: convolutional(8, 16, norm=True, dropout=0.5)), ("mode_mismatch",),
         "CNN with norm", structural=True),
    Case("CNN: judged in training mode", "faulty", changed(judged_in_training_mode, network=lambda: convolutional(8, 16, norm=True, dropout=0.5)),
         ("mode_mismatch",), "CNN with norm", structural=True),
    Case("CNN: running statistics never move", "faulty", changed(tiny_statistics, network=lambda: convolutional(8, 16, norm=True)), ("mode_mismatch",),
         "CNN with norm"),
    Case("CNN with norm", "healthy", digits(network=lambda: convolutional(8, 16, norm=True, dropout=0.5))),
    Case("MNIST: sigmoid, then BCE with logits", "faulty", changed(lambda s: (plus_minus(s), setattr(s, "train", (s.train[0], (s.train[1] + 1) / 2)), setattr(
        s, "model", dense(784, 64, 1, end=nn.Sigmoid())), setattr(s, "optimizer", sgd(s.model, 0.5)), setattr(s, "valid", (s.valid[0], (
            s.valid[1] + 1) / 2)), setattr(s, "decide", lambda o: (o.reshape(-1) > 0.5).long()))[0]), ("output_loss_mismatch",), "MNIST", structural=True),
    Case("MNIST: targets -1 and 1", "faulty", changed(plus_minus), ("target_out_of_range",), "MNIST", structural=True),
    Case("MNIST: class numbers regressed", "faulty", changed(one_column), ("loss_unsuited",), "MNIST"),
    Case("MNIST: loss negated", "faulty", changed(loss(lambda o, t: -F.cross_entropy(o, t))), ("loss_sign",), "MNIST"),
    Case("MNIST: loss maximized", "faulty", changed(optimizer(lambda m: sgd(m, 0.1, maximize=True))), ("loss_sign",), "MNIST"),
    Case("MNIST: loss summed", "faulty", changed(loss(lambda o, t: F.cross_entropy(o, t, reduction="sum"))), ("loss_scale", "learning_rate_too_high"), "MNIST"),
    Case("MNIST: a detached layer", "faulty", changed(detached), ("parameters_not_updated",), "MNIST"),
    Case("MNIST: no step", "faulty", changed(no_step), ("parameters_not_updated",), "MNIST"),
    Case("MNIST: SGD 3, functional ReLU", "faulty", digits(network=Functional, lr=3.0), ("learning_rate_too_high", "dead_units"), "MNIST"),
    Case("MNIST: Adam .3", "faulty", changed(optimizer(lambda m: adam(m, 0.3))), ("learning_rate_too_high", "dead_units"), "MNIST"),
    Case("MNIST: Adam 1e-6", "faulty", changed(optimizer(lambda m: adam(m, 1e-6))), ("learning_rate_too_low",), "MNIST"),
    Case("speed: raw t", "faulty", ill, ("inputs_unscaled", "ill_conditioned", "targets_unscaled"), "speed: standardised"),
    Case("speed: standardised", "cured", ill_cured),
    Case("MNIST: momentum .999", "faulty", changed(optimizer(lambda m: sgd(m, 0.1, momentum=0.999))), ("optimizer_setting", "learning_rate_too_high"), "MNIST"),
    Case("MNIST: Adam with eps 10", "faulty", changed(optimizer(lambda m: optim.Adam(m.parameters(), lr=1e-3, eps=10.0))), ("optimizer_setting",), "MNIST"),
    Case("MNIST: schedule stepped per batch", "faulty", changed(per_batch), ("schedule_collapsed",), "MNIST"),
    Case("MNIST: a NaN among the inputs", "faulty", changed(missing_numbers), ("inputs_not_finite",), "MNIST"),
    Case("MNIST: 30 % of the labels wrong", "faulty", changed(noisy), ("label_noise", "overfitting"), "MNIST"),
    Case("MNIST: a class of 6 samples", "faulty", changed(rare), ("class_imbalance",), "MNIST", structural=True),
    Case("MNIST: 150 samples by heart", "faulty", changed(few), ("overfitting",), "MNIST"),
    Case("table: one epoch", "faulty", table(lambda: dense(6, 64, 1), epochs=2, lr=3e-4), ("stopped_early", "learning_rate_too_low"), "table: 60 epochs"),
    Case("table: 60 epochs", "cured", table(lambda: dense(6, 64, 1))),
]
