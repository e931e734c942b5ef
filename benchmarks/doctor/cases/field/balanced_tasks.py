"""Several tasks in one body, balanced: by learned weights, by their gradients, by turns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy, r2
from benchmarks.doctor.networks import dense


class Body(nn.Module):
    """A body, a number in large units, a class and a sign."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(dense(10, 64, 48), nn.ReLU())
        self.price, self.kind, self.sold = nn.Linear(48, 1), nn.Linear(48, 3), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"price": self.price(h)[:, 0], "kind": self.kind(h), "sold": self.sold(h)[:, 0]}


class Weighed(Body):
    """With a logarithm of a variance for each task."""

    def __init__(self) -> None:
        super().__init__()
        self.log_variances = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in ("price", "kind", "sold")}
        )


def offers(count: int) -> tuple[Tensor, dict[str, Tensor]]:
    x = torch.randn(count, 10)
    value = x[:, 0] + 0.8 * x[:, 1].relu() - 0.6 * x[:, 2]
    sides = torch.stack([x[:, 3] + x[:, 0], x[:, 4] - x[:, 1], x[:, 5]], 1)
    sold = (value + x[:, 6] + 0.2 * torch.randn(count) > 0.3).float()
    price = 3 * value + 10 + 0.3 * torch.randn(count)
    return x, {"price": price, "kind": sides.argmax(1), "sold": sold}


def terms(out: dict[str, Tensor], y: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {
        "price": F.mse_loss(out["price"], y["price"][rows]),
        "kind": F.cross_entropy(out["kind"], y["kind"][rows]),
        "sold": F.binary_cross_entropy_with_logits(out["sold"], y["sold"][rows]),
    }


@torch.no_grad()
def mean_score(model: nn.Module, x: Tensor, y: dict[str, Tensor], start: int) -> float:
    """The mean of R² and two shares of right answers."""
    out = model(x[start:])
    kind = (out["kind"].argmax(1) == y["kind"][start:]).double().mean()
    sold = ((out["sold"] > 0) == (y["sold"][start:] > 0.5)).double().mean()
    return (r2(out["price"], y["price"][start:]) + float(kind) + float(sold)) / 3


def uncertain() -> Trained:
    """Each loss is divided by a variance that is learned with the rest (Kendall and others)."""
    x, y = offers(1600)
    model = Weighed()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1300, 50, 20):
            parts = {}
            for name, term in terms(model(x[rows]), y, rows).items():
                s = model.log_variances[name]
                parts[name] = (0.5 if name == "price" else 1.0) * (-s).exp() * term + 0.5 * s
            loss = torch.stack(list(parts.values())).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target={name: t[rows] for name, t in y.items()}, parts=parts)
    return Trained(watch, mean_score(model, x, y, 1300))


def surgery() -> Trained:
    """What of a task's gradient points against another's is taken away, before the step."""
    x, y = offers(1600)
    y["price"] = (y["price"] - y["price"].mean()) / y["price"].std()
    model = Body()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    shared = list(model.body.parameters())
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1300, 65, 12):
            parts = terms(model(x[rows]), y, rows)
            optimizer.zero_grad()
            whole = []
            for term in parts.values():
                for p in shared:
                    p.grad = None
                term.backward(retain_graph=True)
                whole.append(torch.cat([p.grad.flatten() for p in shared if p.grad is not None]))
            mended = []
            for i, gradient in enumerate(whole):
                for j, other in enumerate(whole):
                    product = gradient @ other
                    if i != j and product < 0:
                        gradient = gradient - product / other.square().sum() * other
                mended.append(gradient)
            sizes = [p.numel() for p in shared]
            for p, piece in zip(shared, torch.stack(mended).sum(0).split(sizes), strict=True):
                p.grad = piece.view_as(p)
            optimizer.step()
            loss = torch.stack(list(parts.values())).sum().detach()
            watch.step(loss, target={name: t[rows] for name, t in y.items()})
    return Trained(watch, mean_score(model, x, y, 1300))


def turns() -> Trained:
    """Each step is one task's, drawn at random; what belongs to the others rests."""
    x, y = offers(1600)
    y["price"] = (y["price"] - y["price"].mean()) / y["price"].std()
    model = Body()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    names = ["price", "kind", "sold"]
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1300, 32, 40):
            name = names[int(torch.randint(3, ()))]
            loss = terms(model(x[rows]), y, rows)[name]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return Trained(watch, mean_score(model, x, y, 1300))


CASES = [
    healthy("tasks weighed by learned variances", uncertain),
    healthy("tasks whose gradients are mended", surgery),
    healthy("tasks by turns", turns),
]
