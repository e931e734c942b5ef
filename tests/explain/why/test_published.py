"""Published figures of the book, and what is asked beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.doctor.conditions import condition_names
from sevensteps.explain.why.answer import QUESTIONS, TOPICS
from sevensteps.explain.why.published import CONDITIONS, FIGURES, POINTS
from tests.explain.why.questions import asked, parsed, trained


def test_words_and_topics_are_of_conditions_that_there_are() -> None:
    assert set(QUESTIONS) | set(TOPICS) | set(CONDITIONS) <= set(condition_names())
    assert set(CONDITIONS.values()) <= set(POINTS)
    assert len(POINTS) == 12
    for entry in FIGURES:
        for step, text in {
            **entry.recipe,
            **({"predict": entry.predict} if entry.predict else {}),
        }.items():
            assert repr(ss.steps.parse(step, text)) == text
        assert entry.low is None or entry.high is None or entry.low <= entry.high


@pytest.fixture(scope="module")
def mnist37(mnist_dir: Path) -> ss.data.Data:
    return ss.data.load("mnist37", mnist_dir)


@pytest.mark.long
def test_beside_the_printed_figure(mnist37: ss.data.Data) -> None:
    run = trained(
        mnist37,
        predict="mlp(30)",
        step="sgd(lr=0.1)",
        repeat="batches(256, shuffle=False)",
        stop="epochs(2)",
        loss="mnist_loss()",
        initialize="pytorch_default()",
    )
    found = asked(run)
    printed = found["printed"]
    score = run.metrics["valid"]["accuracy"]
    assert printed.numbers == {
        "accuracy": score,
        "printed": 0.982826,
        "low": 0.9819,
        "high": 0.9834,
    }
    assert f"{score:.6f}, below the 0.9819 to 0.9834" in printed.answer
    assert "another stop (epochs(2))" in printed.answer
    assert "yours does not either" in printed.answer
    assert "--seeds 10" in printed.command
    assert '--stop "epochs(40)"' in printed.command
    parsed(printed.command)
    assert "shuffle" in found
    assert '--predict "mlp(1)"' in found["widths"].command
    right = (run.network(mnist37.valid.x) > 0).double().detach() == mnist37.valid.y
    means = [float(part.double().mean()) for part in right.split(256)]
    assert [len(part) for part in right.split(256)] == [256] * 7 + [246]
    assert found["batch means"].numbers["batch_mean"] == pytest.approx(sum(means) / 8)
    assert found["batch means"].numbers["share"] == pytest.approx(score)


def test_within_or_above_the_range(mnist37: ss.data.Data) -> None:
    similar = asked(trained(mnist37, predict="pixel_similarity()", stop=None))["printed"]
    assert similar.numbers["mean"] == pytest.approx(0.9511, abs=5e-5)
    linear = asked(
        trained(
            mnist37,
            predict="linear()",
            step="sgd(lr=1.0)",
            repeat="batches(256)",
            loss="mnist_loss()",
            initialize="pytorch_default()",
            stop="epochs(20)",
        )
    )["printed"]
    assert "above the 0.9780 to 0.9790" in linear.answer
    assert "Shuffled, ten seeds come to 0.9819 to 0.9829" in linear.answer
    assert "another repeat (batches(256))" in linear.answer
