"""One training for every library: handwritten digits, a small network, and what can be wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

TRAIN, VALID, BATCH, EPOCHS = 512, 256, 64, 3
STEPS = EPOCHS * TRAIN // BATCH
# what is wrong, and how the diagnosis begins
FAULTS = {"none": [], "double softmax": ["output_loss_mismatch"], "nan": ["not_finite"]}
NAN_STEP = 5  # the batch, counted from 0, whose loss is no number


def digits() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and validation samples: 64 pixels from −1 to 1, and the digit."""
    data = load_digits()
    x, y = torch.tensor(data.data / 8 - 1, dtype=torch.float32), torch.tensor(data.target)
    return (x[:TRAIN], y[:TRAIN]), (x[TRAIN : TRAIN + VALID], y[TRAIN : TRAIN + VALID])


def loaders(accumulated: int = 1) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The digits in batches; `accumulated` of them make up one step."""
    train, valid = digits()
    order = torch.Generator().manual_seed(0)
    batches = DataLoader(TensorDataset(*train), BATCH // accumulated, shuffle=True, generator=order)
    return batches, DataLoader(TensorDataset(*valid), VALID)


def network(fault: str = "none") -> nn.Sequential:
    """64 pixels → 32 → 10 digits, with a softmax at the end where that is the fault."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)]
    return nn.Sequential(*layers, *([nn.Softmax(1)] if fault == "double softmax" else []))


class Loss:
    """Cross-entropy; no number in one of the batches, where that is the fault."""

    def __init__(self, fault: str = "none") -> None:
        self.fault, self.batches = fault, 0

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(output, target)
        if output.requires_grad:
            self.batches += 1
            if self.fault == "nan" and self.batches == NAN_STEP + 1:
                loss = loss * torch.nan
        return loss


def weights(module: nn.Module) -> Tensor:
    """All parameters as one vector, 0 for what is no number."""
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()]).nan_to_num()


def check_diagnosis(callback: Any, fault: str, steps: int, evaluations: int) -> None:
    """The callback saw every step and evaluation, and its diagnosis names the fault."""
    watch = callback.watch
    assert watch.failure is None
    assert watch.observation.steps == steps
    assert len(watch.observation.evaluations) == evaluations
    assert [f.condition for f in callback.diagnosis.findings] == FAULTS[fault]
    if fault == "nan":
        assert watch.observation.notes["first_not_finite"] == NAN_STEP
    elif evaluations:
        _, loss, score = watch.observation.evaluations[-1]
        assert loss is not None
        assert 0 <= score <= 1


def check_broken_off(callback: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A training with a double softmax that was broken off is diagnosed once it is asked for."""
    assert "output_loss_mismatch" in [f.condition for f in callback.diagnosis.findings]
    check_shown(callback, capsys)
    assert callback.diagnosis is not None
    assert capsys.readouterr().err == ""  # said once


class Breaker:
    """Raises in the third epoch, wherever a library calls it once a batch."""

    def __init__(self, raised: type[BaseException]) -> None:
        self.raised, self.batches = raised, 0

    def batch(self) -> None:
        self.batches += 1
        if self.batches > STEPS - 4:
            raise self.raised("enough")


BROKEN_OFF = pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])


def check_shown(callback: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The diagnosis is on standard error, and nowhere else."""
    printed = capsys.readouterr()
    assert str(callback.diagnosis) in printed.err
    assert str(callback.diagnosis) not in printed.out
