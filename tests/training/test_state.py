"""What a training is made of: its generators, its foreign network, and the output that a network
must give.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.engine.modules import Dropout
from sevensteps.errors import ArgumentError, Error
from sevensteps.steps.stop import Progress
from sevensteps.training import state
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve


def started(source: Any = "xor", **given: Any) -> state.Training:
    return state.start(resolve(Recipe(source, **given)))


def test_a_training_at_its_beginning() -> None:
    training = started(
        predict="mlp(3, dropout=0.5)",
        repeat="batches(50)",
        stop="epochs(4)",
        gradient="autograd(accumulate=3)",
    )
    # 160 samples: 4 batches, 3 of them in one step
    assert (training.per_epoch, training.total) == (
        2,
        8,
    )
    assert training.progress == Progress()
    assert training.best is None
    assert training.engine.method == "autograd"
    assert training.engine.parameters.numel() == 2 * 3 + 3 + 3 + 1
    assert {part: tuple(y.shape) for part, (_, y) in training.parts.items()} == {
        "train": (160, 1),
        "valid": (40, 1),
    }
    assert [m.generator for m in training.network.modules() if isinstance(m, Dropout)] == [
        training.generators["dropout"]
    ]


def test_a_training_without_a_known_end() -> None:
    assert started(stop="patience(3)").total is None


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("float64", torch.float64)]
)
def test_precision_is_that_of_everything(precision: str, dtype: torch.dtype) -> None:
    training = started(precision=precision, predict="mlp(3, batch_norm=True)")
    held: list[Tensor] = [
        training.engine.parameters,
        training.engine.gradients,
        training.samples.x,
        training.samples.y,
    ]
    held += [tensor for part in training.parts.values() for tensor in part] + list(
        training.network.parameters()
    )
    assert {tensor.dtype for tensor in held} == {dtype}


def test_targets_are_coded_as_the_loss_takes_them() -> None:
    training = started("iris", loss="hinge()")
    assert tuple(training.samples.y.shape) == (120, 3)
    assert training.samples.y.sum(1).tolist() == [1.0] * 120
    assert started("iris").samples.y.dtype == torch.int64


def test_the_generators_of_a_seed_are_their_own() -> None:
    one, same, other = (started(seed=seed).generators for seed in (1, 1, 2))
    draws = {name: torch.rand(4, generator=held).tolist() for name, held in one.items()}
    assert len({tuple(drawn) for drawn in draws.values()}) == len(draws) == 3
    assert {name: torch.rand(4, generator=held).tolist() for name, held in same.items()} == draws
    assert all(
        torch.rand(4, generator=held).tolist() != draws[name] for name, held in other.items()
    )


# -- networks from outside -------------------------------------------------------------------------

OUTSIDE = """
import torch
from torch import nn
def net(outputs=1): return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, outputs))
def flat(): return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
def narrow(): return nn.Linear(3, 1)
def pair():
    class Pair(nn.Module):
        def forward(self, x): return x, x
    return Pair()
def broken(): raise KeyError("weights")
def number(): return 3
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with networks, beside which we are."""
    name = f"outside_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(OUTSIDE)
    monkeypatch.chdir(tmp_path)
    return name


def test_a_factory_starts_from_the_seed_and_leaves_no_trace(outside: str) -> None:
    before = torch.random.get_rng_state()

    def parameters(seed: int) -> Tensor:
        return started(predict=ss.module(f"{outside}:net"), seed=seed).engine.parameters

    one = parameters(1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.testing.assert_close(parameters(1), one, rtol=0, atol=0)
    assert not torch.equal(parameters(2), one)


MISFITS = [
    (
        "flat",
        "the network gives [2] for 2 inputs, but the targets are two classes, no and yes: one "
        "output, its sigmoid is the "
        "probability of yes; its last layer must give [2, 1]",
    ),
    (
        "pair",
        "the network gives a tuple for 2 inputs, but the targets are two classes, no and yes: one "
        "output, its sigmoid is the "
        "probability of yes; its last layer must give [2, 1]",
    ),
    (
        "narrow",
        "the network fails: RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x2 and 3x1)",
    ),
    ("broken", "module(\"MODULE:broken\"): KeyError: 'weights'"),
    ("number", 'module("MODULE:number") returned a int, not a torch.nn.Module'),
    (
        "absent",
        "module(\"MODULE:absent\"): AttributeError: module 'MODULE' has no attribute 'absent'",
    ),
]


@pytest.mark.parametrize(("factory", "message"), MISFITS, ids=[factory for factory, _ in MISFITS])
def test_a_network_that_does_not_fit_is_refused(factory: str, message: str, outside: str) -> None:
    with pytest.raises(Error) as caught:
        started(
            predict=ss.module(f"{outside}:{factory}"),
            stop="epochs(0)" if factory == "pair" else None,
        )
    assert str(caught.value) == message.replace("MODULE", outside)


def test_arguments_reach_the_factory(outside: str) -> None:
    training = started("blobs", predict=f'module("{outside}:net", outputs=3)')
    assert training.output.size == 3


class Moody(nn.Module):
    """Fails at its third batch of training, in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 2))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        if self.calls == 3:
            raise FileNotFoundError("mood")
        return x @ self.weight.T


def test_a_network_that_fails_later_is_said_in_one_line() -> None:
    with pytest.raises(ArgumentError) as caught:
        ss.train("xor", predict=Moody(), out=False)
    assert str(caught.value) == "the network fails: FileNotFoundError: mood"
