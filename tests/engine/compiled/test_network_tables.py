"""Where machine code is worth it, and what a network must have to become it."""

from __future__ import annotations

import itertools
import sys

import pytest
import torch
from torch import nn

from sevensteps.engine.compiled import missing_compiled, numba_installed, seconds_saved
from sevensteps.steps import loss as losses

pytestmark = pytest.mark.draws


def dense(*sizes: int) -> nn.Module:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise(sizes)))


def test_small_networks_gain_and_large_ones_do_not() -> None:
    assert seconds_saved(dense(784, 30, 10), 256) > seconds_saved(dense(784, 30, 10), 1) > 0
    assert seconds_saved(dense(784, 256, 10), 16) > 0
    assert seconds_saved(dense(784, 1024, 1024, 10), 256) == 0


def test_without_the_compiler_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not numba_installed()
    reason = missing_compiled(dense(2, 1), losses.hinge())
    assert reason is not None
    assert 'pip install "sevensteps[compiled]"' in reason


def test_a_loss_of_somebody_else() -> None:
    class hinge(losses.hinge):
        def value(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return output[:, 0]

    if not numba_installed():
        pytest.skip("Numba is not installed")
    assert missing_compiled(dense(2, 1), losses.hinge()) is None
    assert missing_compiled(dense(2, 1), hinge()) == "hinge is not written as machine code"


def test_nothing_to_train() -> None:
    if not numba_installed():
        pytest.skip("Numba is not installed")
    frozen = dense(2, 1).requires_grad_(False)
    assert missing_compiled(frozen, losses.hinge()) == "the network has no parameter to train"
