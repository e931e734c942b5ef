"""The data are noted as they were fed, in the steps that are looked at and in others."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

import sevensteps as ss
from sevensteps.observe import data_recorder
from sevensteps.observe.data_recorder import FIRST_STEPS, STRETCH, DataRecorder
from sevensteps.observe.data_sketch import DataSketch, hash_rows
from sevensteps.observe.observation import Observation
from sevensteps.observe.replay_recorder import ReplayRecorder


def watched(batches: list[tuple[Tensor, Tensor]], budget: float) -> Observation:
    """A training on these batches."""
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ss.watch(model, optimizer, budget=budget) as watch:
        for x, y in batches:
            loss = F.cross_entropy(model(x), y)
            with torch.no_grad():
                model(x + 1)  # an evaluation: not what is learned from
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model(x + 2)  # an evaluation with gradients: not what was learned from, either
            watch.step(loss, target=y)
        observation = watch.observation
    assert "failure" not in observation.notes
    assert not nn_module._global_forward_pre_hooks
    return observation


def drawn(count: int) -> list[tuple[Tensor, Tensor]]:
    draw = torch.Generator().manual_seed(0)
    return [
        (torch.randn(6, 3, generator=draw), torch.randint(0, 2, (6,), generator=draw))
        for _ in range(count)
    ]


@pytest.mark.draws
@pytest.mark.parametrize("budget", [1.0, 0.02])
def test_every_batch_is_noted_as_it_was_fed(budget: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_recorder, "FIRST_STEPS", 1.0)
    monkeypatch.setattr(data_recorder, "MOST_STEPS", 1.0)
    monkeypatch.setattr(data_recorder, "SKETCH_SECONDS", 0.0001 * budget / 1e9)
    batches = drawn(20)
    observation = watched(batches, budget)
    sketched = observation.sketch.batches
    assert [batch.step for batch in sketched] == list(range(20))
    assert budget == 1 or len(observation.looks) < 20, "also where nobody looked"
    for batch, (x, y) in zip(sketched, batches, strict=True):
        assert batch.size == 6
        for fed, hashes in ((x, batch.inputs), (y, batch.targets)):
            expected = hash_rows([fed], 6)
            assert expected is not None
            assert hashes is not None
            assert torch.equal(hashes, expected)


@pytest.mark.draws
def test_the_same_steps_are_noted_again_and_it_is_saved() -> None:
    batches = drawn(200)
    first, again = (watched(batches, 0.02).sketch for _ in range(2))
    steps = [batch.step for batch in first.batches]
    assert steps == [batch.step for batch in again.batches]
    assert 5 < len(steps) < 100
    assert watched(batches[:5], 0.0).sketch.batches == []
    saved = Observation.from_dict(watched(batches[:9], 0.02).to_dict())
    assert saved.sketch.compare(torch.cat([x for x, _ in batches])).known == 1  # type: ignore[union-attr]


def test_steps_are_noted_in_stretches_all_over_an_epoch() -> None:
    recorder = DataRecorder(DataSketch(), {"": nn.Linear(1, 1)}, 0.02)
    due = [step for step in range(10_000) if recorder.is_due(step)]
    assert len(due) == pytest.approx(10_000 * FIRST_STEPS, rel=0.05)
    starts = {step // STRETCH for step in due}
    assert len(due) == STRETCH * len(starts)
    assert {step % 50 for step in due} == set(range(50))
    later = [recorder.next_due(step, 10_000) for step in range(9_000)]
    assert later == [next(s for s in due if s >= step) for step in range(9_000)]
    assert recorder.next_due(due[-1] + 1, 10_000) == 10_000
    assert recorder.next_due(due[5], due[5]) == due[5]
    recorder.set_step_seconds(1e-5)
    fewer = [step for step in range(10_000) if recorder.is_due(step)]
    assert 0 < len(fewer) < len(due) / 4


@pytest.mark.parametrize("data_first", [True, False])
def test_a_network_is_left_as_it_was_in_whatever_order_listeners_go(data_first: bool) -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    data = DataRecorder(DataSketch(), {"": network}, 0.02)
    replay = ReplayRecorder({"": network}, 0.02)
    replay.listen()
    data.listen()
    assert data.listening
    assert not nn_module._has_any_global_hook()
    if not data_first:
        replay.silence()
    network(input=torch.ones(3, 2))
    data.add(0, torch.ones(3))
    assert (len(data.sketch), len(replay.calls)) == (1, int(data_first))
    data.disarm()
    network(torch.ones(3, 2))
    assert len(replay.calls) == 2 * data_first
    replay.silence()
    assert "_compiled_call_impl" not in vars(network)


@pytest.mark.draws
def test_of_several_networks_the_data_of_the_first_are_noted() -> None:
    body, head = nn.Linear(3, 4), nn.Linear(4, 2)
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.01) for part in (body, head)]
    x = torch.randn(5, 3)
    with ss.watch({"body": (body, optimizers[0]), "head": (head, optimizers[1])}) as watch:
        loss = head(body(x)).square().mean()
        loss.backward()
        watch.step(loss)
    observation = watch.observation
    assert observation.sketch.network == "body"
    assert len(observation.of("body").sketch.batches) == 1
    assert observation.of("head").sketch.batches == []
