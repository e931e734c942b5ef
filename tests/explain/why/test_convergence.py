"""A fit that converges slowly, and what it needs to converge."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

import sevensteps as ss
from tests.explain.why.questions import asked, steps_of, trained


def test_the_speed_example_can_converge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained("speed", predict="polynomial(2)", step="sgd(lr=1e-5)", stop="epochs(10)")
    found = asked(run)["converge"]
    assert run.explain.why().questions[0] is not None
    assert run.explain.why().questions[0].topic == "converge"
    data = ss.data.load("speed")
    t, y = data.train.x[:, 0].double().numpy(), data.train.y[:, 0].double().numpy()
    columns = np.stack([t**2, t, np.ones_like(t)], 1)
    curvatures = np.linalg.eigvalsh(2 * columns.T @ columns / len(t))
    assert found.numbers["curvatures"] == pytest.approx(list(curvatures), rel=1e-6)
    assert found.numbers["condition"] == pytest.approx(218_451, rel=1e-4)  # FIGURES
    assert found.numbers["standardised"] == pytest.approx(7.4, abs=0.05)
    left = np.linalg.lstsq(columns, y, rcond=None)[1][0] / len(t)
    assert found.numbers["best"] == pytest.approx(left, rel=1e-6)
    words = shlex.split(found.command)
    given = steps_of(words)
    cured = ss.train(words[2], **given, out=False, progress=False, precision="float64")
    again = ss.data.load(words[2])
    columns = np.stack([again.train.x[:, 0].double().numpy() ** power for power in (2, 1, 0)], 1)
    least = np.linalg.lstsq(columns, again.train.y[:, 0].double().numpy(), rcond=None)[1][0] / len(
        columns
    )
    # the command does what the answer says
    assert cured.metrics["train"]["loss"] == pytest.approx(least, rel=0.02)
