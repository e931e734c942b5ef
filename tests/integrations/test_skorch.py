"""Watch in skorch: healthy and faulty trainings, unchanged to the bit, and copies of the net."""

from __future__ import annotations

import copy
import pickle
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.helpers import libraries
from tests.helpers.libraries import BROKEN_OFF, EPOCHS, FAULTS, STEPS, TRAIN

skorch: Any = pytest.importorskip("skorch", reason="make test-integrations")
from sklearn.base import clone  # noqa: E402
from skorch.helper import predefined_split  # noqa: E402

from benchmarks.doctor.libraries.skorch import TRAININGS  # noqa: E402
from sevensteps.integrations.skorch import Watch  # noqa: E402

pytestmark = pytest.mark.draws


class Network(nn.Module):
    """skorch builds its network itself."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.layers = libraries.network(fault)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Criterion(nn.Module):
    """The loss with its fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.loss = libraries.Loss(fault)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return self.loss(output, target)


class Accumulating(skorch.NeuralNetClassifier):
    """Gradients of four batches to a step, as skorch's documentation shows it."""

    def train_step(self, batch: Any, **parameters: Any) -> Any:
        step = self.train_step_single(batch, **parameters)
        if len(self.history[-1, "batches"]) % 4 == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step

    def get_loss(self, *args: Any, training: bool = False, **kwargs: Any) -> Tensor:
        loss = super().get_loss(*args, training=training, **kwargs)
        return loss / 4 if training else loss


def build(fault: str, accumulated: int = 1, watched: bool = True) -> Any:
    """A net that has not been fitted yet."""
    kind = skorch.NeuralNetClassifier if accumulated == 1 else Accumulating
    valid = libraries.digits()[1]
    return kind(
        Network,
        module__fault=fault,
        criterion=Criterion,
        criterion__fault=fault,
        lr=0.3,
        max_epochs=EPOCHS,
        batch_size=libraries.BATCH // accumulated,
        iterator_train__shuffle=True,
        train_split=predefined_split(skorch.dataset.Dataset(*valid)),
        classes=list(range(10)),
        verbose=0,
        callbacks=[("watch", Watch(budget=1))] if watched else None,
    )


def fit(fault: str, accumulated: int = 1, watched: bool = True) -> Any:
    """A net, fitted."""
    net = build(fault, accumulated, watched)
    torch.manual_seed(1)
    return net.fit(*libraries.digits()[0])


def callback_of(net: Any) -> Watch:
    return dict(net.callbacks_)["watch"]


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(
    fault: str, accumulated: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = fit(fault, accumulated), fit(fault, accumulated, watched=False)
    libraries.check_diagnosis(callback_of(ours), fault, STEPS * accumulated, EPOCHS)
    libraries.check_shown(callback_of(ours), capsys)
    assert torch.equal(libraries.weights(ours.module_), libraries.weights(theirs.module_))


@BROKEN_OFF
def test_a_training_that_is_broken_off_is_diagnosed(
    raised: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    breaker = libraries.Breaker(raised)

    class Breaking(skorch.callbacks.Callback):
        def on_batch_begin(self, net: Any, training: bool = False, **_: Any) -> None:
            if training:
                breaker.batch()

    net = build("double softmax").set_params(
        callbacks=[("watch", Watch(budget=1)), ("breaking", Breaking())]
    )
    # skorch ends a training at a Ctrl-C
    with nullcontext() if raised is KeyboardInterrupt else pytest.raises(raised):
        net.fit(*libraries.digits()[0])
    libraries.check_broken_off(callback_of(net), capsys)


def test_the_evaluations_are_skorchs_own() -> None:
    net = fit("none")
    evaluations = callback_of(net).watch.observation.evaluations
    assert [loss for _, loss, _ in evaluations] == net.history[:, "valid_loss"]
    assert [score for _, _, score in evaluations] == net.history[:, "valid_acc"]


def test_a_net_is_copied_and_pickled_without_its_watch() -> None:
    net = fit("none")
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert callback_of(other).watch is None
        assert torch.equal(libraries.weights(other.module_), libraries.weights(net.module_))
    fresh = clone(net)
    assert dict(fresh.callbacks)["watch"].budget == 1
    assert fresh.set_params(callbacks__watch__budget=0.1).callbacks[0][1].budget == 0.1


def test_training_on_is_a_training_of_its_own() -> None:
    net = fit("none")
    first = callback_of(net).watch
    net.partial_fit(*libraries.digits()[0], epochs=1)
    assert callback_of(net).watch is not first
    assert callback_of(net).watch.observation.steps == TRAIN // libraries.BATCH


@pytest.mark.parametrize("name", [*TRAININGS][::2])
def test_a_healthy_training_is_not_accused(name: str) -> None:
    callback = TRAININGS[name](0)
    assert callback.watch.failure is None
    assert callback.diagnosis.findings == []
