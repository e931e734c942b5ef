"""Trainings whose documents and reports are looked at, each trained once."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis

HOSTILE = "</script><img src=x onerror=alert(1)>\u2028&lt;"


@pytest.fixture(scope="session")
def healthy_run(tmp_path_factory: pytest.TempPathFactory) -> ss.Run:
    """A linear classifier of flowers."""
    folder = tmp_path_factory.mktemp("healthy") / "run"
    return ss.train("iris", predict="linear()", stop="epochs(8)", out=folder)


@pytest.fixture(scope="session")
def faulty_run(tmp_path_factory: pytest.TempPathFactory) -> ss.Run:
    """Pictures of digits, learned with steps from which no seed recovers."""
    folder = tmp_path_factory.mktemp("faulty") / "run"
    return ss.train(
        "digits",
        predict="mlp(30, activation='sigmoid')",
        step="sgd(lr=20)",
        stop="epochs(4)",
        out=folder,
    )


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> ss.Run:
    """A table whose name, columns and classes are markup that would run."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [f"{i % 7},{i % 5},{HOSTILE if i % 2 else 'plain'}" for i in range(60)]
    file = folder / "<img src=x onerror=alert>.csv"
    file.write_text("\n".join([f"{HOSTILE} a,b,kind", *rows]), encoding="utf-8")
    return ss.train(
        ss.data.load(str(file), target="kind"),
        predict="mlp(4)",
        stop="epochs(2)",
        out=folder / "run",
    )


def watched_loop(steps: int = 60, name: str = "softmax") -> Diagnosis:
    """A loop of one's own, with the softmax applied twice."""
    torch.manual_seed(0)
    x, y = torch.randn(256, 6), torch.randint(3, (256,))
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1))
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    with ss.watch(model, optimizer) as watch:
        for step in range(steps):
            rows = slice(32 * (step % 8), 32 * (step % 8) + 32)
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return watch.diagnose(train=(x, y), loss_fn=loss_fn)


@pytest.fixture(scope="session")
def watched_diagnosis() -> Diagnosis:
    with torch.random.fork_rng():
        return watched_loop()


@pytest.fixture(scope="session")
def race(tmp_path_factory: pytest.TempPathFactory) -> ss.Race:
    """Two learning rates, on two seeds each."""
    recipes = ss.grid(
        "iris", step=["sgd(lr=0.1)", "sgd(lr=0.001)"], stop="epochs(4)", predict="linear()", seeds=2
    )
    return ss.race(recipes, out=tmp_path_factory.mktemp("race") / "race")


@pytest.fixture
def notebook_messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A notebook that keeps every message: its content, `id`, and whether it is an update."""
    messages: list[dict[str, Any]] = []

    def display(content: dict[str, Any], raw: bool, display_id: str, update: bool) -> None:
        assert raw
        messages.append(content | {"id": display_id, "update": update})

    shell = types.SimpleNamespace(kernel=object())
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython, ipython.display = lambda: shell, types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    return messages
