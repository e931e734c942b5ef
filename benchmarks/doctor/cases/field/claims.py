"""What an insurer forecasts: how many claims, how dear they are, whether there are any."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def drivers(count: int) -> tuple[Tensor, Tensor]:
    """Standardised columns and what they say of the risk. [N, 5], [N]"""
    x = torch.randn(count, 5)
    return x, 0.6 * x[:, 0] - 0.5 * x[:, 1].abs() + 0.5 * x[:, 2] * (x[:, 3] > 0)


def rates() -> Trained:
    """Poisson counts; the logarithm of the years insured is added to the output."""
    x, risk = drivers(3000)
    years = 0.2 + 0.8 * torch.rand(3000)
    counts = torch.poisson(years * risk.exp())
    model = dense(5, 32, 32, 1, activation=nn.ELU)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2600, 100, 10):
            log_rate = model(x[chosen]).squeeze(1) + years[chosen].log()
            loss = F.poisson_nll_loss(log_rate, counts[chosen])
            descend(watch, optimizer, loss, counts[chosen])
    return Trained(watch, r2(model(x[2600:]).squeeze(1), risk[2600:]))


class Sizes(nn.Module):
    """The mean of a Gamma distribution, above 0 by an exponential."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.body = dense(5, 40, 1, activation=nn.Softplus)
        with torch.no_grad():
            self.body[-1].bias.fill_(mean).log_()

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.body(x).squeeze(1).exp()
        return mean


def sizes() -> Trained:
    """Claims in thousands with a long tail, by the Gamma deviance."""
    x, risk = drivers(3000)
    mean = 4 * (0.8 * risk).exp()
    claim = torch.distributions.Gamma(3.0, 3.0 / mean).sample()
    model = Sizes(float(claim[:2600].mean()))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2600, 100, 12):
            ratio = claim[chosen] / model(x[chosen])
            loss = 2 * (ratio - 1 - ratio.log()).mean()
            descend(watch, optimizer, loss, claim[chosen])
    return Trained(watch, r2(model(x[2600:]).log(), mean[2600:].log()))


def any_at_all() -> Trained:
    """Two columns: the logit of a claim, and the logarithm of its size where there is one."""
    x, risk = drivers(3000)
    claimed = (torch.rand(3000) < torch.sigmoid(3 * risk - 1)).float()
    size = torch.where(claimed > 0, (x[:, 4] - risk + 0.2 * torch.randn(3000)).exp(), 0.0)
    model = dense(5, 48, 2, activation=nn.Mish)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2600, 65, 8):
            logit, log_size = model(x[chosen]).unbind(1)
            some = claimed[chosen] > 0
            parts = {
                "any": F.binary_cross_entropy_with_logits(logit, claimed[chosen]),
                "size": F.l1_loss(log_size[some], size[chosen][some].log()),
            }
            descend(watch, optimizer, parts["any"] + parts["size"], size[chosen], parts=parts)
    with torch.no_grad():
        log_size = model(x[2600:])[:, 1]
    some = claimed[2600:] > 0
    return Trained(watch, r2(log_size[some], size[2600:][some].log()))


CASES = [
    healthy("claims in a year", rates),
    healthy("sizes of claims", sizes),
    healthy("a claim or none", any_at_all),
]
