"""Molecules: graphs of atoms, and sets of what they are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right

ATOMS = 8
KINDS = 5


def molecules(count: int, bonds: float = 0.3) -> tuple[Tensor, Tensor]:
    """Kinds of atoms [count, ATOMS], and which are bonded [count, ATOMS, ATOMS]: a ring and more.

    The two are one tensor [count, ATOMS, KINDS + ATOMS], and kinds by their number.
    """
    kind = torch.randint(KINDS, (count, ATOMS))
    bonded = (torch.rand(count, ATOMS, ATOMS) < bonds).triu(1)
    ring = torch.eye(ATOMS).roll(1, 1).bool()
    bonded = bonded | bonded.transpose(1, 2) | ring | ring.T
    bonded = bonded & ~torch.eye(ATOMS).bool()
    return torch.cat([F.one_hot(kind, KINDS).float(), bonded.float()], 2), kind


def polar(x: Tensor, kind: Tensor) -> Tensor:
    """How many bonds are between atoms of the kinds 0 and 1, standardised. [count]"""
    one, other = (kind == 0).float(), (kind == 1).float()
    between = torch.einsum("bi,bij,bj->b", one, x[:, :, KINDS:], other)
    return (between - between.mean()) / between.std()


def crowded(x: Tensor, kind: Tensor) -> Tensor:
    """How many bonds more than usual the atoms of kind 0 have, standardised. [count]"""
    bonds = x[:, :, KINDS:].sum(2)
    more = ((bonds - bonds.mean()) * (kind == 0)).sum(1)
    return (more - more.mean()) / more.std()


class Messages(nn.Module):
    """Sums over neighbours in a list of bonds (from, to), as one graph of all atoms of a batch."""

    def __init__(self, offset: bool) -> None:
        super().__init__()
        self.offset = offset
        self.first, self.second = nn.Linear(2 * KINDS, 48), nn.Linear(48, 32)
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        count = len(x)
        molecule, source, target = x[:, :, KINDS:].nonzero().T
        if self.offset:
            source, target = source + ATOMS * molecule, target + ATOMS * molecule
        atoms = x[:, :, :KINDS].reshape(-1, KINDS)
        received = torch.zeros_like(atoms).index_add(0, target, atoms[source])
        h = torch.relu(self.first(torch.cat([atoms, received], 1)))
        h = self.second(h).reshape(count, ATOMS, -1).sum(1)
        answer: Tensor = self.out(h).squeeze(1)
        return answer


def bonds_of_the_first(cured: bool, watch: Watch) -> Trained:
    """Atoms of a batch stand in one list, and the numbers in the bonds start at 0 for each
    molecule, so that all bonds are between atoms of the first.
    """
    x, kind = molecules(1000)
    y = crowded(x, kind)
    model = Messages(offset=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _epoch in range(15):
            for chosen in torch.randperm(800).split(32):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.mse_loss))


class Layers(nn.Module):
    """Graph convolutions, one after another, by the sum or the mean of neighbours and itself."""

    def __init__(self, depth: int, outputs: int, mean: bool, past: bool = False) -> None:
        super().__init__()
        self.mean, self.past = mean, past
        self.embed = nn.Linear(KINDS, 32)
        self.layers = nn.ModuleList([nn.Linear(32, 32) for _ in range(depth)])
        self.out = nn.Linear(32, outputs)

    def mixed(self, x: Tensor) -> Tensor:
        """The atoms' vectors after all layers. [B, ATOMS, 32]"""
        links = x[:, :, KINDS:] + torch.eye(ATOMS)
        if self.mean:
            links = links / links.sum(2, keepdim=True)
        h = torch.relu(self.embed(x[:, :, :KINDS]))
        for layer in self.layers:
            new = torch.relu(layer(links @ h))
            h = h + new if self.past else new
        return h

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.mixed(x).mean(1))
        return answer


class OfEachAtom(Layers):
    """An answer for each atom. [B, outputs, ATOMS]"""

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.mixed(x)).transpose(1, 2)
        return answer


def sums_upon_sums(cured: bool, watch: Watch) -> Trained:
    """Dense molecules, a sum over neighbours in each of seven layers, and kernels drawn by He."""
    x, kind = molecules(1000, bonds=0.7)
    y = ((kind == 0).sum(1) > (kind == 1).sum(1)).long()
    model = Layers(7, 2, mean=cured)
    for layer in model.layers:
        nn.init.kaiming_normal_(layer.get_parameter("weight"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 20):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss.detach(), target=y[chosen])
    with torch.no_grad():
        score = right(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


def smoothed_alike(cured: bool, watch: Watch) -> Trained:
    """Twelve means over neighbours, after which all atoms of a molecule are alike; each atom is to
    be named by its kind and by whether one of its neighbours is of kind 0.
    """
    x, kind = molecules(900, bonds=0.1)
    near = torch.einsum("bij,bj->bi", x[:, :, KINDS:], (kind == 0).float()) > 0
    y = kind * 2 + near.long()
    model = OfEachAtom(12, 2 * KINDS, mean=True, past=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(8):
            for chosen in torch.randperm(700).split(28):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = right(model(x[700:]).transpose(1, 2), y[700:])
    return Trained(watching, score, known(x, y, 700, F.cross_entropy))


def total_energy(cured: bool, watch: Watch) -> Trained:
    """Energies are hundreds of hartrees below zero; what differs is a few of them."""
    x, kind = molecules(1000)
    energy = torch.tensor([-37.8, -54.6, -75.1, -0.5, -99.7])[kind].sum(1)
    energy = energy - 3 * polar(x, kind)
    y = (energy - energy.mean()) / energy.std() if cured else energy
    model = Layers(3, 1, mean=True, past=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    y = y[:, None]
    with watch(model, optimizer) as watching:
        for _epoch in range(14):
            for chosen in torch.randperm(800).split(40):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.mse_loss))


class Solubility(nn.Module):
    """A set of fragments [B, 6, 4]: a network for each, their sum, and a network of that."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32))
        self.all = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), end)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.all(self.each(x).mean(1))
        return answer


def never_below_zero(cured: bool, watch: Watch) -> Trained:
    """A ReLU as the last layer, for logarithms of which most are below zero."""
    x = torch.randn(1100, 6, 4)
    y = (x[:, :, 0] * x[:, :, 1] + 0.5 * x[:, :, 2]).sum(1, keepdim=True) / 3 - 1.5
    model = Solubility(nn.Identity() if cured else nn.ReLU())
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    criterion = nn.SmoothL1Loss()
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 20):
            descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, criterion))


PAIRS = [
    Pair(
        "molecules: bonds of all lie in the first of a batch",
        "molecules: bonds of each lie in its own place",
        ("samples_mixed", "inputs_scrambled"),
        bonds_of_the_first,
        0.4,
        0.8,
    ),
    Pair(
        "molecules: seven sums over many neighbours",
        "molecules: seven means over many neighbours",
        ("signal_explodes", "exploding_gradient"),
        sums_upon_sums,
        0.75,
        0.85,
    ),
    Pair(
        "molecules: twelve means over neighbours",
        "molecules: twelve means added to what was there",
        ("representation_collapsed", "signal_vanishes", "vanishing_gradient"),
        smoothed_alike,
        0.5,
        0.8,
    ),
    Pair(
        "molecules: energies as they are",
        "molecules: energies standardised",
        ("targets_unscaled",),
        total_energy,
        0.75,
        0.9,
    ),
    Pair(
        "molecules: a ReLU ends on logarithms",
        "molecules: nothing ends on logarithms",
        ("target_out_of_range", "output_loss_mismatch", "dead_units"),
        never_below_zero,
        0.3,
        0.6,
    ),
]
