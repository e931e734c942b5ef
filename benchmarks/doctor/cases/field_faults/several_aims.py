"""Several aims: units that drown the other, penalties that outweigh, heads that are mixed up."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.networks import dense


class Shared(nn.Module):
    """One body, a head for the kind and one for the number."""

    def __init__(self, inputs: int = 8, width: int = 32, kinds: int = 4) -> None:
        super().__init__()
        self.body = dense(inputs, width, width, end=nn.ReLU())
        self.kind, self.number = nn.Linear(width, kinds), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.number(h)


def flats(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Columns [N, 8], a kind [N] and a rent [N, 1], which depend on different columns."""
    x = torch.randn(count, 8)
    kind = (x[:, 0] * x[:, 1] > 0).long() * 2 + (x[:, 2] + x[:, 3] > 0).long()
    rent = torch.sin(1.5 * x[:, 4:5]) + x[:, 5:6] * 0.7 + 0.05 * torch.randn(count, 1)
    return x, kind, rent


def go(watching: Any, optimizer: torch.optim.Optimizer, loss: Tensor, target: Any = None) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watching.step(loss, target=target)


def rent_in_euros(cured: bool, watch: Watch) -> Trained:
    """The rent is left in euros, and its squared error is added to the cross-entropy."""
    x, kind, rent = flats(1100)
    if not cured:
        rent = 900 + 450 * rent
    model = Shared(width=24)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 20):
            logits, number = model(x[chosen])
            loss = F.cross_entropy(logits, kind[chosen]) + F.mse_loss(number, rent[chosen])
            go(watching, optimizer, loss, (kind[chosen], rent[chosen]))
    with torch.no_grad():
        return Trained(watching, right(model(x[800:])[0], kind[800:]))


def penalty_outweighs(cured: bool, watch: Watch) -> Trained:
    """The sizes of all weights are added to the error, summed, with a factor of one."""
    x, _, rent = flats(1000)
    model = dense(8, 40, 40, 1)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    factor = 1e-5 if cured else 1.0
    with watch(model, optimizer) as watching:
        for chosen in batches(750, 32, 15):
            size = torch.stack([p.abs().sum() for p in model.parameters()]).sum()
            loss = F.mse_loss(model(x[chosen]), rent[chosen]) + factor * size
            go(watching, optimizer, loss, rent[chosen])
    with torch.no_grad():
        return Trained(watching, explained(model(x[750:]), rent[750:]))


def doubt_without_price(cured: bool, watch: Watch) -> Trained:
    """Each task's error is divided by a learned doubt, and nothing is paid for doubt."""
    x, kind, rent = flats(1100)
    model = Shared()
    doubt = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam(
        [{"params": model.parameters()}, {"params": [doubt], "lr": 0.05}], 0.01
    )
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 12):
            logits, number = model(x[chosen])
            errors = torch.stack(
                [F.cross_entropy(logits, kind[chosen]), F.mse_loss(number, rent[chosen])]
            )
            price = 4 * doubt if cured else 0 * doubt
            loss = (errors * (-4 * doubt).exp() + price).sum()
            go(watching, optimizer, loss, (kind[chosen], rent[chosen]))
    with torch.no_grad():
        return Trained(watching, right(model(x[800:])[0], kind[800:]))


def one_head_forgotten(cured: bool, watch: Watch) -> Trained:
    """The heads were put into a plain dictionary: the optimizer knows of the body alone."""
    x, kind, rent = flats(1000)

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(8, 6, end=nn.Tanh())
            heads = {"kind": nn.Linear(6, 4), "rent": nn.Linear(6, 1)}
            self.heads = nn.ModuleDict(heads) if cured else heads

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            h = self.body(x)
            return {name: head(h) for name, head in self.heads.items()}

    model = Heads()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(750, 32, 16):
            out = model(x[chosen])
            loss = F.cross_entropy(out["kind"], kind[chosen]) * 0.1
            loss = loss + F.mse_loss(out["rent"], rent[chosen])
            go(watching, optimizer, loss, (kind[chosen], rent[chosen]))
    with torch.no_grad():
        return Trained(watching, explained(model(x[750:])["rent"], rent[750:]))


def last_loss_alone(cured: bool, watch: Watch) -> Trained:
    """In the loop over the heads `loss =` stands where `loss +=` should: the last one counts."""
    x = torch.randn(1000, 8)
    y = torch.stack([x[:, 0] * x[:, 1], x[:, 2].abs() - 0.8, torch.sin(2 * x[:, 3])], 1)
    model = nn.ModuleDict(
        {
            "body": dense(8, 48, 48, end=nn.ReLU()),
            **{f"head{i}": nn.Linear(48, 1) for i in range(3)},
        }
    )

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, x: Tensor) -> list[Tensor]:
            h = self.parts["body"](x)
            return [self.parts[f"head{i}"](h)[:, 0] for i in range(3)]

    whole = Whole()
    optimizer = torch.optim.Adam(whole.parameters(), 4e-3)
    with watch(whole, optimizer) as watching:
        for chosen in batches(750, 32, 15):
            loss = torch.zeros(())
            for i, answer in enumerate(whole(x[chosen])):
                error = F.mse_loss(answer, y[chosen, i])
                loss = loss + error if cured else error
            go(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer = torch.stack(whole(x[750:]), 1)
        each = [explained(answer[:, i], y[750:, i]) for i in range(3)]
    return Trained(watching, min(each))


PAIRS = [
    Pair(
        "a rent in euros beside a kind",
        "a rent of one spread beside a kind",
        ("loss_terms_unbalanced", "targets_unscaled"),
        rent_in_euros,
        0.6,
        0.8,
    ),
    Pair(
        "sizes of weights that outweigh the error",
        "sizes of weights as a small penalty",
        ("loss_terms_unbalanced", "weight_decay_too_strong"),
        penalty_outweighs,
        0.1,
        0.8,
    ),
    Pair(
        "doubt that costs nothing",
        "doubt that has its price",
        ("loss_terms_unbalanced",),
        doubt_without_price,
        0.7,
        0.75,
    ),
    Pair(
        "heads in a plain dictionary",
        "heads in a ModuleDict",
        ("parameters_not_updated",),
        one_head_forgotten,
        0.85,
        0.9,
    ),
    Pair(
        "the loss of the last head alone",
        "the losses of all heads",
        ("parameters_not_updated",),
        last_loss_alone,
        0.2,
        0.6,
    ),
]
