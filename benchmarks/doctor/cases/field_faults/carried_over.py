"""Networks carried over from Keras, with what is called alike there and is not alike here."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits, make_classification
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense


def churn(count: int = 1400) -> tuple[Tensor, Tensor]:
    """Twelve columns of customers, and whether they left. [N, 12], [N, 1]"""
    seed = int(torch.randint(10_000, ()))
    x, y = make_classification(
        count, 12, n_informative=6, n_redundant=2, class_sep=1.6, flip_y=0.0, random_state=seed
    )
    x = (x - x.mean(0)) / x.std(0)
    return torch.tensor(x).float(), torch.tensor(y).float()[:, None]


def yes(chance: Tensor, y: Tensor) -> float:
    """The share of right answers of chances."""
    if not bool(chance.isfinite().all()):
        return -1.0
    return float(((chance > 0.5) == (y > 0.5)).double().mean())


def activation_kept(cured: bool, watch: Watch) -> Trained:
    """`Dense(1, activation="sigmoid")`, a loss that has a sigmoid, and one more to predict."""
    x, y = churn()
    model = dense(12, 32, 16, 1, end=None if cured else nn.Sigmoid())
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters())
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 20):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = yes(torch.sigmoid(model(x[1000:])), y[1000:])
    return Trained(watching, score, known(x, y, 1000, loss_fn))


def epsilon_of_one(cured: bool, watch: Watch) -> Trained:
    """A tutorial's Adam has an epsilon of 1, and a rate of .001."""
    x, y = churn()
    model = dense(12, 32, 16, 1)
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7 if cured else 1.0)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 16):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = yes(model(x[1000:]).sigmoid(), y[1000:])
    return Trained(watching, score, known(x, y, 1000, loss_fn))


def random_uniform(cured: bool, watch: Watch) -> Trained:
    """Keras draws from -.05 to .05 by this name, PyTorch from 0 to 1."""
    x = torch.randn(1300, 20)
    y = (x[:, :5].sum(1) > 0).long() + 2 * (x[:, 5:10].sum(1) > 0).long()
    bounds = (-0.05, 0.05) if cured else (0.0, 1.0)
    model = dense(20, 64, 64, 4, start=lambda weight: nn.init.uniform_(weight, *bounds))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 20):
            descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.cross_entropy))


def loader_by_default(cured: bool, watch: Watch) -> Trained:
    """`fit` shuffles unless it is told not to, a loader only if it is told to."""
    images, kinds = load_digits(return_X_y=True)
    x, y = torch.tensor(images).float() / 16, torch.tensor(kinds)
    order = y[:1300].argsort()
    train, valid = (x[:1300][order], y[:1300][order]), (x[1300:], y[1300:])
    model = dense(64, 32, 10)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    data = TensorDataset(*train)
    loader = DataLoader(data, batch_size=20, shuffle=True) if cured else DataLoader(data, 20)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for image, kind in loader:
                descend(watching, optimizer, loss_fn(model(image), kind), kind)
    with torch.no_grad():
        score = right(model(valid[0]), valid[1])
    return Trained(watching, score, {"train": train, "valid": valid, "loss_fn": loss_fn})


class OwnDense(nn.Module):
    """A layer of one's own, as `add_weight` would have made it."""

    def __init__(self, inputs: int, outputs: int, registered: bool) -> None:
        super().__init__()
        kernel, bias = torch.randn(inputs, outputs) / inputs**0.5, torch.zeros(outputs)
        if registered:
            self.kernel: Tensor = nn.Parameter(kernel)
            self.bias: Tensor = nn.Parameter(bias)
        else:
            self.kernel, self.bias = kernel.requires_grad_(), bias.requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.kernel + self.bias


def add_weight(cured: bool, watch: Watch) -> Trained:
    """Tensors that ask for a gradient and are no parameters; only the layer after them is one."""
    x = torch.rand(1400, 3) * 4 - 2
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:]
    model = nn.Sequential(
        OwnDense(3, 10, cured), nn.Tanh(), OwnDense(10, 10, cured), nn.Tanh(), nn.Linear(10, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1100, 25, 20):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    score = explained(model(x[1100:]), y[1100:])
    return Trained(watching, score, known(x, y, 1100, F.mse_loss))


PAIRS = [
    Pair(
        "who leaves: a sigmoid before a loss of logits",
        "who leaves: logits before a loss of logits",
        ("output_loss_mismatch",),
        activation_kept,
        0.65,
        0.85,
    ),
    Pair(
        "who leaves: Adam with an epsilon of 1",
        "who leaves: Adam with an epsilon of .0000001",
        ("optimizer_setting", "learning_rate_too_low"),
        epsilon_of_one,
        0.75,
        0.85,
    ),
    Pair(
        "weights from 0 to 1 by a name of Keras",
        "weights from -.05 to .05",
        ("signal_explodes", "output_overconfident"),
        random_uniform,
        0.6,
        0.85,
    ),
    Pair(
        "digits from a loader that is not told to shuffle",
        "digits from a loader that is told to shuffle",
        ("not_shuffled",),
        loader_by_default,
        0.75,
        0.88,
    ),
    Pair(
        "kernels that are no parameters",
        "kernels that are parameters",
        ("parameters_not_updated",),
        add_weight,
        0.6,
        0.85,
    ),
]
