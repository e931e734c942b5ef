"""The step to blame, by copies of the network that are trained anew: four kinds of tasks, each
healthy and with a step out of order.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from sevensteps.doctor.plain_training.blame import blame
from tests.doctor.plain_training.trainings import (
    KINDS,
    drowned_in_noise,
    in_another_order,
    low_biases,
    trained,
    weights_times,
)

pytestmark = pytest.mark.draws

FAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("initialize", "signal_explodes"): {"start": weights_times(30.0)},
    ("initialize", "dead_units"): {"start": low_biases},
    ("step", "learning_rate_too_low"): {"lr": 1e-6},
    ("step", "learning_rate_too_high"): {"lr": 3.0},
    ("step", "weight_decay_too_strong"): {"weight_decay": 3.0},
    ("step", "optimizer_setting"): {"eps": 30.0},
    ("repeat", "inputs_unscaled"): {"inputs": lambda x: x / 1000},
    ("repeat", "labels_unrelated"): {"feed": in_another_order},
    ("repeat", "same_batch_again"): {"batch": lambda chosen, y: y.flatten().argsort()[:32]},
    ("gradient", ""): {"before_step": drowned_in_noise},
}
TRIED = [
    *(("classes", fault) for fault in FAULTS),
    *(("numbers", fault) for fault in FAULTS if fault[0] != "repeat"),
    *(("sequences", fault) for fault in FAULTS if fault[1] != "dead_units"),
    *(("pictures", fault) for fault in FAULTS if fault[1] != "signal_explodes"),
]


@pytest.mark.parametrize(("kind", "fault"), TRIED)
def test_the_step_that_was_altered_is_to_blame(kind: str, fault: tuple[str, str]) -> None:
    result = blame(trained(kind, **FAULTS[fault]).case, fails=True)
    assert result is not None
    assert result.plain_learns
    assert (result.step, result.condition) == fault


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails", [True, False])
def test_a_healthy_training_is_not_accused(kind: str, fails: bool) -> None:
    assert blame(trained(kind).case, fails=fails) is None


def test_what_no_copy_learns_either_is_not_for_the_start_or_the_optimizer() -> None:
    result = blame(trained("classes", inputs=torch.randn_like).case, fails=True)
    assert result is not None
    assert not result.plain_learns
    assert (result.condition, result.step) == ("", "")


def test_the_training_itself_is_left_as_it_was() -> None:
    ended = trained("classes", lr=1e-6)
    before = copy.deepcopy(ended.network.state_dict())
    settings = copy.deepcopy(ended.optimizer.state_dict())
    gradients = [p.grad.clone() for p in ended.network.parameters() if p.grad is not None]
    random = torch.get_rng_state()
    first, second = (blame(ended.case, fails=True) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.tried == second.tried
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in ended.network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    for p, old in zip(ended.network.parameters(), gradients, strict=True):
        torch.testing.assert_close(p.grad, old, rtol=0, atol=0)
    torch.testing.assert_close(ended.optimizer.state_dict(), settings, rtol=0, atol=0)
    assert ended.network.training
