"""What is noted of a run: told here as a script's training tells it."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps.observe.script
from sevensteps.doctor.trials.script.measure import ACCURACY, BALANCED, NEIGHBOURS
from sevensteps.doctor.trials.script.recorder import RunRecorder

pytestmark = pytest.mark.draws


def recorder(network: nn.Module, calls: list[str]) -> RunRecorder:
    made = RunRecorder(
        network,
        [torch.optim.SGD(network.parameters(), lr=0.1)],
        lambda: calls.append("network"),
        lambda loss: calls.append("step"),
        lambda: calls.append("evaluation"),
        keeps_samples=True,
    )
    made.start()
    return made


def test_losses_evaluations_and_samples_of_a_run() -> None:
    torch.manual_seed(0)
    network, calls = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.9)), list[str]()
    record = recorder(network, calls)
    for step in range(40):
        x = torch.full((4, 2), float(step))
        loss = network(x).square().mean() * 0 + step
        record.step(loss, torch.full((4,), step % 8))
    record.valid(0.5, 0.9)
    record.valid(0.4, None)
    assert calls == ["network", *["step"] * 40, "evaluation", "evaluation"]
    inputs = record.samples.inputs
    assert inputs is not None
    assert inputs.args[0][:, 0].unique().tolist() == [0, 1, 2, 4, 8, 16, 32]
    result = record.result(((inputs.args, inputs.kwargs), record.samples.targets))
    assert (result["steps"], result["valid_score"], result["valid_loss"]) == (40, 0.9, 0.4)
    assert result["loss"] == pytest.approx((36 + 37 + 38 + 39) / 4)
    assert result["kept"][0] == ACCURACY
    assert network.training


def test_answers_are_measured_without_dropout() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(2))  # type: ignore[union-attr, operator]
        network[0].bias.zero_()  # type: ignore[union-attr, operator]
    x = torch.rand(100, 2)
    quality, others = recorder(network, []).quality((((x,), {}), x.argmax(1)))
    assert quality == (ACCURACY, 1.0)
    assert others[BALANCED] == 1.0
    assert others[NEIGHBOURS] > 0.8


def test_a_network_is_saved_and_copied_as_ever() -> None:
    network = nn.Linear(2, 2)
    record = recorder(network, [])
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(torch.ones(1, 2)), network(torch.ones(1, 2)))
    record.arguments = None
    copy.deepcopy(network)(torch.ones(1, 2))
    assert record.arguments is None


def test_it_has_all_that_is_asked_of_a_watcher() -> None:
    folder = Path(sevensteps.observe.script.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    names = set(re.findall(r"\bwatcher\.([a-z_]+)", text))
    assert {"step", "valid", "looking", "network"} <= names
    record = recorder(nn.Linear(2, 2), [])
    assert [name for name in sorted(names) if not hasattr(record, name)] == []
