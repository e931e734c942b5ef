"""The data as they were fed: the same batch, pairs taken apart, axes scrambled, prepared in
another way than where the network is used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, clouds, waves
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def first_of_a_new_iterator(cured: bool, watch: Watch) -> Trained:
    """`next(iter(loader))` in each step of a loader that does not shuffle."""
    x, y = bent(1000)
    loader = DataLoader(TensorDataset(x[:800], y[:800]), 32)
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    iterator = iter(loader)
    with watch(model, optimizer) as watching:
        for step in range(400):
            if step % len(loader) == 0 or not cured:
                iterator = iter(loader)
            xb, yb = next(iterator)
            descend(watching, optimizer, F.mse_loss(model(xb), yb), yb)
    return Trained(watching, explained(model(x[800:]), y[800:]), known(x, y, 800, F.mse_loss))


def inputs_shuffled_alone(cured: bool, watch: Watch) -> Trained:
    """At the start of each epoch the inputs are put in a new order, the answers are not."""
    x, y = clouds(1200, 4, 8)
    xs, ys = x[:1000], y[:1000]
    model = dense(8, 32, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _ in range(8):
            order = torch.randperm(1000)
            xs = xs[order]
            if cured:
                ys = ys[order]
            for xb, yb in zip(xs.split(32), ys.split(32), strict=True):
                descend(watching, optimizer, F.cross_entropy(model(xb), yb), yb)
    return Trained(watching, right(model(x[1000:]), y[1000:]), known(x, y, 1000, F.cross_entropy))


class SmallCnn(nn.Module):
    """Two convolutions and the mean over the picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(24, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        kinds: Tensor = self.layers(x)
        return kinds


def channels_reshaped(cured: bool, watch: Watch) -> Trained:
    """Pictures [B, H, W, 3] are reshaped for training, and turned round where they are used."""
    grey, y = bars(900)
    x = grey.permute(0, 2, 3, 1) * torch.tensor([1.0, 0.6, -0.8]) + 0.2 * torch.randn(900, 8, 8, 3)
    turned = x.permute(0, 3, 1, 2).contiguous()
    fed = turned if cured else x.reshape(900, 3, 8, 8)
    model = SmallCnn(3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, fed[:700], y[:700], 6)
    data = {
        "train": (fed[:700], y[:700]),
        "valid": (turned[700:], y[700:]),
        "loss_fn": F.cross_entropy,
    }
    return Trained(watching, right(model(turned[700:]), y[700:]), data)


def inverted_in_the_loop(cured: bool, watch: Watch) -> Trained:
    """The loop turns light into dark, and the evaluation takes the pictures as they come."""
    x, y = bars(900)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 32, 12):
            loss = F.cross_entropy(model(1 - x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    used = 1 - x[700:] if cured else x[700:]
    data = {"train": (1 - x[:700], y[:700]), "valid": (used, y[700:]), "loss_fn": F.cross_entropy}
    return Trained(watching, right(model(used), y[700:]), data)


def mirrored(cured: bool, watch: Watch) -> Trained:
    """Every other picture is mirrored, as one does; a falling bar is then a rising one."""
    x, y = bars(1000, noise=0.2)
    keep = y >= 2
    x, y = x[keep], y[keep] - 2
    count = len(x) - 150
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(count, 20, 12):
            flip = torch.rand(len(chosen), 1, 1, 1) < 0.5
            # lying on its side or upside down: of these the one turns a bar into the other
            other = x[chosen].flip(2, 3) if cured else x[chosen].flip(3)
            xb = torch.where(flip, other, x[chosen])
            descend(watching, optimizer, F.cross_entropy(model(xb), y[chosen]), y[chosen])
    data = known(x, y, count, F.cross_entropy)
    return Trained(watching, right(model(x[count:]), y[count:]), data)


def windows_reshaped(cured: bool, watch: Watch) -> Trained:
    """Channels by time are needed; time by channels was recorded, and reshaped."""
    y = torch.randint(3, (1000,))
    slow, fast = waves(1000, 16), torch.sin(1.6 * torch.arange(16) + 6.28 * torch.rand(1000, 1))
    still = 0.7 * torch.randn(1000, 16)
    first = torch.stack([slow, fast, still], 1)[torch.arange(1000), y]
    others = torch.randn(1000, 3, 16) * torch.tensor([3.0, 2.0, 1.0])[:, None]
    recorded = torch.cat([first[:, None], others], 1).transpose(1, 2).contiguous()
    x = recorded.transpose(1, 2) if cured else recorded.reshape(1000, 4, 16)
    model = nn.Sequential(
        nn.Conv1d(4, 16, 5, padding=2),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 3),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 12)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


PAIRS = [
    Pair(
        "the first batch of a new iterator",
        "one iterator for an epoch",
        ("same_batch_again",),
        first_of_a_new_iterator,
        0.6,
        0.75,
    ),
    Pair(
        "inputs put in a new order without their answers",
        "inputs and answers put in a new order",
        ("labels_unrelated",),
        inputs_shuffled_alone,
        0.6,
        0.85,
    ),
    Pair(
        "channels reshaped for training",
        "channels turned round for training",
        ("inputs_scrambled", "train_valid_mismatch"),
        channels_reshaped,
        0.65,
        0.8,
    ),
    Pair(
        "inverted for training and not in use",
        "inverted for training and in use",
        ("train_valid_mismatch",),
        inverted_in_the_loop,
        0.7,
        0.85,
    ),
    Pair(
        "mirrored though sides matter",
        "turned by half, which changes nothing",
        ("label_noise", "labels_unrelated"),
        mirrored,
        0.75,
        0.9,
    ),
    Pair(
        "time and channels reshaped into each other",
        "time and channels exchanged",
        ("inputs_scrambled",),
        windows_reshaped,
        0.7,
        0.8,
    ),
]
