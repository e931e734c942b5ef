"""The batch of the first bad step is kept, and parameters from before it."""

from __future__ import annotations

import copy
import io
import math
import pickle
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe import replay_recorder
from sevensteps.observe.replay_recorder import Replay, ReplayRecorder

pytestmark = pytest.mark.draws


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def batch(step: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(6, 3, generator=draw)
    return x, (x[:, 0] > 0).long()


def replayed(bad_step: int, steps: int = 60, size: int = 1) -> tuple[Replay, list[list[Tensor]]]:
    """What is kept of a training whose loss is infinite at `bad_step`, and its parameters before
    each step.
    """
    torch.manual_seed(0)
    model, states = network(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for step in range(steps):
            x, y = batch(step)
            states.append([p.detach().clone() for p in model.parameters()])
            loss = F.cross_entropy(model(x), y) * (math.inf if step == bad_step else 1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
        assert watch.failure is None
        assert "_compiled_call_impl" not in vars(model)
    replay = watch.observation.replay
    assert replay is not None
    return replay, states


@pytest.mark.parametrize("bad_step", [0, 3, 17, 41])
def test_the_batches_of_the_bad_step_and_the_one_before_are_kept(bad_step: int) -> None:
    replay, states = replayed(bad_step)
    assert [one.step for one in replay.batches] == [bad_step, bad_step - 1][: bad_step + 1]
    for one in replay.batches:
        x, y = batch(one.step)
        (call,) = one.calls
        assert one.usable
        assert torch.equal(call.args[0], x)
        assert torch.equal(one.target, y)
    for state in replay.states:
        assert state.step <= bad_step
        for kept, real in zip(state.tensors.values(), states[state.step], strict=True):
            assert torch.equal(kept, real)
    assert replay.states


def test_a_gradient_that_is_not_finite_in_the_last_step_is_noticed() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for step in range(40):
            x, y = batch(step)
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            if step == 39:
                next(model.parameters()).grad[0] = math.nan  # type: ignore[index]
            optimizer.step()
            watch.step(loss, target=y)
    replay = watch.observation.replay
    assert replay is not None
    assert [one.step for one in replay.batches] == [39]  # a bad one before it would have shown


@pytest.mark.parametrize("told", [{}, {"score": 0.5}])
def test_a_batch_whose_loss_is_finite_is_kept_for_one_step_more(told: dict[str, float]) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches: list[weakref.ref[Tensor]] = []
    with ss.watch(model, optimizer) as watch:
        for step in range(40):
            x, y = batch(step)
            batches.append(weakref.ref(x))
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            looking = watch.looking
            watch.step(loss, target=y, **told)
            del x, y, loss
            kept = [at for at, one in enumerate(batches) if one() is not None]
            assert looking or kept == [step]


def test_evaluations_are_told_of_that_come_before_a_steps_own_pass() -> None:
    model, inputs = network(), batch(0)[0]
    recorder, told = ReplayRecorder({"own": model}, 0.02), list[Any]()
    recorder.evaluated = lambda *call: told.append(call)
    recorder.listen()
    assert recorder.listening
    with torch.no_grad():
        model(inputs)
    model(inputs)
    with torch.no_grad():
        model(inputs)
    recorder.silence()
    assert not recorder.listening
    ((name, module, (x,), kwargs),) = told
    assert (name, module is model, x is inputs, kwargs) == ("own", True, True, {})
    assert len(recorder.calls) == 1


def test_what_a_transformed_network_was_called_with_is_not_kept() -> None:
    model = network()
    recorder, inputs = ReplayRecorder({"": model}, 0.02), batch(0)[0]
    recorder.listen()
    with torch.no_grad():
        torch.func.vmap(model)(inputs)
    torch.func.vmap(model)(inputs)
    model(inputs)
    recorder.silence()
    recorder.end_step(0, None)
    replay = recorder.stop()
    assert replay is not None
    assert [call.args[0] is inputs for one in replay.batches for call in one.calls] == [True]


def test_batches_that_are_too_large_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_recorder, "MAX_NUMBERS", 10)
    replay, _ = replayed(17)
    assert replay.batches == []


def test_large_networks_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_recorder, "MAX_PARAMETERS", 10)
    replay, _ = replayed(17)
    assert replay.states == []
    assert len(replay.batches) == 2


def test_a_batch_that_is_overwritten_is_not_used() -> None:
    recorder, x = ReplayRecorder({"": network()}, 0.02), torch.zeros(4, 3)
    recorder.note_call("", network(), (x,), {})
    recorder.end_step(0, None)
    replay = recorder.stop()
    assert replay is not None
    assert replay.batches[0].usable
    x += 1
    assert not replay.batches[0].usable


def test_copies_are_as_frequent_as_the_budget_allows() -> None:
    model = network()
    seldom, often = ReplayRecorder({"": model}, 0.02), ReplayRecorder({"": model}, 0.02)
    seldom.set_step_seconds(1e-4)
    often.set_step_seconds(1.0)
    for step in range(100):
        seldom.note_state(step)
        often.note_state(step)
    assert often.stop().states[0].step == 99  # type: ignore[union-attr]
    assert seldom.stop().states[0].step < 99  # type: ignore[union-attr]


def test_a_network_that_is_listened_to_is_saved_and_copied_as_ever() -> None:
    model = network()
    x = torch.randn(2, 3)
    plain = pickle.dumps(model)
    recorder = ReplayRecorder({"": model}, 0.02)
    recorder.listen()
    assert "_compiled_call_impl" in vars(model)
    assert pickle.dumps(model) == plain
    other = copy.deepcopy(model)
    assert "_compiled_call_impl" not in {k for k, v in vars(other).items() if v is not None}
    assert torch.equal(other(x), model(x))
    torch.save(model, io.BytesIO())
    recorder.silence()
    assert "_compiled_call_impl" not in vars(model)


def test_answers_of_other_networks_are_kept_without_their_graph() -> None:
    model = network()
    recorder = ReplayRecorder({"": model}, 0.02)
    x = torch.zeros(4, 3, requires_grad=True)
    recorder.note_call("", model, (2 * x,), {})
    recorder.end_step(0, None)
    replay = recorder.stop()
    assert replay is not None
    assert replay.batches[0].calls[0].args[0].grad_fn is None
