"""Albums of small pictures: codes, likeness, and pictures that a network draws."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known
from benchmarks.doctor.networks import dense


def album() -> tuple[Tensor, Tensor]:
    """Pictures of 8 × 8 in 0..1, and who is on them, in random order: [1797, 64], [1797]"""
    pixels, kinds = load_digits(return_X_y=True)
    order = torch.randperm(len(kinds))
    return torch.tensor(pixels).float()[order] / 16, torch.tensor(kinds)[order]


def neighbour(codes: Tensor, kinds: Tensor) -> float:
    """How often the nearest other code is of the same kind; 0.1 for codes that are all alike."""
    if not bool(codes.isfinite().all()) or float(codes.std(0).max()) < 1e-3:
        return 0.1
    distance = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    return float((kinds[distance.argmin(1)] == kinds).float().mean())


class Siamese(nn.Module):
    """The distance of two pictures: [B, 2, 64] -> [B]"""

    def __init__(self) -> None:
        super().__init__()
        self.code = dense(64, 64, 8)

    def forward(self, pair: Tensor) -> Tensor:
        one, other = self.code(pair[:, 0]), self.code(pair[:, 1])
        return ((one - other).square().sum(1) + 1e-6).sqrt()


def only_pairs_that_match(cured: bool, watch: Watch) -> Trained:
    """Nothing in the loss keeps strangers apart: the margin's part has weight 0."""
    x, kinds = album()
    partner = torch.stack([_of(kinds, int(k), bool(i % 2)) for i, k in enumerate(kinds[:1400])])
    same = (kinds[:1400] == kinds[partner]).float()
    pairs = torch.stack([x[:1400], x[partner]], 1)
    model = Siamese()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def contrastive(distance: Tensor, alike: Tensor) -> Tensor:
        apart = torch.relu(1.5 - distance).square()
        return (alike * distance.square() + float(cured) * (1 - alike) * apart).mean()

    with watch(model, optimizer) as watching:
        for chosen in batches(1400, 35, 25):
            loss = contrastive(model(pairs[chosen]), same[chosen])
            descend(watching, optimizer, loss, same[chosen])
    with torch.no_grad():
        distance = model(torch.stack([x[1400:-1], x[1401:]], 1))
        alike = kinds[1400:-1] == kinds[1401:]
        apart = float(((distance < 0.75) == alike)[~alike].float().mean())
        together = float((distance < 0.75)[alike].float().mean())
    return Trained(watching, min(apart, together), {"train": (pairs, same), "loss_fn": contrastive})


def _of(kinds: Tensor, kind: int, same: bool) -> Tensor:
    """The place of some picture of this kind, or of another, among the first 1400."""
    places = ((kinds[:1400] == kind) == same).nonzero()[:, 0]
    return places[torch.randint(len(places), ())]


class Sketch(nn.Module):
    """A variational autoencoder: [B, 64] -> picture [B, 64], mean and log-variance [B, 6]"""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(64, 96)
        self.mean, self.spread = nn.Linear(96, 6), nn.Linear(96, 6)
        self.back = dense(6, 96, 64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = torch.relu(self.into(x))
        mean, spread = self.mean(h), self.spread(h)
        z = mean + torch.randn_like(mean) * (spread / 2).exp() if self.training else mean
        return self.back(z), mean, spread


def divergence_summed(cured: bool, watch: Watch) -> Trained:
    """Pixels are averaged, the divergence is summed: it costs less to ignore the code."""
    x, _ = album()
    x = (x - x.mean(0)) / x.std()
    vae = Sketch()
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    with watch(vae, optimizer) as watching:
        for chosen in batches(1400, 50, 30):
            picture, mean, spread = vae(x[chosen])
            error = (picture - x[chosen]).square()
            reconstruction = error.sum(1).mean() if cured else error.mean()
            kl = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1).mean()
            loss = reconstruction + kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=x[chosen], parts={"rec": reconstruction, "kl": kl})
    vae.eval()
    return Trained(watching, explained(vae(x[1400:])[0], x[1400:]))


def many_sigmoids(cured: bool, watch: Watch) -> Trained:
    """Eight layers of sigmoids, of which the first learn nothing: each picture is the mean one."""
    x, _ = album()
    squash = nn.GELU if cured else nn.Sigmoid
    sizes = (64, 48, 40, 32, 24, 32, 40, 48, 64)
    model = dense(*sizes, activation=squash)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(1400, 35, 30):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), x[chosen]), x[chosen])
    score = explained(model(x[1400:]), x[1400:])
    return Trained(watching, score, known(x, x, 1400, F.mse_loss))


class Draw(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = dense(4, 32, 32, 2)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.layers(z)
        return out


def cut_before_the_critic(cured: bool, watch: Watch) -> Trained:
    """In the generator's turn, too, what it drew is detached: eyes on a face, at two places."""
    generator, critic = Draw(), dense(2, 32, 32, 1)
    g_opt = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    c_opt = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.99))
    networks: Any = {"generator": generator, "critic": critic}
    bce = nn.BCEWithLogitsLoss()
    one, zero = torch.ones(64, 1), torch.zeros(64, 1)
    with watch(networks, [g_opt, c_opt]) as watching:
        for _turn in range(1500):
            real = torch.tensor([2.0, -1.0]) + 0.5 * torch.randn(64, 2)
            fake = generator(torch.randn(64, 4))
            c_loss = bce(critic(real), one) + bce(critic(fake.detach()), zero)
            c_opt.zero_grad()
            c_loss.backward()
            c_opt.step()
            fake = generator(torch.randn(64, 4))
            verdict = critic(fake if cured else fake.detach())
            g_loss = bce(verdict, one)
            g_opt.zero_grad()
            g_loss.backward()
            g_opt.step()
            parts = {"generator": g_loss, "critic": c_loss}
            watching.step(g_loss.detach() + c_loss.detach(), parts=parts)
    with torch.no_grad():
        middle = generator(torch.randn(2000, 4)).mean(0)
    score = 1 - float((middle - torch.tensor([2.0, -1.0])).norm()) / 5**0.5
    return Trained(watching, max(score, -1.0))


class Coder(nn.Module):
    """A code of length 1, or a batch whose columns have length 1: [B, 64] -> [B, 4]"""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.layers = dense(64, 64, 4)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.layers(x), dim=self.axis)


def unit_columns(cured: bool, watch: Watch) -> Trained:
    """Codes are normalized down the batch, and an album is asked one picture at a time."""
    x, kinds = album()
    model = Coder(1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    triplet = nn.TripletMarginLoss(margin=0.4)
    places = [(kinds[:1400] == kind).nonzero()[:, 0] for kind in range(10)]
    with watch(model, optimizer) as watching:
        for _step in range(500):
            chosen = torch.randint(1400, (48,))
            others = (kinds[chosen] + torch.randint(1, 10, (48,))) % 10
            alike = torch.stack([_any(places[int(k)]) for k in kinds[chosen]])
            strange = torch.stack([_any(places[int(k)]) for k in others])
            codes = model(x[torch.cat([chosen, alike, strange])])
            loss = triplet(*codes.split(48))
            descend(watching, optimizer, loss)
    with torch.no_grad():
        codes = torch.cat([model(picture[None]) for picture in x[1400:]])
    return Trained(watching, neighbour(codes, kinds[1400:]), {"train": (x[:1400], kinds[:1400])})


def _any(places: Tensor) -> Tensor:
    return places[torch.randint(len(places), ())]


PAIRS = [
    Pair(
        "twins of pictures and no strangers",
        "twins of pictures and strangers apart",
        ("representation_collapsed", "input_not_used", "loss_unsuited", "loss_terms_unbalanced"),
        only_pairs_that_match,
        0.3,
        0.75,
    ),
    Pair(
        "sketches whose code costs too much",
        "sketches whose code is worth its cost",
        ("loss_terms_unbalanced", "representation_collapsed", "input_not_used"),
        divergence_summed,
        0.2,
        0.4,
    ),
    Pair(
        "grey pictures from many sigmoids",
        "pictures from many GELUs",
        ("vanishing_gradient", "signal_vanishes", "saturated_units", "input_not_used"),
        many_sigmoids,
        0.3,
        0.6,
    ),
    Pair(
        "a drawing that no gradient reaches",
        "a drawing that the critic's gradient reaches",
        ("parameters_not_updated",),
        cut_before_the_critic,
        0.3,
        0.7,
    ),
    Pair(
        "codes normalized down the batch",
        "codes normalized each by itself",
        ("samples_mixed",),
        unit_columns,
        0.75,
        0.85,
    ),
]
