"""Faults that have been published, with the cure that was published or measured for each.

Sources: DeepFD (ICSE 2022), AUTOTRAINER (ICSE 2021), DEFault (ICSE 2025) and questions of users;
MNIST 784-128-10 with one fault at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from benchmarks.doctor import data
from benchmarks.doctor.loop import Case, Setup
from benchmarks.doctor.networks import Exponential, constant, convolutional, dense, he, small


def bce(p: Tensor, t: Tensor) -> Tensor:
    """By hand, because PyTorch's own raises an error for what is not a number."""
    return -(t * p.clamp_min(1e-7).log() + (1 - t) * (1 - p).clamp_min(1e-7).log()).mean()


def bce_logits(o: Tensor, t: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(o, t)


def adam(network: nn.Module, lr: float = 1e-3) -> optim.Optimizer:
    return optim.Adam(network.parameters(), lr=lr, eps=1e-7)


def sgd(network: nn.Module, lr: float = 0.1, **more: Any) -> optim.Optimizer:
    return optim.SGD(network.parameters(), lr=lr, **more)


def circle(network: Callable[[], nn.Module], epochs: int = 150) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = network()
        return Setup(model, adam(model), bce, *data.circle(), batch=128, epochs=epochs)

    return build


def digits(
    change: Callable[[Setup], None] | None = None,
    network: Callable[[], nn.Module] | None = None,
    lr: float = 0.1,
    **settings: Any,
) -> Callable[[int], Setup]:
    """MNIST 784-128-10 ReLU, SGD .1, batch 128, with one change."""

    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = network() if network else dense(784, 128, 10)
        setup = Setup(model, sgd(model, lr), F.cross_entropy, *data.mnist(), **settings)
        if change:
            change(setup)
        return setup

    return build


def regression(
    pair: Any,
    network: Callable[[], nn.Module],
    optimizer: Callable[[nn.Module], optim.Optimizer],
    epochs: int,
    batch: int = 32,
    **settings: Any,
) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = network()
        return Setup(
            model,
            optimizer(model),
            F.mse_loss,
            *(pair() if callable(pair) else pair),
            batch=batch,
            epochs=epochs,
            **settings,
        )

    return build


def scaled_curve(f: str, low: float, high: float, count: int = 200) -> Any:
    (x, y), (xv, yv) = data.curve(f, low, high, count)
    return ((x - x.mean()) / x.std(), (y - y.mean()) / y.std()), (
        (xv - x.mean()) / x.std(),
        (yv - y.mean()) / y.std(),
    )


def whole_parabola(steps: int) -> Callable[[int], Setup]:
    """All samples in every step, so that the loss falls without noise."""
    return regression(
        lambda: scaled_curve("x2", -4, 4),
        lambda: dense(1, 50, 50, 1),
        lambda m: adam(m, 0.002),
        steps,
        batch=150,
    )


def shuffled_table() -> Any:
    (x, y), valid = data.mpg()
    return (x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]), valid


def raw_pixels(setup: Setup) -> None:
    setup.train, setup.valid = ((x * 255, y) for x, y in (setup.train, setup.valid))


def raw_train(setup: Setup) -> None:
    setup.train = setup.train[0] * 255, setup.train[1]
    setup.optimizer = adam(setup.model)


def random_labels(setup: Setup) -> None:
    x, y = setup.train
    setup.train = x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]


def in_order(setup: Setup) -> None:
    x, y = setup.train
    order = y.argsort(stable=True)
    setup.train, setup.shuffle = (x[order], y[order]), False


def same_batch(setup: Setup) -> None:
    setup.same_batch = True


def off_by_one(setup: Setup) -> None:
    setup.valid = setup.valid[0], (setup.valid[1] + 1) % 10


def only_head(setup: Setup) -> None:
    setup.optimizer = optim.SGD(setup.model[2].parameters(), lr=0.1)


def other_network(setup: Setup) -> None:
    setup.optimizer = sgd(dense(784, 128, 10))


def loss(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Setup], None]:
    def change(setup: Setup) -> None:
        setup.loss_fn = function

    return change


def threes(setup: Setup) -> None:
    """3 against 7, one output, squared error of [B, 1] against [B]."""
    setup.train, setup.valid = (
        ((x[(y == 3) | (y == 7)]), (y[(y == 3) | (y == 7)] == 3).float())
        for x, y in (setup.train, setup.valid)
    )
    setup.model = dense(784, 30, 1)
    setup.optimizer, setup.loss_fn = sgd(setup.model), F.mse_loss
    setup.decide = lambda o: (o.reshape(-1) > 0.5).long()


def threes_cured(setup: Setup) -> None:
    threes(setup)
    setup.train, setup.valid = ((x, y[:, None]) for x, y in (setup.train, setup.valid))


def one_output(setup: Setup) -> None:
    threes(setup)
    setup.train, setup.valid = ((x, y[:, None]) for x, y in (setup.train, setup.valid))
    setup.loss_fn, setup.decide = F.cross_entropy, lambda o: (o.reshape(-1) > 0).long()


def decay(setup: Setup) -> None:
    setup.optimizer = sgd(setup.model, 0.1, weight_decay=0.5)


def deep(activation: type[nn.Module], start: Any = None) -> Callable[[], nn.Module]:
    return lambda: dense(784, *[64] * 8, 10, activation=activation, start=start)


def blob_clipped(seed: int) -> Setup:
    torch.manual_seed(seed)
    model = dense(2, 50, 50, 50, 50, 3, start=he, end=nn.ReLU())

    def normalised(o: Tensor, t: Tensor) -> Tensor:
        p = o / o.sum(1, keepdim=True).clamp_min(1e-7)
        return F.nll_loss(p.clamp(1e-7, 1).log(), t)

    return Setup(model, adam(model, 1e-4), normalised, *data.blob(), batch=256, epochs=300)


def blob(
    network: Callable[[], nn.Module],
    optimizer: Callable[[nn.Module], optim.Optimizer],
    batch: int,
    epochs: int,
) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = network()
        return Setup(
            model, optimizer(model), F.cross_entropy, *data.blob(), batch=batch, epochs=epochs
        )

    return build


def xor(seed: int) -> Setup:
    torch.manual_seed(seed)
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = torch.tensor([[0.0], [1], [1], [0]])
    model = nn.Sequential(
        nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Softmax(1)
    )
    return Setup(model, sgd(model, 1e-3), F.mse_loss, (x, y), (x, y), batch=4, epochs=20)


def xor_cured(seed: int) -> Setup:
    torch.manual_seed(seed)
    setup = xor(seed)
    setup.model = dense(2, 16, 1, activation=nn.Tanh)
    setup.optimizer, setup.loss_fn, setup.epochs = adam(setup.model, 0.05), bce_logits, 200
    setup.decide = lambda o: (o.reshape(-1) > 0).long()
    return setup


def cnn(end: nn.Module | None, lr: float, epochs: int = 2) -> Callable[[int], Setup]:
    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = convolutional(8, 16, end=end)
        return Setup(model, sgd(model, lr), F.cross_entropy, *data.mnist(), batch=64, epochs=epochs)

    return build


sigmoid = nn.Sigmoid()
CASES = [
    Case(
        "circle: 8 sigmoid layers",
        "faulty",
        build=circle(lambda: dense(2, *[5] * 8, 1, activation=nn.Sigmoid, start=he, end=sigmoid)),
        conditions=("vanishing_gradient", "signal_vanishes", "saturated_units"),
        twin="circle: 8 SELU layers",
    ),
    Case(
        "circle: 8 SELU layers",
        "cured",
        conditions=(),
        build=circle(
            lambda: dense(
                2,
                *[5] * 8,
                1,
                activation=nn.SELU,
                end=sigmoid,
                start=lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"),
            )
        ),
    ),
    Case(
        "circle: 9 exponential layers",
        "faulty",
        build=circle(
            lambda: dense(2, *[5] * 9, 1, activation=Exponential, start=he, end=sigmoid), 20
        ),
        conditions=("signal_explodes", "exploding_gradient", "not_finite"),
        twin="circle: 8 SELU layers",
    ),
    Case(
        "circle: 8 ReLU layers, weights within .05",
        "faulty",
        build=circle(lambda: dense(2, *[5] * 8, 1, start=small, end=sigmoid)),
        conditions=("signal_vanishes", "dead_units", "vanishing_gradient"),
        twin="circle: 8 SELU layers",
    ),
    Case(
        "blob: ReLU at the output",
        "faulty",
        build=blob_clipped,
        conditions=("output_loss_mismatch", "dead_units"),
        twin="blob: logits",
    ),
    Case(
        "blob: logits",
        "cured",
        conditions=(),
        build=blob(lambda: dense(2, 50, 50, 3, start=he), lambda m: adam(m, 1e-3), 64, 30),
    ),
    Case(
        "blob: batch 1, momentum .9",
        "faulty",
        build=blob(lambda: dense(2, 50, 3), lambda m: sgd(m, 0.01, momentum=0.9), 1, 4),
        conditions=("batch_too_small", "learning_rate_too_high"),
        twin="blob: logits",
    ),
    Case(
        "xor: softmax over one unit",
        "faulty",
        build=xor,
        conditions=("output_loss_mismatch", "learning_rate_too_low"),
        twin="xor: logits",
    ),
    Case("xor: logits", "cured", conditions=(), build=xor_cured),
    Case(
        "y to 103 behind a sigmoid",
        "faulty",
        build=regression(
            data.curve("x2", 0, 4.5),
            lambda: dense(1, 5, 1, activation=nn.Sigmoid, end=nn.Sigmoid()),
            lambda m: sgd(m, 0.01),
            60,
        ),
        conditions=("target_out_of_range",),
        twin="parabola, scaled",
    ),
    Case(
        "parabola: SGD .1",
        "faulty",
        build=regression(
            data.curve("x2", -4, 4, 50, noise=1.0),
            lambda: dense(1, 50, 30, 1, start=he),
            lambda m: sgd(m, 0.1),
            60,
        ),
        conditions=("learning_rate_too_high", "targets_unscaled", "dead_units", "not_finite"),
        twin="parabola, scaled",
    ),
    Case(
        "parabola, scaled",
        "cured",
        conditions=(),
        build=regression(
            lambda: scaled_curve("x2", -4, 4),
            lambda: dense(1, 50, 30, 1, start=he),
            lambda m: adam(m, 0.01),
            100,
        ),
    ),
    Case(
        "parabola: 12 steps",
        "faulty",
        build=whole_parabola(12),
        conditions=("stopped_early", "learning_rate_too_low"),
        twin="parabola: 400 steps",
    ),
    Case("parabola: 400 steps", "cured", conditions=(), build=whole_parabola(400)),
    Case(
        "x⁴ on ±100, raw",
        "faulty",
        build=regression(
            data.curve("x4", -100, 100),
            lambda: nn.Sequential(
                nn.Linear(1, 50), nn.Sigmoid(), nn.Linear(50, 50), nn.ELU(), nn.Linear(50, 1)
            ),
            adam,
            60,
        ),
        conditions=("targets_unscaled", "inputs_unscaled"),
        twin="x⁴, scaled",
    ),
    Case(
        "x⁴, scaled",
        "cured",
        conditions=(),
        build=regression(
            lambda: scaled_curve("x4", -100, 100),
            lambda: nn.Sequential(
                nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 50), nn.ELU(), nn.Linear(50, 1)
            ),
            lambda m: adam(m, 0.01),
            150,
        ),
    ),
    Case(
        "5x: RMSprop 1e-3",
        "faulty",
        build=regression(
            data.curve("5x", 1, 2, 20),
            lambda: nn.Linear(1, 1),
            lambda m: optim.RMSprop(m.parameters(), lr=1e-3),
            200,
        ),
        conditions=("learning_rate_too_low", "stopped_early"),
        twin="5x: RMSprop .1",
    ),
    Case(
        "5x: RMSprop .1",
        "cured",
        conditions=(),
        build=regression(
            data.curve("5x", 1, 2, 20),
            lambda: nn.Linear(1, 1),
            lambda m: optim.RMSprop(m.parameters(), lr=0.1),
            300,
        ),
    ),
    Case(
        "MNIST: two linear layers, N(0, 1), SGD 3",
        "faulty",
        build=digits(
            loss(lambda o, t: F.mse_loss(o, F.one_hot(t, 10).float())),
            network=lambda: dense(784, 30, 10, activation=nn.Identity, start=nn.init.normal_),
            lr=3.0,
        ),
        conditions=(
            "learning_rate_too_high",
            "no_nonlinearity",
            "not_finite",
            "output_overconfident",
        ),
        twin="MNIST",
    ),
    Case(
        "table: raw inputs",
        "faulty",
        build=regression(lambda: data.mpg(scaled=False), lambda: dense(9, 64, 64, 1), adam, 30),
        conditions=("inputs_unscaled", "targets_unscaled"),
        twin="table, scaled",
    ),
    Case(
        "table: every weight .01",
        "faulty",
        build=regression(data.mpg, lambda: dense(9, 64, 64, 1, start=constant(0.01)), adam, 30),
        conditions=("symmetric_units",),
        twin="table, scaled",
        structural=True,
    ),
    Case(
        "table: targets shuffled",
        "faulty",
        build=regression(shuffled_table, lambda: dense(9, 64, 64, 1), adam, 30),
        conditions=("labels_unrelated",),
        twin="table, scaled",
    ),
    Case(
        "table, scaled",
        "cured",
        conditions=(),
        build=regression(data.mpg, lambda: dense(9, 64, 64, 1), adam, 60),
    ),
    Case(
        "CNN: softmax, then cross-entropy",
        "faulty",
        build=cnn(nn.Softmax(1), 0.1),
        conditions=("output_loss_mismatch",),
        twin="CNN: SGD .1",
        structural=True,
    ),
    Case(
        "CNN: SGD .001",
        "faulty",
        build=cnn(None, 0.001),
        conditions=("learning_rate_too_low", "stopped_early"),
        twin="CNN: SGD .1",
    ),
    Case("CNN: SGD .1", "cured", conditions=(), build=cnn(None, 0.05, 5)),
    Case("MNIST", "healthy", conditions=(), build=digits()),
    Case(
        "MNIST: log-softmax over the batch",
        "faulty",
        build=digits(loss(lambda o, t: F.nll_loss(o.log_softmax(0), t))),
        conditions=("output_loss_mismatch",),
        twin="MNIST",
        structural=True,
    ),
    Case(
        "MNIST: logarithm missing",
        "faulty",
        build=digits(loss(lambda o, t: F.nll_loss(o.softmax(1), t))),
        conditions=("output_loss_mismatch",),
        twin="MNIST",
        structural=True,
    ),
    Case(
        "MNIST: ReLU on the output",
        "faulty",
        build=digits(network=lambda: dense(784, 128, 10, end=nn.ReLU())),
        conditions=("output_loss_mismatch", "dead_units"),
        twin="MNIST",
    ),
    Case(
        "MNIST: zero weights",
        "faulty",
        build=digits(network=lambda: dense(784, 128, 10, start=constant(0.0))),
        conditions=("symmetric_units",),
        twin="MNIST",
    ),
    Case(
        "MNIST: weights .1",
        "faulty",
        build=digits(network=lambda: dense(784, 128, 10, start=constant(0.1))),
        conditions=("symmetric_units",),
        twin="MNIST",
    ),
    Case(
        "MNIST: weights N(0, 1)",
        "faulty",
        build=digits(network=lambda: dense(784, 128, 10, start=nn.init.normal_)),
        conditions=("output_overconfident",),
        twin="MNIST",
    ),
    Case(
        "MNIST: gradient not cleared",
        "faulty",
        build=digits(clear=False),
        conditions=("gradient_not_cleared",),
        twin="MNIST",
    ),
    Case(
        "MNIST: pixels 0 to 255, SGD .1",
        "faulty",
        build=digits(raw_pixels),
        conditions=("inputs_unscaled", "learning_rate_too_high", "dead_units"),
        twin="MNIST",
    ),
    Case(
        "MNIST: trained on 0 to 255, judged on 0 to 1",
        "faulty",
        build=digits(raw_train),
        conditions=("train_valid_mismatch",),
        twin="MNIST",
    ),
    Case(
        "MNIST: SGD 10",
        "faulty",
        build=digits(lr=10.0),
        conditions=("learning_rate_too_high", "dead_units"),
        twin="MNIST",
    ),
    Case(
        "MNIST: SGD 1e-5",
        "faulty",
        build=digits(lr=1e-5),
        conditions=("learning_rate_too_low",),
        twin="MNIST",
    ),
    Case(
        "MNIST: weight decay .5",
        "faulty",
        build=digits(decay),
        conditions=("weight_decay_too_strong",),
        twin="MNIST",
    ),
    Case(
        "MNIST: sorted",
        "faulty",
        build=digits(in_order),
        conditions=("not_shuffled",),
        twin="MNIST",
    ),
    Case(
        "MNIST: the same batch again",
        "faulty",
        build=digits(same_batch),
        conditions=("same_batch_again", "overfitting"),
        twin="MNIST",
    ),
    Case(
        "MNIST: random labels",
        "faulty",
        build=digits(random_labels),
        conditions=("labels_unrelated",),
        twin="MNIST",
    ),
    Case(
        "MNIST: labels off by one",
        "faulty",
        build=digits(off_by_one),
        conditions=("train_valid_mismatch",),
        twin="MNIST",
    ),
    Case(
        "MNIST: only the head trains",
        "faulty",
        build=digits(only_head),
        conditions=("parameters_not_updated",),
        twin="MNIST",
    ),
    Case(
        "MNIST: another network's optimizer",
        "faulty",
        build=digits(other_network),
        conditions=("parameters_not_updated",),
        twin="MNIST",
    ),
    Case(
        "MNIST: 8 sigmoid layers",
        "faulty",
        build=digits(network=deep(nn.Sigmoid)),
        conditions=("vanishing_gradient", "signal_vanishes"),
        twin="MNIST",
    ),
    Case(
        "MNIST: 8 ReLU layers, default weights",
        "faulty",
        build=digits(network=deep(nn.ReLU)),
        conditions=("signal_vanishes", "vanishing_gradient"),
        twin="MNIST: 8 ReLU layers, He",
    ),
    Case(
        "MNIST: 8 ReLU layers, He",
        "cured",
        conditions=(),
        build=digits(network=deep(nn.ReLU, nn.init.kaiming_normal_), lr=0.05, epochs=6),
    ),
    Case(
        "MNIST 3 and 7: [B] against [B, 1]",
        "faulty",
        build=digits(threes),
        conditions=("target_shape_mismatch",),
        twin="MNIST 3 and 7: one shape",
    ),
    Case("MNIST 3 and 7: one shape", "cured", conditions=(), build=digits(threes_cured)),
    Case(
        "MNIST 3 and 7: cross-entropy of one output",
        "faulty",
        build=digits(one_output),
        conditions=("target_shape_mismatch", "output_loss_mismatch"),
        twin="MNIST 3 and 7: one shape",
    ),
]
