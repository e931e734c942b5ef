"""A loop of one's own over Accelerate needs no integration: `ss.watch` takes what it prepared."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sevensteps as ss
from tests.helpers import libraries
from tests.helpers.libraries import EPOCHS, FAULTS

accelerate: Any = pytest.importorskip("accelerate", reason="make test-integrations")
from benchmarks.doctor.libraries.accelerate import TRAININGS  # noqa: E402

pytestmark = pytest.mark.draws


def fit(fault: str, accumulated: int, watched: bool = True) -> tuple[Any, Any]:
    """The loop of Accelerate's documentation, with two lines of ours."""
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulated)
    network, loss_fn = libraries.network(fault), libraries.Loss(fault)
    model, optimizer, batches = accelerator.prepare(
        network, torch.optim.SGD(network.parameters(), lr=0.3), libraries.loaders(accumulated)[0]
    )
    watch = ss.watch(model, optimizer, budget=1)
    if watched:
        watch.start()
    for _ in range(EPOCHS):
        for x, y in batches:
            with accelerator.accumulate(model):
                loss = loss_fn(model(x), y)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            if watched:
                watch.step(loss, target=y)
    watch.stop()
    return network, watch


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(fault: str, accumulated: int) -> None:
    network, watch = fit(fault, accumulated)
    assert [f.condition for f in watch.diagnose().findings] == FAULTS[fault]
    looks = watch.observation.looks
    assert [look.step for look in looks if look.stepped] == [
        look.step for look in looks if look.step % accumulated == accumulated - 1
    ]
    unwatched, _ = fit(fault, accumulated, watched=False)
    assert torch.equal(libraries.weights(network), libraries.weights(unwatched))


@pytest.mark.parametrize("name", [*TRAININGS][::2])
def test_a_healthy_training_is_not_accused(name: str) -> None:
    trained = TRAININGS[name](0)
    assert trained.watch.failure is None
    assert trained.diagnosis.findings == []
