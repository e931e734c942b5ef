"""Tables of borrowers: who pays back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right
from benchmarks.doctor.networks import dense


def borrowers(count: int, rare: float = 0.0) -> tuple[Tensor, Tensor]:
    """Ten columns and whether it is paid back. [N, 10], [N]"""
    x = torch.randn(count, 10)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > rare).long()
    return x, y


def debts_in_cents(cured: bool, watch: Watch) -> Trained:
    x, y = borrowers(1500)
    if not cured:
        x = torch.cat([x[:, :3], 3e5 + 2e5 * x[:, 3:]], 1)
    model = dense(10, 32, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1200], y[:1200], 12)
    return Trained(watching, right(model(x[1200:]), y[1200:]), known(x, y, 1200, F.cross_entropy))


def odds_through_a_softmax(cured: bool, watch: Watch) -> Trained:
    """One output, a softmax over it: 1 for everybody."""
    x, y = borrowers(1500)
    y = y[:, None].float()
    model = dense(10, 32, 1, end=nn.Sigmoid() if cured else nn.Softmax(1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.binary_cross_entropy, x[:1200], y[:1200], 12)
    hit = (model(x[1200:]) > 0.5) == (y[1200:] > 0.5)
    score = float(hit.double().mean())
    return Trained(watching, score, known(x, y, 1200, F.binary_cross_entropy))


def defaults_weighed_away(cured: bool, watch: Watch) -> Trained:
    """Weights in the order of the names, not of the numbers of the classes."""
    x, y = borrowers(2500, 1.8)
    weight = torch.tensor([0.1, 5.0]) if cured else torch.tensor([5.0, 0.1])
    model = dense(10, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(2000, 50, 10):
            loss = F.cross_entropy(model(x[chosen]), y[chosen], weight=weight)
            descend(watching, optimizer, loss, y[chosen])
    answer = model(x[2000:]).argmax(1)
    score = float((answer == 1)[y[2000:] == 1].double().mean())
    return Trained(watching, score, known(x, y, 2000))


def layers_in_a_list(cured: bool, watch: Watch) -> Trained:
    x, y = borrowers(1500)

    class Scores(nn.Module):
        """An embedding of columns in a list, and a head."""

        def __init__(self) -> None:
            super().__init__()
            hidden = [nn.Linear(10, 6), nn.Linear(6, 6)]
            self.hidden = nn.ModuleList(hidden) if cured else hidden
            self.head = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.hidden:
                x = torch.tanh(layer(x))
            answer: Tensor = self.head(x)
            return answer

    model = Scores()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1200], y[:1200], 20)
    return Trained(watching, right(model(x[1200:]), y[1200:]), known(x, y, 1200, F.cross_entropy))


def the_answer_in_a_column(cured: bool, watch: Watch) -> Trained:
    """A column filled in after the loan ended; for who asks today it is empty."""
    x, y = borrowers(1500)
    column = torch.where(y == 1, 5.0, -5.0)[:, None]
    x = torch.cat([x, torch.zeros(1500, 1) if cured else column], 1)
    today = torch.cat([x[1200:, :10], torch.zeros(300, 1)], 1)
    model = dense(11, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1200], y[:1200], 10)
    return Trained(watching, right(model(today), y[1200:]), known(x, y, 1200, F.cross_entropy))


PAIRS = [
    Pair(
        "debts in cents",
        "debts standardised",
        ("inputs_unscaled",),
        debts_in_cents,
        0.75,
        0.85,
    ),
    Pair(
        "odds of paying back by a softmax over one",
        "odds of paying back by a sigmoid",
        ("output_loss_mismatch",),
        odds_through_a_softmax,
        0.65,
        0.85,
    ),
    Pair(
        "weights of classes the wrong way round",
        "weights of classes for the rare",
        ("class_imbalance",),
        defaults_weighed_away,
        0.3,
        0.7,
    ),
    Pair(
        "a scorer's layers in a list",
        "a scorer's layers in a ModuleList",
        ("parameters_not_updated",),
        layers_in_a_list,
        0.8,
        0.85,
    ),
    Pair(
        "a column filled in after the loan ended",
        "columns known on the day of the loan",
        ("target_in_input",),
        the_answer_in_a_column,
        0.82,
        0.88,
    ),
]
