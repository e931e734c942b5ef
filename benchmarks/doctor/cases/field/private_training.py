"""Data that stay where they are: gradients with noise, many owners, a network cut in two."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.data import digits
from benchmarks.doctor.networks import dense


def noised() -> Trained:
    """Each sample's gradient is clipped, noise is added to the sum, the mean is stepped along."""
    (x, y), valid = digits()
    model = dense(64, 32, 10, activation=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5)
    bound, noise = 1.0, 0.5

    def sample_loss(values: dict[str, Tensor], row: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, values, (row[None],)), label[None])

    gradients = vmap(grad(sample_loss), in_dims=(None, 0, 0))
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 100, 12):
            values = {name: p.detach() for name, p in model.named_parameters()}
            each = gradients(values, x[rows], y[rows])
            norms = torch.stack([g.flatten(1).square().sum(1) for g in each.values()]).sum(0).sqrt()
            factor = (bound / (norms + 1e-6)).clamp(max=1)
            for name, p in model.named_parameters():
                total = torch.einsum("b,b...->...", factor, each[name])
                p.grad = (total + noise * bound * torch.randn_like(p)) / len(rows)
            optimizer.step()
            with torch.no_grad():
                loss = F.cross_entropy(model(x[rows]), y[rows])
            watch.step(loss, target=y[rows])
    return Trained(watch, accuracy(model, *valid), {"train": (x, y), "valid": valid})


def many_owners() -> Trained:
    """Six owners train a while, each on what it has; the mean of their weights goes back."""
    (x, y), valid = digits()
    owners = torch.randperm(len(x)).chunk(6)
    model = dense(64, 48, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(25):
            common = copy.deepcopy(model.state_dict())
            sums: dict[str, Tensor] = {}
            for own in owners:
                model.load_state_dict(common)
                for rows in own[torch.randperm(len(own))].split(24):
                    descend(watch, optimizer, F.cross_entropy(model(x[rows]), y[rows]), y[rows])
                for name, value in model.state_dict().items():
                    sums[name] = sums.get(name, 0) + value * len(own) / len(x)
            model.load_state_dict(sums)
            with torch.no_grad():
                output = model(valid[0])
            right = float((output.argmax(1) == valid[1]).double().mean())
            watch.valid(loss=F.cross_entropy(output, valid[1]), score=right)
    known = {"train": (x, y), "valid": valid, "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, *valid), known)


def cut_in_two() -> Trained:
    """The owner of the pictures sends hidden units, and is sent their gradient."""
    (x, y), (xv, yv) = digits()
    owner = nn.Sequential(nn.Linear(64, 48), nn.LayerNorm(48), nn.GELU())
    server = dense(48, 32, 10)
    for_owner = torch.optim.Adam(owner.parameters(), lr=3e-3)
    for_server = torch.optim.Adam(server.parameters(), lr=3e-3)
    with ss.watch({"owner": (owner, for_owner), "server": (server, for_server)}) as watch:
        for rows in batches(len(x), 40, 10):
            hidden = owner(x[rows])
            arrived = hidden.detach().requires_grad_()
            loss = F.cross_entropy(server(arrived), y[rows])
            for_server.zero_grad()
            loss.backward()
            for_server.step()
            for_owner.zero_grad()
            hidden.backward(arrived.grad)
            for_owner.step()
            watch.step(loss, target={"server": y[rows]})
    with torch.no_grad():
        score = float((server(owner(xv)).argmax(1) == yv).double().mean())
    return Trained(watch, score)


CASES = [
    healthy("gradients clipped one by one, with noise", noised),
    healthy("weights of many owners", many_owners),
    healthy("a network cut in two", cut_in_two),
]
