"""Cases of a network whose answers are given, on clouds far apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def clouds(count: int, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Clouds around the corners of a square, far apart."""
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(classes, (count,), generator=draw)
    corners = torch.tensor([[0.0, 0], [0, 9], [9, 0], [9, 9]])
    return corners[y] + torch.randn(count, 2, generator=draw), y


def case(
    train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], answers: Tensor, score: float
) -> Case:
    """One of a network that gave these answers for the validation data."""
    one = Case(Observation(network_facts(nn.Identity())), None, train=train, valid=valid)
    numbers = answers.is_floating_point()
    vars(one).update(
        task="regression" if numbers else "multiclass",
        valid_outputs=answers if numbers else torch.nn.functional.one_hot(answers).float(),
        scores={"train": 1.0, "valid": score},
        identified_loss=None,
    )
    return one
