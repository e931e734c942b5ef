"""Several terms or networks: one drowns another, or trains against it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.drawn import clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.networks import dense


class Autoencoder(nn.Module):
    """A variational autoencoder of 12 numbers through 3."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = dense(12, 32, 6), dense(3, 32, 12)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (spread / 2).exp()
        return self.decoder(code), mean, spread


def divergence_drowns(cured: bool, watch: Watch) -> Trained:
    """The divergence is summed over the batch, and the error is a mean over all values."""
    x = 2 * torch.tanh(torch.randn(1200, 3) @ torch.randn(3, 12))
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 40, 15):
            again, mean, spread = model(x[chosen])
            error = F.mse_loss(again, x[chosen])
            kl = -0.5 * (1 + spread - mean.square() - spread.exp()).sum()
            if cured:
                error, kl = 12 * error, kl / len(chosen)
            loss = error + kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=x[chosen], parts={"error": error, "kl": kl})
    with torch.no_grad():
        code = model.encoder(x[1000:]).chunk(2, 1)[0]
        return Trained(watching, explained(model.decoder(code), x[1000:]))


class Spotter(nn.Module):
    """What a thing is, and where."""

    def __init__(self) -> None:
        super().__init__()
        self.body = dense(10, 48, 48)
        self.kind, self.box = nn.Linear(48, 4), nn.Linear(48, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.body(x))
        return self.kind(h), self.box(h)


def boxes_in_pixels(cured: bool, watch: Watch) -> Trained:
    """The corners of a box are in pixels of a picture of 1,280, or in shares of it."""
    x, y = clouds(1500, 4, 10, apart=1.0)
    corners = 640 + 300 * torch.tanh(x[:, :4] * x[:, 4:8]) + 40 * torch.randn(1500, 4)
    box = corners / 1280 if cured else corners
    model = Spotter()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 32, 7):
            kind, where = model(x[chosen])
            loss = F.cross_entropy(kind, y[chosen]) + F.mse_loss(where, box[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watching.step(loss, target=(y[chosen], box[chosen]))
    return Trained(watching, right(model(x[1200:])[0], y[1200:]))


def sparsity_too_heavy(cured: bool, watch: Watch) -> Trained:
    """A penalty on the hidden values, summed over all of them."""
    x, y = clouds(1200, 4, 8)
    body, head = nn.Sequential(nn.Linear(8, 64), nn.Sigmoid()), nn.Linear(64, 4)
    model = nn.Sequential(body, head)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 8):
            hidden = body(x[chosen])
            error = F.cross_entropy(head(hidden), y[chosen])
            penalty = 1e-4 * hidden.mean() if cured else hidden.sum()
            optimizer.zero_grad()
            (error + penalty).backward()
            optimizer.step()
            parts = {"error": error, "sparsity": penalty}
            watching.step(error + penalty, target=y[chosen], parts=parts)
    data = {"train": (x[:1000], y[:1000]), "valid": (x[1000:], y[1000:])}
    return Trained(watching, right(model(x[1000:]), y[1000:]), data)


class TwoAnswers(nn.Module):
    """A body with a head for each of two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = dense(6, 48, 48)
        self.first, self.second = nn.Linear(48, 1), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.body(x))
        return self.first(h), self.second(h)


def weight_of_whole_numbers(cured: bool, watch: Watch) -> Trained:
    """The second term has the weight 1 // 2, which is none."""
    x = torch.randn(1200, 6)
    one, two = torch.sin(2 * x[:, :1]), x[:, 1:2] * x[:, 2:3]
    model = TwoAnswers()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    share = 1 / 2 if cured else 1 // 2
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 15):
            first, second = model(x[chosen])
            loss = F.mse_loss(first, one[chosen]) + share * F.mse_loss(second, two[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=(one[chosen], two[chosen]))
    return Trained(watching, explained(model(x[1000:])[1], two[1000:]))


def adversaries(cured: bool, watch: Watch, fault: str) -> Trained:
    """A generator of points around (2, -1) and its judge. `fault`: the generator's points are
    cut off the graph in its own step, or it is trained to be recognised.
    """
    g, d = dense(3, 32, 2), dense(2, 32, 1)
    g_optimizer = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.99))
    d_optimizer = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.5, 0.99))
    centre, one, zero = torch.tensor([2.0, -1.0]), torch.ones(64, 1), torch.zeros(64, 1)
    judged = F.binary_cross_entropy_with_logits
    with watch({"G": (g, g_optimizer), "D": (d, d_optimizer)}) as watching:
        for _ in range(700):
            fake = g(torch.randn(64, 3))
            d_loss = judged(d(centre + 0.5 * torch.randn(64, 2)), one)
            d_loss = d_loss + judged(d(fake.detach()), zero)
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            cut = fault == "cut" and not cured
            g_loss = judged(
                d(fake.detach() if cut else fake), zero if fault == "sign" and not cured else one
            )
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            with torch.no_grad():
                near = -float((fake.mean(0) - centre).norm())
            watching.step(g_loss, parts={"G": g_loss, "D": d_loss}, score=near)
    with torch.no_grad():
        away = float((g(torch.randn(2000, 3)).mean(0) - centre).norm())
    return Trained(watching, max(1 - away, -1.0))


PAIRS = [
    Pair(
        "divergence summed, error averaged",
        "divergence and error of one sample",
        ("loss_terms_unbalanced", "representation_collapsed"),
        divergence_drowns,
        0.3,
        0.6,
    ),
    Pair(
        "boxes in pixels drown the kind",
        "boxes in shares of the picture",
        ("loss_terms_unbalanced", "targets_unscaled", "loss_scale"),
        boxes_in_pixels,
        0.6,
        0.7,
    ),
    Pair(
        "a penalty for hidden values that drowns the error",
        "a light penalty for hidden values",
        ("loss_terms_unbalanced",),
        sparsity_too_heavy,
        0.6,
        0.85,
    ),
    Pair(
        "a term with the weight 1 // 2",
        "a term with the weight 1 / 2",
        ("loss_terms_unbalanced", "parameters_not_updated"),
        weight_of_whole_numbers,
        0.3,
        0.6,
    ),
    Pair(
        "generator cut off from its judge",
        "generator trained through its judge",
        ("parameters_not_updated",),
        lambda cured, watch: adversaries(cured, watch, "cut"),
        -0.4,
        0.2,
    ),
    Pair(
        "generator trained to be recognised",
        "generator trained to deceive",
        ("loss_sign",),
        lambda cured, watch: adversaries(cured, watch, "sign"),
        -0.4,
        0.2,
    ),
]
