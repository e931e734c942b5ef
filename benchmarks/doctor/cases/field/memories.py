"""Networks that point, look up, and carry a state: pointers, memories, linear recurrences."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def pointer() -> Trained:
    """A decoder that points at its inputs, smallest first; what was taken is masked."""
    x = torch.rand(1500, 5)
    order = x.argsort(1)

    class Pointer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.GRU(1, 32, batch_first=True)
            self.decoder = nn.GRUCell(1, 32)
            self.key, self.query, self.v = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 1)

        def forward(self, x: Tensor, order: Tensor | None = None) -> Tensor:
            codes, state = self.encoder(x[..., None])
            state, last = state[0], x.new_zeros(len(x), 1)
            taken, logits = torch.zeros_like(x, dtype=torch.bool), []
            for t in range(x.shape[1]):
                state = self.decoder(last, state)
                match = self.v(torch.tanh(self.key(codes) + self.query(state)[:, None]))[..., 0]
                logits.append(match.masked_fill(taken, -1e9))
                at = (logits[-1].argmax(1) if order is None else order[:, t])[:, None]
                taken = taken.scatter(1, at, True)
                last = x.gather(1, at)
            return torch.stack(logits, 1)

    model = Pointer()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 6):
            logits = model(x[chosen], order[chosen])
            loss = F.cross_entropy(logits.flatten(0, 1), order[chosen].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            watch.step(loss, target=order[chosen])
    with torch.no_grad():
        return Trained(watch, float((model(x[1200:]).argmax(-1) == order[1200:]).double().mean()))


def looked_up() -> Trained:
    """Keys and their values are shown; one of the keys is asked for, in two looks."""
    keys = torch.stack([torch.randperm(12)[:6] for _ in range(1500)])
    values = torch.randint(8, (1500, 6))
    at = torch.randint(6, (1500,))
    y = values[torch.arange(1500), at]

    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.keys, self.values = nn.Embedding(12, 24), nn.Embedding(8, 24)
            self.turn, self.head = nn.Linear(24, 24), nn.Linear(24, 8)

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            memory, content = self.keys(batch["keys"]), self.values(batch["values"])
            query = self.keys(batch["asked"])
            read = torch.zeros_like(query)
            for _ in range(2):
                weight = (memory @ query[..., None]).softmax(1)
                read = (weight * content).sum(1)
                query = query + torch.tanh(self.turn(read))
            return self.head(read)

    asked = keys[torch.arange(1500), at]

    def of(rows: Tensor) -> dict[str, Tensor]:
        return {"keys": keys[rows], "values": values[rows], "asked": asked[rows]}

    model = Memory()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 15):
            descend(watch, optimizer, F.cross_entropy(model(of(chosen)), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, of(torch.arange(1200, 1500)), y[1200:]))


class Diagonal(nn.Module):
    """A linear recurrence with complex diagonal, as one long convolution by Fourier's transform."""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.log_decay = nn.Parameter(torch.log(0.01 + 0.3 * torch.rand(width, states)))
        self.pitch = nn.Parameter(3.14 * torch.rand(width, states))
        self.out = nn.Parameter(torch.randn(width, states, 2) / states**0.5)
        self.through = nn.Parameter(torch.ones(width))
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        rate = torch.complex(-self.log_decay.exp(), self.pitch)
        powers = (rate[..., None] * torch.arange(length)).exp()
        kernel = (torch.view_as_complex(self.out)[..., None] * powers).sum(1).real
        u = x.transpose(1, 2)
        spectrum = torch.fft.rfft(u, 2 * length) * torch.fft.rfft(kernel, 2 * length)
        y = torch.fft.irfft(spectrum, 2 * length)[..., :length] + self.through[:, None] * u
        return x + self.mix(F.gelu(y.transpose(1, 2)))


def state_space() -> Trained:
    """Which of four pitches hides in a long noisy series."""
    y = torch.randint(4, (700,))
    t = torch.arange(128)
    pitch = torch.tensor([0.2, 0.5, 0.9, 1.4])[y, None]
    x = torch.sin(pitch * t + 6.28 * torch.rand(700, 1)) + 0.8 * torch.randn(700, 128)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Linear(1, 12)
            self.layers = nn.Sequential(Diagonal(12, 6), nn.LayerNorm(12), Diagonal(12, 6))
            self.head = nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layers(self.start(x[..., None])).mean(1))

    model = Net()
    slow = [p for n, p in model.named_parameters() if "decay" in n or "pitch" in n]
    others = [p for n, p in model.named_parameters() if not ("decay" in n or "pitch" in n)]
    optimizer = torch.optim.AdamW(
        [{"params": slow, "lr": 2e-3, "weight_decay": 0.0}, {"params": others}], lr=8e-3
    )
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(600, 30, 8):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watch, accuracy(model, x[600:], y[600:]))


def linear_attention() -> Trained:
    """Keys and values are added up as outer products; the query reads them."""
    x = torch.randn(1500, 8, 4)
    y = torch.einsum("ntf,nt->nf", x, torch.softmax(3 * x[..., 0], 1))

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.key, self.value = dense(4, 32, 16), nn.Linear(4, 16)
            self.query = nn.Parameter(torch.randn(16))
            self.head = dense(16, 32, 4)

        def forward(self, x: Tensor) -> Tensor:
            key = F.elu(self.key(x)) + 1
            memory = torch.einsum("ntk,ntv->nkv", key, self.value(x))
            query = F.elu(self.query) + 1
            return self.head(query @ memory / (key.sum(1) @ query)[:, None])

    model = Linear()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 15):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x[:1200], y[:1200]), "valid": (x[1200:], y[1200:]), "loss_fn": F.mse_loss}
    with torch.no_grad():
        return Trained(watch, r2(model(x[1200:]), y[1200:]), known)


CASES = [
    healthy("pointing in order", pointer),
    healthy("a value looked up by its key", looked_up),
    healthy("a long recurrence by Fourier's transform", state_space),
    healthy("attention without a softmax", linear_attention),
]
