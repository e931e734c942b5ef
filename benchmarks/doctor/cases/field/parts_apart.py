"""Networks that are called part by part, frozen in part, or give what is no tensor; states that go
on from step to step.
"""

from __future__ import annotations

import copy
import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def distribution() -> Trained:
    """A forward pass that gives a distribution, by its mean and its spread."""
    x = 2 * torch.rand(1200, 1) - 1
    clean = torch.sin(3 * x)
    y = clean + (0.1 + 0.2 * x.abs()) * torch.randn(1200, 1)

    class Spread(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(1, 48, 48, 2)

        def forward(self, x: Tensor) -> torch.distributions.StudentT:
            mean, raw = self.body(x).chunk(2, 1)
            return torch.distributions.StudentT(5.0, mean, F.softplus(raw) + 1e-3)

    model = Spread()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 15):
            descend(watch, optimizer, -model(x[chosen]).log_prob(y[chosen]).mean(), y[chosen])
    known = {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:])}
    return Trained(watch, r2(model(x[1000:]).mean, clean[1000:]), known)


def twin_delayed() -> Trained:
    """Two critics and an actor that moves every second step, watched by their names."""
    actor, critics = dense(2, 32, 1), nn.ModuleDict({"a": dense(3, 32, 1), "b": dense(3, 32, 1)})
    slow_actor = copy.deepcopy(actor).requires_grad_(False)
    slow = copy.deepcopy(critics).requires_grad_(False)
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=2e-3)
    critic_optimizer = torch.optim.Adam(critics.parameters(), lr=3e-3)
    loss = torch.zeros(())
    with ss.watch({"actor": (actor, actor_optimizer), "critics": (critics, critic_optimizer)}) as w:
        for step in range(260):
            state = 2 * torch.rand(48, 2) - 1
            with torch.no_grad():
                action = torch.tanh(actor(state)) + 0.3 * torch.randn(48, 1)
                reward = -(action - state.prod(1, keepdim=True)).square()
                after = (state + 0.1 * action).clamp(-1, 1)
                later = torch.tanh(slow_actor(after)) + 0.1 * torch.randn(48, 1)
                ahead = torch.cat([after, later], 1)
                aim = reward + 0.5 * torch.minimum(slow["a"](ahead), slow["b"](ahead))
            both = torch.cat([state, action], 1)
            value = F.mse_loss(critics["a"](both), aim) + F.mse_loss(critics["b"](both), aim)
            critic_optimizer.zero_grad()
            value.backward()
            critic_optimizer.step()
            if step % 2 == 0:
                loss = -critics["a"](torch.cat([state, torch.tanh(actor(state))], 1)).mean()
                actor_optimizer.zero_grad()
                loss.backward()
                actor_optimizer.step()
                for ours, theirs in ((slow_actor, actor), (slow, critics)):
                    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
                        p.data.lerp_(q.data, 0.05)
            w.step(value)
    state = 2 * torch.rand(400, 2) - 1
    return Trained(w, r2(torch.tanh(actor(state)), state.prod(1, keepdim=True)))


def no_forward() -> Trained:
    """A bag of layers without a forward of its own: an encoder, a decoder, a classifier."""
    (x, y), (xv, yv) = data.digits()
    model = nn.Module()
    model.encoder, model.decoder = dense(64, 64, 16), dense(16, 64, 64)
    model.classifier = nn.Linear(16, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            code = model.encoder(x[chosen])
            loss = F.mse_loss(model.decoder(code), x[chosen])
            loss = loss + 0.3 * F.cross_entropy(model.classifier(torch.relu(code)), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer = model.classifier(torch.relu(model.encoder(xv))).argmax(1)
    return Trained(watch, float((answer == yv).double().mean()))


def persistent() -> Trained:
    """An energy with chains that go on for the whole training (Langevin's steps)."""
    (x, _), _ = data.moons()
    x = (x - x.mean(0)) / x.std(0)
    model = dense(2, 48, 48, 1, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    chains = 3 * torch.rand(128, 2) - 1.5
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 100, 30):
            for _ in range(4):
                chains = chains.detach().requires_grad_()
                (slope,) = torch.autograd.grad(model(chains).sum(), chains)
                chains = (chains - 0.05 * slope + 0.2 * torch.randn(chains.shape)).clamp(-3, 3)
            chains = chains.detach()
            real, made = model(x[chosen]), model(chains)
            loss = real.mean() - made.mean() + 0.05 * (real.square().mean() + made.square().mean())
            descend(watch, optimizer, loss)
    with torch.no_grad():
        everywhere = model(4 * torch.rand(500, 2) - 2)
        return Trained(watch, float((model(x)[:500] < everywhere).double().mean()))


def carried_numbers() -> Trained:
    """A GRU along a signal, its state carried on, a number for each step."""
    t = torch.arange(16 * 41).float()
    phase = 6 * torch.rand(24, 1)
    signal = torch.sin(0.3 * t + phase) + 0.5 * torch.sin(0.11 * t + 2 * phase)
    signal = (signal + 0.05 * torch.randn(signal.shape))[..., None]

    class Next(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.out = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

        def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            h, state = self.body(x, state)
            return self.out(h), state

    model = Next()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(4):
            state = None
            for first in range(0, 16 * 36, 16):
                y = signal[:, first + 1 : first + 17]
                answer, state = model(signal[:, first : first + 16], state)
                state = state.detach()
                descend(watch, optimizer, F.mse_loss(answer, y), y)
    rest = signal[:, 16 * 36 :]
    with torch.no_grad():
        answer = model(rest[:, :-1])[0][:, 8:]
    return Trained(watch, r2(answer.reshape(-1), rest[:, 9:].reshape(-1)))


@functools.cache
def language() -> dict[str, Tensor]:
    """The weights of a GRU that reads rows of words."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, rows = Words(), words(1000)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for chosen in batches(1000, 50, 5):
            optimizer.zero_grad()
            logits = model.out(model.read(rows[chosen, :-1]))
            F.cross_entropy(logits.mT, rows[chosen, 1:]).backward()
            optimizer.step()
    return model.state_dict()


def words(count: int) -> Tensor:
    start, step = torch.randint(0, 13, (count, 1)), torch.randint(1, 4, (count, 1))
    return (start + step * torch.arange(9)) % 13


class Words(nn.Module):
    """A reader, and its next word."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.body = nn.Embedding(13, 24), nn.GRU(24, 40, batch_first=True)
        self.out = nn.Linear(40, 13)

    def read(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.body(self.table(tokens))[0]
        return answer


def start_and_bias() -> Trained:
    """All is frozen but a first state, the biases, and a new head."""
    rows = words(1200)
    y = (rows[:, 1] - rows[:, 0]) % 13 - 1
    body = Words()
    body.load_state_dict(language())
    for name, p in body.named_parameters():
        p.requires_grad_("bias" in name and "out" not in name)

    class Tuned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.start = body, nn.Parameter(torch.zeros(1, 1, 40))
            self.head = nn.Linear(40, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            start = self.start.expand(1, len(tokens), 40).contiguous()
            h, _ = self.body.body(self.body.table(tokens), start)
            answer: Tensor = self.head(h.mean(1))
            return answer

    model = Tuned()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 50, 10):
            descend(watch, optimizer, F.cross_entropy(model(rows[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float((model(rows[1000:]).argmax(1) == y[1000:]).double().mean())
    known = {"train": (rows[:1000], y[:1000]), "valid": (rows[1000:], y[1000:])}
    return Trained(watch, score, known)


def noised_words() -> Trained:
    """Rows with words swapped for others; the right ones are asked at these places only."""
    rows = words(1600)

    class Repair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(13, 32)
            self.body = nn.GRU(32, 48, batch_first=True, bidirectional=True)
            self.out = nn.Linear(96, 13)

        def forward(self, tokens: Tensor) -> Tensor:
            answer: Tensor = self.out(self.body(self.table(tokens))[0])
            return answer

    def spoil(rows: Tensor) -> tuple[Tensor, Tensor]:
        odd = torch.rand(rows.shape) < 0.2
        return torch.where(odd, torch.randint(0, 13, rows.shape), rows), rows.masked_fill(~odd, -1)

    model = Repair()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1400, 70, 8):
            inputs, labels = spoil(rows[chosen])
            logits = model(inputs)
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-1)
            descend(watch, optimizer, loss, labels)
    inputs, labels = spoil(rows[1400:])
    with torch.no_grad():
        right = (model(inputs).argmax(-1) == labels)[labels >= 0]
    return Trained(watch, float(right.double().mean()), {"valid": (inputs, labels)})


CASES = [
    healthy("a distribution for an answer", distribution),
    healthy("two critics, the actor late", twin_delayed),
    healthy("a bag of layers", no_forward),
    healthy("chains that go on", persistent),
    healthy("a state of numbers carried on", carried_numbers),
    healthy("a first state and biases", start_and_bias),
    healthy("words put right", noised_words),
]
