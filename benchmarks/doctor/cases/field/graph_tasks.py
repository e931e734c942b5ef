"""Graphs as libraries teach them: attention along edges, links, samples of neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy


def planted(
    nodes: int = 240, kinds: int = 3, inside: float = 0.06, outside: float = 0.008
) -> tuple[Tensor, Tensor, Tensor]:
    """Features, `edge_index` [2, E] in both directions, kinds: neighbours are often of one kind."""
    y = torch.randint(kinds, (nodes,))
    x = 0.7 * torch.randn(kinds, 16)[y] + torch.randn(nodes, 16)
    p = torch.where(y[:, None] == y[None, :], inside, outside)
    upper = (torch.rand(nodes, nodes) < p).triu(1)
    edge = upper.nonzero().T
    return x, torch.cat([edge, edge.flip(0)], 1), y


class GATLayer(nn.Module):
    """One head of attention over a node's neighbours and itself."""

    def __init__(self, fin: int, fout: int):
        super().__init__()
        self.w = nn.Linear(fin, fout, bias=False)
        self.a_src, self.a_dst = nn.Parameter(torch.empty(fout)), nn.Parameter(torch.empty(fout))
        nn.init.normal_(self.a_src, std=0.3)
        nn.init.normal_(self.a_dst, std=0.3)

    def forward(self, x: Tensor, edge: Tensor) -> Tensor:
        n = len(x)
        loops = torch.arange(n).expand(2, -1)
        src, dst = torch.cat([edge, loops], 1)
        h = self.w(x)
        e = F.leaky_relu((h @ self.a_src)[src] + (h @ self.a_dst)[dst], 0.2)
        e = (e - e.max()).exp()
        norm = torch.zeros(n).index_add_(0, dst, e)
        return torch.zeros_like(h).index_add_(0, dst, h[src] * (e / norm[dst])[:, None])


def attention_along_edges() -> Trained:
    x, edge, y = planted()
    train = torch.zeros(240, dtype=torch.bool)
    train[:100] = True

    class GAT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = GATLayer(16, 24), GATLayer(24, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.elu(self.one(F.dropout(x, 0.2, self.training), edge))
            return self.two(F.dropout(x, 0.2, self.training), edge)

    model = GAT()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)
    with ss.watch(model, optimizer) as watch:
        for _ in range(80):
            model.train()
            optimizer.zero_grad()
            out = model(x)
            loss = F.cross_entropy(out[train], y[train])
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[train])
    model.eval()
    with torch.no_grad():
        return Trained(watch, float((model(x)[~train].argmax(1) == y[~train]).double().mean()))


def links() -> Trained:
    """A graph autoencoder: which of two pairs of nodes is joined, by the product of their codes."""
    x, edge, _y = planted(200, 5, 0.15, 0.003)
    order = torch.randperm(edge.shape[1] // 2)
    half = edge[:, : len(order)]
    held, used = half[:, order[:60]], half[:, order[60:]]
    adjacency = torch.eye(200)
    adjacency[used[0], used[1]] = adjacency[used[1], used[0]] = 1
    degree = adjacency.sum(1).rsqrt()
    a_hat = degree[:, None] * adjacency * degree
    encoder = nn.ModuleList([nn.Linear(16, 32), nn.Linear(32, 12)])
    opt = torch.optim.Adam(encoder.parameters(), 1e-2)

    def encode() -> Tensor:
        return a_hat @ encoder[1](F.relu(a_hat @ encoder[0](x)))

    with ss.watch(encoder, opt) as watch:
        for _ in range(120):
            z = encode()
            wrong = torch.randint(200, used.shape)
            score = torch.cat(
                [(z[used[0]] * z[used[1]]).sum(1), (z[wrong[0]] * z[wrong[1]]).sum(1)]
            )
            truth = torch.cat([torch.ones(used.shape[1]), torch.zeros(used.shape[1])])
            loss = F.binary_cross_entropy_with_logits(score, truth)
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=truth)
    with torch.no_grad():
        z = encode()
        wrong = torch.randint(200, (2, 2000))
        yes, no = (z[held[0]] * z[held[1]]).sum(1), (z[wrong[0]] * z[wrong[1]]).sum(1)
    return Trained(watch, float((yes[:, None] > no[None]).double().mean()))


def sampled_neighbours() -> Trained:
    """GraphSAGE by mini-batches: five neighbours of each node are drawn anew."""
    x, edge, y = planted(300)
    near = [edge[1, edge[0] == n] for n in range(300)]
    near = [n if len(n) else torch.tensor([i]) for i, n in enumerate(near)]
    table = torch.stack([n[torch.randint(len(n), (20,))] for n in near])

    class Sage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.l1, self.l2 = nn.Linear(32, 32), nn.Linear(64, 3)

        def once(self, nodes: Tensor) -> Tensor:
            mean = x[table[nodes][..., torch.randint(20, (5,))]].mean(-2)
            return F.normalize(F.relu(self.l1(torch.cat([x[nodes], mean], -1))), dim=-1)

        def forward(self, nodes: Tensor) -> Tensor:
            mean = self.once(table[nodes][:, torch.randint(20, (5,))]).mean(1)
            return self.l2(torch.cat([self.once(nodes), mean], 1))

    model = Sage()
    optim = torch.optim.AdamW(model.parameters(), 2e-2)
    with ss.watch(model, optim) as watch:
        for _ in range(15):
            for nodes in torch.randperm(200).split(32):
                loss = F.cross_entropy(model(nodes), y[nodes])
                optim.zero_grad()
                loss.backward()
                optim.step()
                watch.step(loss, target=y[nodes])
    rest = torch.arange(200, 300)
    with torch.no_grad():
        return Trained(watch, float((model(rest).argmax(1) == y[rest]).double().mean()))


def whole_graphs() -> Trained:
    """Graphs in one long batch, pooled by their number: is there a triangle of marked nodes?"""

    def batch(count: int) -> tuple[Tensor, Tensor, Tensor]:
        adj = (torch.rand(count, 8, 8) < 0.25).triu(1).float()
        mark = (torch.rand(count, 8, 1) < 0.5).float()
        adj = adj + adj.transpose(1, 2)
        m = adj * mark * mark.transpose(1, 2)
        edges = m.sum((1, 2)) / 2
        return torch.cat([mark, torch.ones_like(mark)], 2), adj, (edges > 1.5).long()

    class GIN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlps = nn.ModuleList(
                nn.Sequential(nn.Linear(i, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32))
                for i in (2, 32)
            )
            self.eps = nn.Parameter(torch.zeros(2))
            self.out = nn.Linear(64, 2)

        def forward(self, x: Tensor, adj: Tensor) -> Tensor:
            sums = []
            for mlp, eps in zip(self.mlps, self.eps, strict=True):
                h = (1 + eps) * x + adj @ x
                x = F.relu(mlp(h.flatten(0, 1)).view(len(h), 8, -1))
                sums.append(x.sum(1) / 8)
            return self.out(torch.cat(sums, 1))

    net = GIN()
    opt = torch.optim.Adam(net.parameters(), 5e-3)
    sched = torch.optim.lr_scheduler.StepLR(opt, 60, 0.5)
    with ss.watch(net, opt) as watch:
        for _ in range(180):
            x, adj, y = batch(48)
            opt.zero_grad()
            loss = F.cross_entropy(net(x, adj), y)
            loss.backward()
            opt.step()
            sched.step()
            watch.step(loss, target=y)
    net.eval()
    x, adj, y = batch(500)
    with torch.no_grad():
        return Trained(watch, float((net(x, adj).argmax(1) == y).double().mean()))


CASES = [
    healthy("attention along edges", attention_along_edges),
    healthy("links told from no links", links),
    healthy("neighbours that are drawn", sampled_neighbours),
    healthy("graphs summed up", whole_graphs),
]
