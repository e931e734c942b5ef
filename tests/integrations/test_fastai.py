"""Watch in fastai: healthy and faulty trainings, unchanged to the bit; its optimizers; searches."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import libraries
from tests.helpers.libraries import BROKEN_OFF, EPOCHS, FAULTS, STEPS, VALID

pytest.importorskip("fastai", reason="make test-integrations")
import fastai.callback.all  # noqa: F401 (adds methods to Learner)
from fastai.callback.core import Callback
from fastai.callback.training import GradientAccumulation, GradientClip
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.metrics import accuracy, error_rate
from fastai.optimizer import SGD, Adam, OptimWrapper, RMSProp

from benchmarks.doctor.libraries.fastai import TRAININGS
from sevensteps.integrations.fastai import Watch, optimizer_of

pytestmark = pytest.mark.draws


def learner(
    fault: str = "none",
    accumulated: int = 1,
    watched: bool = True,
    optimizer: Callable[..., Any] = SGD,
    lr: float = 0.3,
    metric: Any = accuracy,
    callbacks: tuple[Any, ...] = (),
) -> Learner:
    """A learner of the digits, in the same order whenever it is made."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(1)
    train, valid = (list(zip(*part, strict=True)) for part in libraries.digits())
    batches = DataLoader(train, bs=libraries.BATCH // accumulated, shuffle=True)
    callbacks += (GradientAccumulation(libraries.BATCH),) if accumulated > 1 else ()
    callbacks += (Watch(budget=1),) if watched else ()
    return Learner(
        DataLoaders(batches, DataLoader(valid, bs=VALID), device="cpu"),
        libraries.network(fault),
        loss_func=libraries.Loss(fault),
        opt_func=optimizer,
        lr=lr,
        metrics=metric,
        cbs=list(callbacks),
    )


def fit(**options: Any) -> Learner:
    """A learner, fitted."""
    learn = learner(**options)
    with learn.no_bar(), learn.no_logging():
        learn.fit(EPOCHS)
    return learn


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(
    fault: str, accumulated: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = fit(fault=fault, accumulated=accumulated)
    theirs = fit(fault=fault, accumulated=accumulated, watched=False)
    libraries.check_diagnosis(ours.watch, fault, STEPS * accumulated, EPOCHS)
    libraries.check_shown(ours.watch, capsys)
    assert torch.equal(libraries.weights(ours.model), libraries.weights(theirs.model))


@BROKEN_OFF
def test_a_training_that_is_broken_off_is_diagnosed(
    raised: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    breaker = libraries.Breaker(raised)

    class Breaking(Callback):
        def before_batch(self) -> None:
            if self.training:
                breaker.batch()

    learn = learner(fault="double softmax", callbacks=(Breaking(),))
    with pytest.raises(raised), learn.no_bar(), learn.no_logging():
        learn.fit(EPOCHS)
    libraries.check_broken_off(learn.watch, capsys)


@pytest.mark.parametrize(
    ("optimizer", "lr", "name", "settings"),
    [
        (SGD, 0.3, "SGD", {"momentum": 0.0}),
        (functools.partial(SGD, mom=0.9), 0.1, "SGD", {"momentum": 0.9}),
        (Adam, 0.003, "Adam", {"betas": (0.9, 0.99), "weight_decay": 0.01}),
        (RMSProp, 0.003, "RMSProp", {}),
        (functools.partial(OptimWrapper, opt=torch.optim.AdamW), 0.003, "AdamW", {}),
    ],
    ids=["SGD", "momentum", "Adam", "RMSProp", "AdamW"],
)
def test_optimizers(optimizer: Any, lr: float, name: str, settings: dict[str, Any]) -> None:
    callback = fit(optimizer=optimizer, lr=lr, callbacks=(GradientClip(10.0),)).watch
    libraries.check_diagnosis(callback, "none", STEPS, EPOCHS)
    observation = callback.watch.observation
    (group,) = observation.facts.groups
    assert group["optimizer"] == name
    assert {key: group[key] for key in settings} == settings
    assert {parameter.group for parameter in observation.facts.parameters.values()} == {0}
    assert all(look.stepped and look.lr == pytest.approx((lr,)) for look in observation.looks)
    changes = [change for look in observation.looks for change in look.changes.values()]
    assert all(change.update is not None and change.update.sum() > 0 for change in changes)


def test_a_schedule_is_followed() -> None:
    learn = learner()
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(2, 0.3)
    rates = [rate for _, rate in learn.watch.watch.observation.rates]
    assert rates == pytest.approx([float(rate) for rate in learn.recorder.lrs])


def test_the_evaluations_are_fastais_own() -> None:
    learn = fit(metric=error_rate)
    recorded = [(loss, 1 - error) for _, loss, error in learn.recorder.values]
    evaluations = [evaluation[1:] for evaluation in learn.watch.watch.observation.evaluations]
    assert evaluations == [pytest.approx(pair) for pair in recorded]


def test_a_search_for_a_learning_rate_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    learn = learner()
    with learn.no_bar(), learn.no_logging():
        learn.lr_find(show_plot=False, num_it=20)
    assert learn.watch.watch is None
    assert capsys.readouterr().err == ""


def test_a_learner_is_exported_and_saved(tmp_path: Path) -> None:
    learn = fit()
    torch.save(learn.watch, tmp_path / "callback.pt")
    learn.path = tmp_path
    learn.save("weights")
    assert (tmp_path / "models" / "weights.pth").is_file()
    assert torch.load(tmp_path / "callback.pt", weights_only=False).watch is None


def test_the_optimizer_in_pytorchs_form() -> None:
    learn = learner(optimizer=Adam)
    learn.create_opt()
    optimizer = optimizer_of(learn)
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert [id(p) for group in optimizer.param_groups for p in group["params"]] == [
        id(p) for p in learn.model.parameters()
    ]
    learn.opt.set_hypers(lr=0.7)
    assert optimizer.param_groups[0]["lr"] == 0.7
    assert repr(optimizer) == "<Adam of 1 groups>"


@pytest.mark.parametrize("name", [*TRAININGS][::2])
def test_a_healthy_training_is_not_accused(name: str) -> None:
    callback = TRAININGS[name](0)
    assert callback.watch.failure is None
    assert callback.diagnosis.findings == []
