"""Loops that are not the usual one: many sites, no backward pass, layer by layer, tasks in turn."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def many_sites() -> Trained:
    """Federated averaging: five sites with their own share train a copy, then all are averaged."""
    (x, y), (xv, yv) = data.digits()
    server = dense(64, 48, 10)
    sites = torch.randperm(len(x)).chunk(5)
    optimizer = torch.optim.SGD(server.parameters(), lr=0.2, momentum=0.5)
    with ss.watch(server, optimizer) as watch:
        for _round in range(4):
            start = copy.deepcopy(server.state_dict())
            total = {k: torch.zeros_like(v) for k, v in start.items()}
            for rows in sites:
                server.load_state_dict(start)
                for part in batches(len(rows), 32, 2):
                    chosen = rows[part]
                    descend(
                        watch, optimizer, F.cross_entropy(server(x[chosen]), y[chosen]), y[chosen]
                    )
                for k, v in server.state_dict().items():
                    total[k] += v * len(rows) / len(x)
            server.load_state_dict(total)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(server, xv, yv), known)


def evolution() -> Trained:
    """Evolution strategies: the gradient is estimated from losses of moved weights."""
    (x, y), (xv, yv) = data.moons()
    net = dense(2, 12, 1, activation=nn.Tanh)
    opt = torch.optim.Adam(net.parameters(), lr=0.05)
    loss_fn = nn.BCEWithLogitsLoss()
    names = [n for n, _ in net.named_parameters()]

    def at(weights: tuple[Tensor, ...], xb: Tensor, yb: Tensor) -> Tensor:
        return loss_fn(functional_call(net, dict(zip(names, weights, strict=True)), xb), yb)

    with ss.watch(net, opt) as watch:
        for _ in range(150):
            rows = torch.randint(len(x), (128,))
            xb, yb = x[rows], y[rows]
            with torch.no_grad():
                eps = [torch.randn(20, *p.shape) for p in net.parameters()]
                up = vmap(at, (0, None, None))(
                    tuple(p + 0.1 * e for p, e in zip(net.parameters(), eps, strict=True)), xb, yb
                )
                down = vmap(at, (0, None, None))(
                    tuple(p - 0.1 * e for p, e in zip(net.parameters(), eps, strict=True)), xb, yb
                )
                weight = (up - down) / (2 * 0.1 * 20)
                for p, e in zip(net.parameters(), eps, strict=True):
                    p.grad = torch.tensordot(weight, e, 1)
                loss = loss_fn(net(xb), yb)
            opt.step()
            watch.step(loss, target=yb)
    with torch.no_grad():
        score = float(((net(xv) > 0) == (yv > 0.5)).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


def layer_by_layer() -> Trained:
    """Greedy: each layer has a reading of its own, and no gradient goes further down."""
    (x, y), (xv, yv) = data.digits()
    layers = nn.ModuleList([nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)])
    reads = nn.ModuleList(nn.Linear(64, 10) for _ in range(3))
    both = nn.ModuleDict({"layers": layers, "reads": reads})
    opt = torch.optim.Adam(both.parameters(), 3e-3)
    with ss.watch(both, opt) as watch:
        for rows in batches(len(x), 64, 8):
            h, losses = x[rows], []
            for layer, read in zip(layers, reads, strict=True):
                h = F.relu(layer(h.detach()))
                losses.append(F.cross_entropy(read(h), y[rows]))
            loss = torch.stack(losses).sum()
            descend(watch, opt, loss, y[rows])
    with torch.no_grad():
        h = xv
        for layer in layers:
            h = F.relu(layer(h))
        return Trained(watch, float((reads[-1](h).argmax(1) == yv).double().mean()))


def one_task_after_another() -> Trained:
    """Continual learning: low digits first, then high ones with a memory of the low."""
    (x, y), (xv, yv) = data.digits()
    net = dense(64, 80, 10)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    low, high = (y < 5).nonzero()[:, 0], (y >= 5).nonzero()[:, 0]
    with ss.watch(net, opt) as watch:
        for rows in batches(len(low), 32, 6):
            c = low[rows]
            descend(watch, opt, F.cross_entropy(net(x[c]), y[c]), y[c])
        memory = low[torch.randperm(len(low))[:150]]
        for rows in batches(len(high), 32, 8):
            c = torch.cat([high[rows], memory[torch.randint(150, (32,))]])
            descend(watch, opt, F.cross_entropy(net(x[c]), y[c]), y[c])
    known = {"valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(net, xv, yv), known)


def three_at_once() -> Trained:
    """An ensemble whose members are trained together, stacked by `vmap`."""
    (x, y), (xv, yv) = data.digits()
    members = [dense(64, 32, 10) for _ in range(3)]
    params, buffers = stack_module_state(members)
    base = copy.deepcopy(members[0])

    class Ensemble(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stacked = nn.ParameterDict(
                {k.replace(".", "_"): nn.Parameter(v.detach()) for k, v in params.items()}
            )

        def forward(self, x: Tensor) -> Tensor:
            weights = {k: self.stacked[k.replace(".", "_")] for k in params}

            def one(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
                return functional_call(base, (p, b), (x,))

            return vmap(one)(weights, buffers)

    model = Ensemble()
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(len(x), 64, 6):
            out = model(x[rows])
            loss = F.cross_entropy(out.flatten(0, 1), y[rows].repeat(3))
            descend(watch, optimizer, loss, y[rows])
    with torch.no_grad():
        right = model(xv).softmax(-1).mean(0).argmax(1) == yv
    return Trained(watch, float(right.double().mean()))


def labels_of_its_own() -> Trained:
    """Few labels; where two views agree and the network is sure, its own answer is the label."""
    (x, y), (xv, yv) = data.digits()
    known, rest = torch.arange(150), torch.arange(150, len(x))
    net = dense(64, 96, 10)
    opt = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 200)
    with ss.watch(net, opt) as watch:
        for _ in range(200):
            a, b = known[torch.randint(150, (32,))], rest[torch.randint(len(rest), (96,))]
            weak = x[b] + 0.02 * torch.randn(96, 64)
            strong = x[b] * (torch.rand(96, 64) > 0.2) + 0.05 * torch.randn(96, 64)
            with torch.no_grad():
                sure, guess = net(weak).softmax(1).max(1)
            unlabelled = (
                F.cross_entropy(net(strong), guess, reduction="none") * (sure > 0.9)
            ).mean()
            loss = F.cross_entropy(net(x[a]), y[a]) + unlabelled
            opt.zero_grad()
            loss.backward()
            opt.step()
            plan.step()
            watch.step(loss)
    given = {"train": (x[known], y[known]), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(net, xv, yv), given)


CASES = [
    healthy("five sites averaged", many_sites),
    healthy("gradients from moved weights", evolution),
    healthy("layer by layer", layer_by_layer),
    healthy("one task after another, with a memory", one_task_after_another),
    healthy("three members at once", three_at_once),
    healthy("labels of its own where it is sure", labels_of_its_own),
]
