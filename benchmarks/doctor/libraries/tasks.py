"""What is to be learned: small data as people have them, with a network and a loss for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_multilabel_classification,
)
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """Data in two parts, a network, a loss, and what people ask of the answers."""

    train: Pair
    valid: Pair
    network: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor] | None = None

    def loaders(self, batch: int = 32) -> tuple[DataLoader[Any], DataLoader[Any]]:
        """Both parts in batches, the first shuffled."""
        train, valid = TensorDataset(*self.train), TensorDataset(*self.valid)
        return DataLoader(train, batch, shuffle=True), DataLoader(valid, 2 * batch)


def split(x: Tensor, y: Tensor) -> tuple[Pair, Pair]:
    """Four fifths and one, in random order."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    first, second = order[: len(x) * 4 // 5], order[len(x) * 4 // 5 :]
    return (x[first], y[first]), (x[second], y[second])


def scaled(x: Any) -> Tensor:
    """Columns of mean 0 and variance 1."""
    return torch.tensor(StandardScaler().fit_transform(x), dtype=torch.float32)


def share_right(output: Tensor, y: Tensor) -> Tensor:
    """Accuracy of logits."""
    return (output.argmax(-1) == y).float().mean()


def table() -> Task:
    """Breast cancer: 30 measurements, benign or malignant."""
    data = load_breast_cancer()
    y = torch.tensor(data.target, dtype=torch.float32)[:, None]
    return Task(
        *split(scaled(data.data), y),
        lambda: nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1)),
        nn.functional.binary_cross_entropy_with_logits,
        lambda output, y: ((output > 0) == (y > 0.5)).float().mean(),
    )


def regression() -> Task:
    """Diabetes: 10 measurements, how far it got."""
    data = load_diabetes()
    return Task(
        *split(scaled(data.data), scaled(data.target[:, None])),
        lambda: nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1)),
        nn.functional.mse_loss,
    )


def images() -> Task:
    """Handwritten digits."""
    data = load_digits()
    x = torch.tensor(data.images[:, None] / 16, dtype=torch.float32)
    return Task(
        *split(x, torch.tensor(data.target)),
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 10),
        ),
        nn.functional.cross_entropy,
        share_right,
    )


def labels() -> Task:
    """Several labels for each sample."""
    x, y = make_multilabel_classification(1200, 20, n_classes=6, random_state=0)
    return Task(
        *split(scaled(x), torch.tensor(y, dtype=torch.float32)),
        lambda: nn.Sequential(nn.Linear(20, 48), nn.GELU(), nn.Linear(48, 6)),
        nn.functional.binary_cross_entropy_with_logits,
        lambda output, y: ((output > 0) == (y > 0.5)).float().mean(),
    )


def sentences(count: int = 1200, length: int = 12) -> tuple[Tensor, Tensor]:
    """Words by number, 0 for padding, and which of three topics has most words in them."""
    generator = torch.Generator().manual_seed(0)
    topic = torch.randint(3, (count, 1), generator=generator)
    words = torch.randint(1, 61, (count, length), generator=generator)
    on_topic = 1 + topic * 20 + torch.randint(20, (count, length), generator=generator)
    tokens = torch.where(torch.rand(count, length, generator=generator) < 0.4, on_topic, words)
    ends = torch.randint(length // 2, length + 1, (count, 1), generator=generator)
    return tokens.where(torch.arange(length) < ends, 0), topic[:, 0]


class Reader(nn.Module):
    """Embeddings, an LSTM, and its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(61, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, batch_first=True, bidirectional=True)
        self.classify = nn.Linear(48, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        _, (state, _) = self.lstm(self.embedding(tokens))
        return self.classify(torch.cat([state[0], state[1]], 1))


def text() -> Task:
    """The topic of a sentence."""
    return Task(*split(*sentences()), Reader, nn.functional.cross_entropy, share_right)


@cache
def pretrained_body() -> nn.Sequential:
    """A network that tells the digits below 5 apart, without its last layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU())
        network = nn.Sequential(body, nn.Linear(48, 5))
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        x, y = images().train
        x, y = x[y < 5], y[y < 5]
        for _ in range(8):
            for rows in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
    return body


class FineTuned(nn.Module):
    """A trained body that is frozen, and a head that is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.body = pretrained_body().requires_grad_(False)
        self.head = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def fine_tuning() -> Task:
    """The digits from 5 on, by a network that knows those below."""
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(y)
    return Task(
        *split(x[y >= 5], y[y >= 5] - 5),
        FineTuned,
        nn.functional.cross_entropy,
        share_right,
    )


TASKS = {
    "table": table,
    "regression": regression,
    "images": images,
    "labels": labels,
    "text": text,
    "fine-tuning": fine_tuning,
}
