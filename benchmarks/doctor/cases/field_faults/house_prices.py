"""What a house is worth, for a leaderboard."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known
from benchmarks.doctor.networks import dense, he


def houses(count: int) -> tuple[Tensor, Tensor]:
    """Area in m², rooms, age and distance [N, 4]; a price in thousands. [N, 1]"""
    area, age = 40 + 160 * torch.rand(count, 1), 100 * torch.rand(count, 1)
    rooms = (area / 25 + torch.randn(count, 1)).round().clamp(1)
    distance = 20 * torch.rand(count, 1)
    price = 2.5 * area * torch.exp(-distance / 15) * (1 - age / 250) + 5 * rooms
    return torch.cat([area, rooms, age, distance], 1), price * (1 + 0.05 * torch.randn(count, 1))


def standardised(x: Tensor) -> Tensor:
    return (x - x.mean(0)) / x.std(0)


def logarithm_of_answers(cured: bool, watch: Watch) -> Trained:
    """The leaderboard's root of squared logarithms as the loss; a network may well say less than 0.

    A softplus at the end makes every answer one that has a logarithm.
    """
    x, price = houses(1500)
    x, price = standardised(x), price / 100
    model = dense(4, 48, 48, 1, start=he, end=nn.Softplus() if cured else None)

    def rmsle(answers: Tensor, truth: Tensor) -> Tensor:
        return torch.sqrt(F.mse_loss(torch.log(answers), torch.log(truth)) + 1e-8)

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, rmsle, x[:1200], price[:1200], 15)
    return Trained(watching, explained(model(x[1200:]), price[1200:]), known(x, price, 1200, rmsle))


def streets_by_their_price(cured: bool, watch: Watch) -> Trained:
    """A street is coded by its mean price, the house's own among it; most streets have one house.

    New houses get the mean of all. The twin leaves the street out.
    """
    x, price = houses(900)
    x, y = standardised(x), standardised(price) + 0.8 * torch.randn(900, 1)
    street = torch.randint(0, 5000, (900,))
    sums = torch.zeros(5000).index_add(0, street[:700], y[:700, 0])
    numbers = torch.bincount(street[:700], minlength=5000)
    mean = torch.where(numbers > 0, sums / numbers.clamp(1), 0.0)
    coded = torch.cat([mean[street[:700]], torch.zeros(200)])[:, None]
    inputs = x if cured else torch.cat([x, coded], 1)
    model = dense(inputs.shape[1], 32, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(25):
            for chosen in batches(700, 32, 1):
                loss = F.mse_loss(model(inputs[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                loss = F.mse_loss(model(inputs[700:]), y[700:])
            watching.valid(loss=float(loss))
    score = explained(model(inputs[700:]), y[700:])
    return Trained(watching, score, known(inputs, y, 700, F.mse_loss))


def rate_without_infinities(cured: bool, watch: Watch) -> Trained:
    """At any rate above a billionth the loss of raw columns is infinite, so it is a billionth."""
    x, price = houses(1200)
    y = standardised(price)
    x = standardised(x) if cured else x
    model = dense(4, 32, 1, activation=nn.LeakyReLU)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if cured else 1e-8)
    watching = fit(watch, model, optimizer, nn.MSELoss(), x[:900], y[:900], 20)
    score = explained(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, nn.MSELoss()))


def squared_errors_summed(cured: bool, watch: Watch) -> Trained:
    """A sum over 128 houses at the rate of a mean."""
    x, price = houses(1500)
    x, y = standardised(x), standardised(price)
    model = dense(4, 32, 32, 1, activation=nn.SiLU)
    loss_fn = nn.MSELoss(reduction="mean" if cured else "sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    watching = fit(watch, model, optimizer, loss_fn, x[:1200], y[:1200], 20, 128)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, loss_fn))


def years_of_two_thousand(cured: bool, watch: Watch) -> Trained:
    """Years of four events divided by 2000: every column is about 1, and hardly differs."""
    years = 1985 + 35 * torch.rand(1200, 4)
    x = (years - 2002.5) / 10 if cured else years / 2000
    y = standardised((years - 2002.5) @ torch.tensor([[1.0], [-0.6], [0.8], [-1.2]]))
    y = y + 0.1 * torch.randn(1200, 1)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = nn.MSELoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 15):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    return Trained(watching, explained(model(x[900:]), y[900:]), known(x, y, 900, loss_fn))


PAIRS = [
    Pair(
        "the logarithm of a price that may be below 0",
        "the logarithm of a price above 0",
        ("not_finite", "output_loss_mismatch"),
        logarithm_of_answers,
        0.0,
        0.85,
    ),
    Pair(
        "streets by the price of their only house",
        "no streets",
        ("target_in_input", "train_valid_mismatch", "overfitting"),
        streets_by_their_price,
        0.4,
        0.48,
    ),
    Pair(
        "raw houses at a rate of a hundred-millionth",
        "standardised houses at a rate of .05",
        ("learning_rate_too_low", "inputs_unscaled"),
        rate_without_infinities,
        0.3,
        0.85,
    ),
    Pair(
        "errors of 128 houses summed",
        "errors of 128 houses averaged",
        ("loss_scale", "learning_rate_too_high"),
        squared_errors_summed,
        0.4,
        0.85,
    ),
    Pair(
        "years over two thousand",
        "years around their mean",
        ("ill_conditioned", "inputs_unscaled"),
        years_of_two_thousand,
        0.4,
        0.9,
    ),
]
