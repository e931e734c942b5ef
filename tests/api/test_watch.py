"""A loop of one's own that is watched is diagnosed at once, and from its folder the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError, RunError

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(120, 4, generator=GENERATOR)
Y = (X[:, :1] > 0).float()


def watched(clear: bool) -> ss.Watch:
    """Logistic regression, with or without `zero_grad` in its loop."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with ss.watch(network, optimizer, budget=1.0) as watch:
        for _ in range(40):
            loss = nn.functional.binary_cross_entropy_with_logits(network(X), Y)
            if clear:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=Y)
    return watch


@pytest.mark.parametrize("clear", [True, False])
def test_a_gradient_that_is_not_cleared_is_named(clear: bool) -> None:
    names = [finding.condition for finding in watched(clear).diagnose((X, Y)).findings]
    assert ("gradient_not_cleared" in names) is not clear


def test_a_saved_watch_is_diagnosed_alike(here: Path) -> None:
    watch = watched(clear=False)
    folder = watch.save(here / "watched", train=(X, Y))
    assert folder == here / "watched"
    assert [f.condition for f in ss.diagnose(folder).findings] == [
        f.condition for f in watch.diagnose((X, Y)).findings
    ]
    with pytest.raises(RunError):
        watch.save(here / "watched")  # it is not empty


def test_data_that_are_no_pair_are_refused() -> None:
    with pytest.raises(ArgumentError, match="train"):
        watched(clear=True).diagnose(train=3)
