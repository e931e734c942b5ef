"""The eight trainings whose watching is timed: small networks of the usual kinds, each in a plain
loop as people write it.

A loop yields, after each step, what it would hand to `watch.step`: (loss, target or None)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor import data
from benchmarks.doctor.loop import Setup
from benchmarks.doctor.networks import convolutional, dense, he

Steps = Iterator[tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Loop:
    """`build()` gives what is trained, `train(setup)` its steps without end."""

    build: Callable[[], Setup]
    train: Callable[[Setup], Steps]

    def setup(self) -> Setup:
        torch.manual_seed(0)
        return self.build()


def batches(setup: Setup) -> Iterator[tuple[Tensor, Tensor]]:
    """Epoch after epoch, shuffled."""
    x, y = setup.train
    while True:
        for rows in torch.randperm(len(x)).split(setup.batch):
            yield x[rows], y[rows]


def sgd(
    model: nn.Module, source: data.Data, batch: int, lr: float, loss_fn: Any = F.cross_entropy
) -> Setup:
    return Setup(model, torch.optim.SGD(model.parameters(), lr=lr), loss_fn, *source, batch=batch)


def adam(model: nn.Module, source: data.Data, batch: int, loss_fn: Any = F.cross_entropy) -> Setup:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return Setup(model, optimizer, loss_fn, *source, batch=batch)


def classify(setup: Setup) -> Steps:
    model, optimizer = setup.model, setup.optimizer
    for x, y in batches(setup):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, y


class Recurrent(nn.Module):
    """The rows of a digit, one after the other: [B, 8, 8] -> [B, 10]"""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.lstm(x)
        return self.head(outputs[:, -1])


class LanguageModel(nn.Module):
    """A decoder of two layers with a causal mask: tokens [B, T] -> logits [B, T, V]"""

    def __init__(self, vocabulary: int = 64, length: int = 32, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        h = self.embedding(tokens) + self.position(torch.arange(length))
        return self.head(self.norm(self.layers(h, mask=mask, is_causal=True)))


def text(length: int = 32) -> data.Data:
    """Windows of a text in which each token follows from the two before it, with some noise."""
    draw = torch.Generator().manual_seed(0)
    tokens = [0, 1]
    noise = torch.randint(0, 64, (60_000,), generator=draw).tolist()
    for extra in noise:
        tokens.append(extra if extra < 6 else (3 * tokens[-1] + 5 * tokens[-2] + 1) % 64)
    windows = torch.tensor(tokens).unfold(0, length + 1, 16)
    x, y = windows[:, :-1].contiguous(), windows[:, 1:].contiguous()
    return (x[500:], y[500:]), (x[:500], y[:500])


def token_loss(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def write_text(setup: Setup) -> Steps:
    model, optimizer = setup.model, setup.optimizer
    model.train()
    for x, y in batches(setup):
        loss = token_loss(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield loss, y


def adversaries() -> Setup:
    generator = dense(16, 128, 128, 64, end=nn.Sigmoid())
    critic = dense(64, 128, 128, 1, activation=lambda: nn.LeakyReLU(0.2))
    optimizers = [
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
        for network in (generator, critic)
    ]
    networks: Any = nn.ModuleDict({"G": generator, "D": critic})
    return Setup(networks, optimizers, F.cross_entropy, *data.digits(), batch=64)


def compete(setup: Setup) -> Steps:
    generator, critic = setup.model["G"], setup.model["D"]
    g_optimizer, d_optimizer = setup.optimizer
    for real, _ in batches(setup):
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        fake = generator(torch.randn(len(real), 16))
        d_loss = F.binary_cross_entropy_with_logits(
            critic(real), ones
        ) + F.binary_cross_entropy_with_logits(critic(fake.detach()), zeros)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = F.binary_cross_entropy_with_logits(critic(fake), ones)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        yield d_loss + g_loss, None


class Autoencoder(nn.Module):
    """A variational one: [B, 784] -> (reconstruction, mean, log variance)"""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 200), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(200, 16), nn.Linear(200, 16)
        self.decoder = nn.Sequential(nn.Linear(16, 200), nn.ReLU(), nn.Linear(200, 784))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(z), mean, log_variance


def reconstruct(setup: Setup) -> Steps:
    model, optimizer = setup.model, setup.optimizer
    for x, _ in batches(setup):
        reconstruction, mean, log_variance = model(x)
        error = F.binary_cross_entropy_with_logits(reconstruction, x, reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        loss = (error + divergence) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, x


class TwoHeads(nn.Module):
    """[B, 64] -> {"kind": [B, 10], "ink": [B, 1]}"""

    def __init__(self) -> None:
        super().__init__()
        self.body = dense(64, 128, 128, end=nn.ReLU())
        self.kind, self.ink = nn.Linear(128, 10), nn.Linear(128, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"kind": self.kind(h), "ink": self.ink(h)}


def learn_both(setup: Setup) -> Steps:
    model, optimizer = setup.model, setup.optimizer
    for x, y in batches(setup):
        ink = x.mean(1, keepdim=True)
        output = model(x)
        loss = F.cross_entropy(output["kind"], y) + F.mse_loss(output["ink"], ink)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, y


def rows_of_digits() -> data.Data:
    return tuple((x.view(-1, 8, 8), y) for x, y in data.digits())  # type: ignore[return-value]


LOOPS = {
    "plain MLP": Loop(lambda: sgd(dense(784, 30, 10), data.mnist(), 256, 0.1), classify),
    "20 layers": Loop(
        lambda: sgd(dense(64, *[64] * 19, 10, start=he), data.digits(), 128, 0.01), classify
    ),
    "CNN": Loop(lambda: sgd(convolutional(8, 16, 32), data.mnist(), 256, 0.05), classify),
    "LSTM": Loop(lambda: adam(Recurrent(), rows_of_digits(), 64), classify),
    "transformer LM": Loop(lambda: adam(LanguageModel(), text(), 16, token_loss), write_text),
    "GAN": Loop(adversaries, compete),
    "VAE": Loop(lambda: adam(Autoencoder(), data.mnist(), 128), reconstruct),
    "two heads": Loop(lambda: adam(TwoHeads(), data.digits(), 64), learn_both),
}
