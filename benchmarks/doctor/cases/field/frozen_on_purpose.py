"""Networks of which most stays as it is, because so it was meant."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import (
    Trained,
    accuracy,
    batches,
    descend,
    healthy,
    r2,
)
from benchmarks.doctor.networks import dense


class Reservoir(nn.Module):
    """A recurrent network as it was drawn, scaled to fade slowly; only what reads it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.RNN(1, 120, batch_first=True, bias=False)
        with torch.no_grad():
            weight = self.memory.get_parameter("weight_hh_l0").normal_()
            weight *= 0.9 / torch.linalg.eigvals(weight).abs().max()
            self.memory.get_parameter("weight_ih_l0").uniform_(-0.5, 0.5)
        self.memory.requires_grad_(False)
        self.readout = nn.Linear(120, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x)
        answer: Tensor = self.readout(states[:, -1])
        return answer


def echo_state() -> Trained:
    """What a noise was three hours ago, and a little of one hour ago."""
    x = torch.randn(1200, 20, 1)
    y = x[:, -4] + 0.3 * x[:, -2]
    model = Reservoir()
    optimizer = torch.optim.Adam(model.readout.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 15):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(model(x[1000:]), y[1000:]), known)


def biases_only() -> Trained:
    """A network that knows one task is brought to another by its biases and its last layer."""
    directions = torch.randn(4, 10)
    x = torch.randn(2600, 10)
    first = (x @ directions.T).argmax(1)
    second = (x @ directions.T + torch.tensor([0.0, 3.0, 0.0, -3.0])).argmax(1)
    model = dense(10, 64, 64, 4)
    before = torch.optim.Adam(model.parameters(), lr=5e-3)
    for chosen in batches(1300, 50, 10):
        before.zero_grad()
        F.cross_entropy(model(x[chosen]), first[chosen]).backward()
        before.step()
    for name, parameter in model.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name.endswith("bias") or name.startswith("4."))
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-2)
    x, y = x[1300:], second[1300:]
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 12):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {
        "train": (x[:1000], y[:1000]),
        "valid": (x[1000:], y[1000:]),
        "loss_fn": F.cross_entropy,
    }
    return Trained(watch, accuracy(model, x[1000:], y[1000:]), known)


class Prompted(nn.Module):
    """A reader of a question and four numbers, with a question of its own to be learned."""

    def __init__(self) -> None:
        super().__init__()
        self.questions = nn.Embedding(3, 8)
        self.reader = dense(12, 96, 96, 1, activation=nn.Tanh)
        self.prompt = nn.Parameter(torch.zeros(8))

    def answer(self, question: Tensor, x: Tensor) -> Tensor:
        """[B, 8] and [B, 4] -> [B, 1]"""
        number: Tensor = self.reader(torch.cat([question, x], 1))
        return number

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.prompt.expand(len(x), 8), x)


def soft_prompt() -> Trained:
    """A reader knows three questions; which of them is meant here is learned as eight numbers."""
    x = torch.randn(3000, 4)
    answers = torch.stack([x[:, 0] + x[:, 1], x[:, 2] - x[:, 0], x[:, 3] * 1.4], 1)
    model = Prompted()
    before = torch.optim.Adam(model.parameters(), lr=5e-3)
    for chosen in batches(2000, 50, 10):
        question = torch.randint(3, (len(chosen),))
        truth = answers[chosen].gather(1, question[:, None])
        before.zero_grad()
        F.mse_loss(model.answer(model.questions(question), x[chosen]), truth).backward()
        before.step()
    model.requires_grad_(False)
    model.prompt.requires_grad_(True)
    for parameter in model.parameters():
        parameter.grad = None
    optimizer = torch.optim.Adam([model.prompt], lr=3e-2)
    x, y = x[2000:], answers[2000:, 1:2]
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 20, 10):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, r2(model(x[800:]), y[800:]))


CASES = [
    healthy("echo state, read by a line", echo_state),
    healthy("biases and a last layer", biases_only),
    healthy("a soft prompt of eight numbers", soft_prompt),
]
