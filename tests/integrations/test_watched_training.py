"""What the integrations share: metrics, batches, and that nothing in it reaches the training."""

from __future__ import annotations

import copy
import gc
import sys
from collections import UserDict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.integrations import watched_training
from sevensteps.integrations.watched_training import (
    WatchedTraining,
    foreign_optimizer,
    loss_and_score,
    target_of,
    unscaled,
)

pytestmark = pytest.mark.draws


@pytest.mark.parametrize(
    ("metrics", "pair"),
    [
        ({}, (None, None)),
        ({"eval_loss": 0.5, "eval_accuracy": 0.8, "eval_runtime": 3.0}, (0.5, 0.8)),
        ({"val_loss": torch.tensor(0.5), "val_F1Score": torch.tensor(0.25)}, (0.5, 0.25)),
        ({"valid_acc": 0.8, "valid_loss_best": True, "valid_loss": 0.5}, (1.0, 0.8)),
        ({"epoch": 3, "valid_loss": None, "error_rate": 0.25, "time": "00:01"}, (None, 0.75)),
        ({"eval_perplexity": 8.0, "eval_samples_per_second": 9.0}, (None, None)),
    ],
)
def test_loss_and_score(metrics: dict[str, Any], pair: tuple[float | None, float | None]) -> None:
    assert loss_and_score(metrics) == pair


@pytest.mark.parametrize(
    ("batch", "target"),
    [
        ((1, 2), 2),
        ([1, 2, 3], 2),
        ({"input_ids": 1, "labels": 2}, 2),
        (UserDict(image=1, target=2), 2),
        ({"image": 1}, None),
        ([1], None),
        (1, None),
    ],
)
def test_the_targets_of_a_batch(batch: Any, target: Any) -> None:
    assert target_of(batch) == target


def step(training: WatchedTraining, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    loss = model(torch.ones(4, 2)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    training.step(loss)


def begun(show: bool = True) -> tuple[WatchedTraining, nn.Module, torch.optim.Optimizer]:
    training, model = WatchedTraining(1, show), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    training.begin(model, optimizer)
    return training, model, optimizer


def hooks() -> int:
    return len(nn.modules.module._global_forward_hooks)


def test_from_beginning_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    training, model, optimizer = begun()
    step(training, model, optimizer)
    training.evaluated({"val_loss": 0.5, "val_acc": 0.75})
    training.end()
    assert training.watch is not None
    assert training.watch.observation.evaluations == [(1, 0.5, 0.75)]
    assert hooks() == 0
    assert capsys.readouterr().err == f"{training.diagnosis}\n"
    training.end()
    assert capsys.readouterr().err == ""  # once is enough


def test_not_shown_unless_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    training, model, optimizer = begun(show=False)
    step(training, model, optimizer)
    training.end()
    assert training.diagnosis is not None
    assert capsys.readouterr().err == ""


def test_only_the_first_process_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    training, model, optimizer = begun()
    step(training, model, optimizer)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    training.end()
    assert training.diagnosis is not None
    assert capsys.readouterr().err == ""


def test_a_training_of_no_step_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    training, _, _ = begun()
    training.end()
    assert training.diagnosis is None
    assert capsys.readouterr().err == ""


def test_what_cannot_be_watched_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    training = WatchedTraining()
    training.begin("no network", None)  # type: ignore[arg-type]
    training.step(torch.tensor(1.0))
    training.before_update()
    training.evaluated({"loss": 1.0})
    training.end()
    assert "no longer watched: ArgumentError" in caplog.text
    assert len(caplog.records) == 1


def test_a_failure_ends_the_watch_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    training, model, optimizer = begun()
    training.step(torch.ones(3))  # a loss of several numbers
    assert "the loss has shape [3]" in caplog.text
    assert hooks() == 0
    training, model, optimizer = begun()
    step(training, model, optimizer)
    monkeypatch.setattr(watched_training.Watch, "diagnose", lambda self: 1 / 0)
    training.end()
    assert "ZeroDivisionError" in caplog.text


def test_a_training_that_is_broken_off_leaves_no_hooks() -> None:
    training, model, optimizer = begun()
    step(training, model, optimizer)
    armed = hooks()
    assert armed > 0
    training.begin(model, optimizer)
    assert hooks() == armed
    del training
    gc.collect()
    assert hooks() == 0


class Library:
    """A library that reports no end of a training that is broken off."""

    def __init__(self, asks: bool = False) -> None:
        self.training, self.asks = WatchedTraining(1), asks

    def fit(self) -> None:
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        self.training.begin(model, optimizer)
        step(self.training, model, optimizer)
        if self.asks:
            assert self.training.diagnosis is None  # it goes on
            step(self.training, model, optimizer)
        raise KeyboardInterrupt


@pytest.mark.parametrize("end", ["asked", "cell", "process"])
def test_a_training_that_is_broken_off_is_diagnosed(
    end: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Any] = []
    shell = SimpleNamespace(
        events=SimpleNamespace(register=lambda name, call: events.append((name, call)))
    )
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    library = Library()
    with pytest.raises(KeyboardInterrupt):
        library.fit()
    assert events == [("post_run_cell", watched_training.end_broken_off)]
    if end == "cell":
        events[0][1](SimpleNamespace(error_in_exec=None))
    elif end == "process":
        watched_training.end_all()
    if end != "asked":
        assert capsys.readouterr().err != ""
    assert library.training.diagnosis is not None
    assert hooks() == 0


def test_a_training_that_is_asked_meanwhile_goes_on() -> None:
    library = Library(asks=True)
    with pytest.raises(KeyboardInterrupt):
        library.fit()
    watched_training.end_broken_off()
    assert library.training.watch is not None
    assert library.training.watch.observation.steps == 2
    assert library.training.diagnosis is not None


def test_a_copy_has_no_watch() -> None:
    training, model, optimizer = begun()
    other = copy.deepcopy(training)
    assert (other.budget, other.watch) == (1, None)
    step(other, model, optimizer)  # nothing is watched, nothing is raised
    training.end()


def test_an_optimizer_in_pytorchs_form() -> None:
    rates = [0.1, 0.2]
    groups = [{"params": [torch.ones(1)]}, {"params": [torch.ones(2)]}]
    optimizer = foreign_optimizer("Lion", groups, lambda: rates)
    assert type(optimizer).__name__ == "Lion"
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]
    rates[1] = 0.3
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.3]


def test_a_loss_without_the_factor_of_its_scaler() -> None:
    loss = torch.tensor(3.0, requires_grad=True) * 2
    assert unscaled(loss, None) is loss
    assert unscaled(loss, torch.amp.GradScaler("cpu", enabled=False)) is loss
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    assert float(unscaled(scaler.scale(loss), scaler)) == 6.0
    assert unscaled(None, scaler) is None
