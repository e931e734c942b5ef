"""Networks that say how unsure they are: weights that are drawn, evidence, processes, bands."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy, r2


class BayesLinear(nn.Module):
    """Weights with a mean and a spread, drawn in each call."""

    def __init__(self, fin: int, fout: int, prior: float = 0.5):
        super().__init__()
        self.mu = nn.Parameter(torch.randn(fout, fin) / fin**0.5)
        self.rho = nn.Parameter(torch.full((fout, fin), -4.0))
        self.bias, self.prior = nn.Parameter(torch.zeros(fout)), prior

    def forward(self, x: Tensor) -> Tensor:
        sigma = F.softplus(self.rho)
        mean, var = F.linear(x, self.mu, self.bias), F.linear(x**2, sigma**2)
        return mean + (var + 1e-8).sqrt() * torch.randn_like(mean)

    def kl(self) -> Tensor:
        sigma = F.softplus(self.rho)
        ratio = (sigma**2 + self.mu**2) / self.prior**2
        return 0.5 * (ratio - 1 - 2 * torch.log(sigma / self.prior)).sum()


def drawn_weights() -> Trained:
    """Bayes by backprop, with the local draw; judged by the mean of ten answers."""
    (x, y), (xv, yv) = data.digits()
    l1, l2 = BayesLinear(64, 48), BayesLinear(48, 10)
    net = nn.Sequential(l1, nn.ReLU(), l2)
    opt = torch.optim.Adam(net.parameters(), 5e-3)
    with ss.watch(net, opt) as watch:
        for rows in batches(len(x), 64, 12):
            nll = F.cross_entropy(net(x[rows]), y[rows])
            loss = nll + (l1.kl() + l2.kl()) / (20 * len(x))
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=y[rows])
    with torch.no_grad():
        mean = torch.stack([net(xv).softmax(1) for _ in range(10)]).mean(0)
    return Trained(watch, float((mean.argmax(1) == yv).double().mean()))


def evidence_for_classes() -> Trained:
    """Evidential: the outputs are the counts of a Dirichlet; a penalty comes in slowly."""
    (x, y), (xv, yv) = data.digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softplus())
    opt = torch.optim.Adam(net.parameters(), 5e-3, weight_decay=1e-4)

    def loss_at(evidence: Tensor, t: Tensor, share: float) -> Tensor:
        alpha = evidence + 1
        total = alpha.sum(1, keepdim=True)
        hot = F.one_hot(t, 10)
        p = alpha / total
        fit = ((hot - p) ** 2 + p * (1 - p) / (total + 1)).sum(1)
        wrong = hot + (1 - hot) * alpha
        flat = torch.distributions.Dirichlet(torch.ones_like(wrong))
        kl = torch.distributions.kl_divergence(torch.distributions.Dirichlet(wrong), flat)
        return (fit + 0.2 * share * kl).mean()

    with ss.watch(net, opt) as watch:
        for epoch in range(12):
            for rows in torch.randperm(len(x)).split(64):
                loss = loss_at(net(x[rows]), y[rows], min(1.0, epoch / 8))
                opt.zero_grad()
                loss.backward()
                opt.step()
                watch.step(loss, target=y[rows])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": lambda o, t: loss_at(o, t, 1.0)}
    with torch.no_grad():
        return Trained(watch, float((net(xv).argmax(1) == yv).double().mean()), known)


def a_process_on_features() -> Trained:
    """Deep kernel learning: the marginal likelihood of a Gaussian process over codes."""
    x = torch.rand(160, 3) * 2 - 1
    y = torch.sin(4 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.05 * torch.randn(160)
    xt, yt, xs, ys = x[:110], y[:110], x[110:], y[110:]

    class DKL(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 3))
            self.log_noise, self.log_scale = (nn.Parameter(torch.tensor(v)) for v in (-2.0, 0.0))

        def kernel(self, a: Tensor, b: Tensor) -> Tensor:
            gap = (self.net(a)[:, None] - self.net(b)[None]).pow(2).sum(-1)
            return self.log_scale.exp() * torch.exp(-0.5 * gap)

        def forward(self, a: Tensor, t: Tensor) -> Tensor:
            k = self.kernel(a, a) + self.log_noise.exp() * torch.eye(len(a))
            chol = torch.linalg.cholesky(k)
            alpha = torch.cholesky_solve(t[:, None], chol)[:, 0]
            return (0.5 * t @ alpha + chol.diagonal().log().sum()) / len(a) + 0.5 * math.log(
                2 * math.pi
            )

        @torch.no_grad()
        def predict(self, at: Tensor) -> Tensor:
            k = self.kernel(xt, xt) + self.log_noise.exp() * torch.eye(len(xt))
            return self.kernel(at, xt) @ torch.linalg.solve(k, yt)

    gp = DKL()
    opt = torch.optim.Adam(gp.parameters(), lr=2e-2)
    with ss.watch(gp, opt) as watch:
        for _ in range(120):
            opt.zero_grad()
            nll = gp(xt, yt)
            nll.backward()
            opt.step()
            watch.step(nll, target=yt)
    return Trained(watch, r2(gp.predict(xs), ys))


def a_band_around() -> Trained:
    """A mean and a lower and an upper bound in one network; nine of ten shall lie between."""
    x = torch.rand(1000, 2) * 2 - 1
    width = 0.1 + 0.4 * x[:, :1].abs()
    y = torch.sin(3 * x[:, :1]) + x[:, 1:] + width * torch.randn(1000, 1)

    class Band(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Linear(2, 48), nn.SiLU(), nn.Dropout(0.05), nn.Linear(48, 48), nn.SiLU()
            )
            self.mid, self.gap = nn.Linear(48, 1), nn.Linear(48, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            h = self.body(x)
            mid, gap = self.mid(h), F.softplus(self.gap(h))
            return mid, mid - gap[:, :1], mid + gap[:, 1:]

    def pinball(e: Tensor, q: float) -> Tensor:
        return torch.maximum(q * e, (q - 1) * e).mean()

    model = Band()
    opt = torch.optim.AdamW(model.parameters(), 5e-3)
    with ss.watch(model, opt) as watch:
        for rows in batches(700, 50, 20):
            model.train()
            mid, low, high = model(x[rows])
            t = y[rows]
            loss = F.mse_loss(mid, t) + pinball(t - low, 0.05) + pinball(t - high, 0.95)
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=t)
    model.eval()
    with torch.no_grad():
        mid, low, high = model(x[700:])
    inside = ((y[700:] >= low) & (y[700:] <= high)).double().mean()
    truth = torch.sin(3 * x[700:, :1]) + x[700:, 1:]
    return Trained(watch, r2(mid, truth) - float((inside - 0.9).abs()))


CASES = [
    healthy("weights that are drawn", drawn_weights),
    healthy("evidence for classes", evidence_for_classes),
    healthy("a process on features", a_process_on_features),
    healthy("a mean within its band", a_band_around),
]
