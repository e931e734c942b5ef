"""Questions that readers of the book ask: their numbers against scikit-learn and NumPy."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

import sevensteps as ss
from tests.explain.why.questions import asked, steps_of, trained


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # of pixels that are always 0
def test_simple_answers_are_those_of_sklearn() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score
    from sklearn.neighbors import NearestCentroid

    for name, model in (("digits", NearestCentroid()), ("diabetes", LinearRegression())):
        data = ss.data.load(name)
        x, new = (part.x.double().flatten(1).numpy() for part in (data.train, data.valid))
        fitted = model.fit(x, data.train.y.numpy().ravel())
        said = fitted.predict(new)
        expected = (
            r2_score(data.valid.y.numpy().ravel(), said)
            if name == "diabetes"
            else (said == data.valid.y.numpy()).mean()
        )
        found = asked(trained(name))["good"]
        assert found.numbers["simple"] == pytest.approx(expected, abs=1e-9)
        assert f"{found.numbers['simple']:.4g}" in found.answer


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


def test_zeros_before_a_hidden_layer_and_in_a_single_one() -> None:
    hidden = asked(trained("iris", initialize="zeros()", predict="mlp(4)"))["zeros"]
    assert hidden.rank >= 80
    assert (
        "diagnose" in hidden.command
        or "try_remedies" in hidden.command
        or "--initialize" in hidden.command
    )
    single = asked(trained("iris", initialize="zeros()", predict="linear()"))["zeros"]
    assert single.question == "Is it a fault to start from zeros?"
    assert "zeros" not in asked(trained("iris", predict="mlp(4)"))


def test_outputs_below_zero_are_counted() -> None:
    run = trained("digits37", predict="linear()")
    data, found = ss.data.load("digits37"), asked(run)["logit"]
    outputs = run.network(data.valid.x)[:, 0].detach()
    no = data.valid.y[:, 0] == 0
    assert (found.numbers["of"], found.numbers["below"]) == (
        int(no.sum()),
        int((outputs[no] < 0).sum()),
    )
    assert "where the answer is 7" in found.question
    for other in ("digits", "diabetes"):
        assert "logit" not in asked(trained(other))


def test_dead_inputs_are_asked_about_where_there_are_some() -> None:
    found = asked(trained(predict="mlp(12)"))["dead inputs"]
    dead = int((ss.data.load("digits").train.x == 0).all(0).sum())
    assert found.numbers == {"dead": dead, "inputs": 64, "weights": 12 * dead}
    assert "dead inputs" not in asked(trained("iris"))
