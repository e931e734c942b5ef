"""Cases of what becomes of the gradient between the backward pass and the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.doctor.cases.healthy import small
from benchmarks.doctor.cases.published import digits, sgd
from benchmarks.doctor.loop import Case, Setup
from benchmarks.doctor.networks import dense


class Bfloat16(nn.Module):
    """A network whose weights are bfloat16 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.network = dense(64, 64, 10).to(torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.network(x.to(torch.bfloat16)).float()
        return output


def scaled(setup: Setup) -> None:
    setup.scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    setup.clip = 1.0
    setup.optimizer = sgd(setup.model, 0.1, momentum=0.9)


def clipped_scaled(setup: Setup) -> None:
    scaled(setup)
    setup.unscale = False


def warming_up(setup: Setup) -> None:
    """A warm-up of 1,000 calls that is called once an epoch."""
    setup.optimizer = torch.optim.SGD(setup.model.parameters(), 0.5)
    setup.scheduler = torch.optim.lr_scheduler.LambdaLR(
        setup.optimizer, lambda calls: min(1.0, (calls + 1) / 1000)
    )


def warmed_up(setup: Setup) -> None:
    warming_up(setup)
    setup.scheduler = torch.optim.lr_scheduler.LambdaLR(
        setup.optimizer, lambda calls: min(1.0, (calls + 1) / 10)
    )
    setup.each_batch = True


CASES = [
    Case(
        "MNIST: a warm-up that never ends",
        "faulty",
        build=digits(warming_up),
        conditions=("learning_rate_too_low",),
        twin="MNIST: a short warm-up",
    ),
    Case("MNIST: a short warm-up", "cured", conditions=(), build=digits(warmed_up)),
    Case(
        "MNIST: cleared for each of 16 batches",
        "faulty",
        build=digits(lr=0.2, batch=16, accumulate=16, clear_each=True, epochs=4),
        conditions=("gradient_discarded", "learning_rate_too_low"),
        twin="MNIST: 16 batches accumulated",
    ),
    Case(
        "MNIST: 16 batches accumulated",
        "cured",
        conditions=(),
        build=digits(lr=0.2, batch=16, accumulate=16, epochs=4),
    ),
    Case(
        "MNIST: clipped before unscaling",
        "faulty",
        build=digits(clipped_scaled),
        conditions=("gradient_clipped_away", "learning_rate_too_low"),
        twin="MNIST: clipped after unscaling",
    ),
    Case("MNIST: clipped after unscaling", "cured", conditions=(), build=digits(scaled)),
    Case(
        "digits: bfloat16 weights, small steps",
        "faulty",
        build=small(Bfloat16, lambda m: sgd(m, 0.005), batch=64, epochs=200),
        conditions=("updates_rounded_away", "learning_rate_too_low"),
        twin="digits: float32 weights, small steps",
    ),
    Case(
        "digits: float32 weights, small steps",
        "cured",
        conditions=(),
        build=small(lambda: dense(64, 64, 10), lambda m: sgd(m, 0.005), batch=64, epochs=200),
    ),
]
