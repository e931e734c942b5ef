"""The contract table of step 7: each rule on histories made by hand fires where it should, and says
why.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevensteps import steps
from sevensteps.errors import ArgumentError
from sevensteps.steps import stop
from sevensteps.steps.stop import (
    Always,
    Progress,
    Stop,
    accuracy,
    epochs,
    first_of,
    loss_below,
    patience,
    seconds,
)
from sevensteps.task import Task
from tests.steps.examples import EXAMPLES, examples

REGRESSION = Task("regression", 1, (), "each target is a number")
BINARY = Task("binary", 1, ("3", "7"), "the targets are two classes, 3 and 7")
MANY = Task("multiclass", 1, ("a", "b", "c"), "the targets are 3 classes")
LABELS = Task("multilabel", 2, ("x", "y"), "each target has 2 yes/no labels")
TASKS = [REGRESSION, BINARY, MANY, LABELS]
PER_EPOCH = 10  # steps
NAN = math.nan
Facts = dict[str, list[float]]


def history(facts: Facts) -> list[dict[str, Any]]:
    """One row an epoch, as the loop writes them: `train_loss` goes to the training part, the rest
    to the validation part.
    """
    length = len(next(iter(facts.values()), []))
    return [
        {
            "epoch": index + 1,
            "train": {"loss": facts["train_loss"][index]}
            if "train_loss" in facts
            else {"loss": 1.0},
            "valid": {
                name: values[index] for name, values in facts.items() if name != "train_loss"
            },
        }
        for index in range(length)
    ]


def at_end_of(epoch: int, facts: Facts, **more: Any) -> Progress:
    """How far a training has come when that epoch has just been evaluated."""
    return Progress(
        epoch=epoch,
        step=epoch * PER_EPOCH,
        epoch_ended=True,
        history=history(facts)[:epoch],
        **more,
    )


def fires(rule: Stop, facts: Facts) -> tuple[int | None, tuple[str, str] | None]:
    """The epoch at whose end `rule` is first content, and what it says."""
    for epoch in range(1, len(next(iter(facts.values()))) + 1):
        if found := rule.reason(at_end_of(epoch, facts)):
            return epoch, found
    return None, None


# -- epochs, steps, seconds ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "before", "then", "reason"),
    [
        (
            epochs(3),
            Progress(epoch=2, step=29),
            Progress(epoch=3, step=30),
            ("epochs", "all 3 epochs are done"),
        ),
        (
            epochs(1),
            Progress(epoch=0, step=9, epoch_ended=False),
            Progress(epoch=1, step=10),
            ("epochs", "the one epoch is done"),
        ),
        (
            stop.max_steps(25),
            Progress(epoch=2, step=24),
            Progress(epoch=2, step=25),
            ("max_steps", "all 25 steps are done"),
        ),
        (
            seconds(2),
            Progress(seconds=1.99),
            Progress(seconds=2.04),
            ("seconds", "2.0 s of training, 2 s were allowed"),
        ),
        (
            seconds(0.5),
            Progress(seconds=0.49),
            Progress(seconds=0.5),
            ("seconds", "0.5 s of training, 0.5 s were allowed"),
        ),
    ],
)
def test_a_count_is_reached(
    rule: Stop, before: Progress, then: Progress, reason: tuple[str, str]
) -> None:
    assert rule.reason(Progress()) is None
    assert rule.reason(before) is None
    assert rule.reason(then) == reason


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (epochs(0), ("epochs", "nothing was to be trained")),
        (stop.max_steps(0), ("max_steps", "all 0 steps are done")),
    ],
)
def test_nothing_is_to_be_trained(rule: Stop, reason: tuple[str, str]) -> None:
    assert rule.reason(Progress()) == reason
    assert rule.limit(PER_EPOCH) == 0


@given(count=st.integers(0, 1000), epoch=st.integers(0, 1000))
def test_epochs_are_over_exactly_then(count: int, epoch: int) -> None:
    assert (epochs(count).reason(Progress(epoch=epoch)) is not None) == (epoch >= count)
    assert (stop.max_steps(count).reason(Progress(step=epoch)) is not None) == (epoch >= count)


# -- patience, accuracy, loss_below ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "facts", "epoch", "reason"),
    [
        (patience(2), {"loss": [3, 2, 1, 0.5, 0.4]}, None, None),
        (patience(2), {"loss": [1, 2, 3, 4]}, 3, "no better loss than 1 of epoch 1 for 2 epochs"),
        (patience(1), {"loss": [1, 2]}, 2, "no better loss than 1 of epoch 1 for 1 epoch"),
        (
            patience(2),
            {"loss": [1, 2, 0.5, 2, 2, 0.1]},
            5,
            "no better loss than 0.5 of epoch 3 for 2 epochs",
        ),
        (patience(2), {"loss": [1, 1, 1]}, 3, "no better loss than 1 of epoch 1 for 2 epochs"),
        (
            patience(2),
            {"loss": [0.123456, 1, 1]},
            3,
            "no better loss than 0.1235 of epoch 1 for 2 epochs",
        ),
        (patience(3), {"loss": [1, 2, 2]}, None, None),
        (
            patience(2),
            {"loss": [NAN, NAN, NAN]},
            3,
            "no better loss than nan of epoch 1 for 2 epochs",
        ),
        (patience(2), {"loss": [1, NAN, NAN]}, 3, "no better loss than 1 of epoch 1 for 2 epochs"),
        (patience(2), {"loss": [NAN, 1, 2, 2]}, 4, "no better loss than 1 of epoch 2 for 2 epochs"),
        (patience(2), {"loss": [NAN, 3, 2, 1]}, None, None),
        (
            patience(2, "accuracy"),
            {"loss": [1, 1, 1, 1], "accuracy": [0.5, 0.6, 0.6, 0.55]},
            4,
            "no better accuracy than 0.6 of epoch 2 for 2 epochs",
        ),
        (
            patience(2, "accuracy"),
            {"loss": [1, 2, 3, 4], "accuracy": [0.5, 0.6, 0.7, 0.8]},
            None,
            None,
        ),
        (
            patience(1, "r2"),
            {"loss": [1, 1, 1], "r2": [-3, -2, -2.5]},
            3,
            "no better r2 than -2 of epoch 2 for 1 epoch",
        ),
        (
            patience(1, "r2"),
            {"loss": [1, 1], "r2": [NAN, NAN]},
            2,
            "no better r2 than nan of epoch 1 for 1 epoch",
        ),
        (
            accuracy(0.9),
            {"accuracy": [0.5, 0.8999, 0.9]},
            3,
            "validation accuracy 0.9000 reaches 0.9",
        ),
        (accuracy(1), {"accuracy": [0.99999, 1.0]}, 2, "validation accuracy 1.0000 reaches 1"),
        (accuracy(0.9), {"accuracy": [0.1, 0.2, NAN]}, None, None),
        (loss_below(0.5), {"loss": [1, 0.5, 0.49]}, 3, "valid loss 0.49 is below 0.5"),
        (loss_below(-1), {"loss": [0, -1, -2]}, 3, "valid loss -2 is below -1"),
        (loss_below(0.5), {"loss": [NAN, NAN]}, None, None),
        (
            loss_below(0.5, on="train"),
            {"loss": [0.1, 0.1], "train_loss": [0.6, 0.4]},
            2,
            "train loss 0.4 is below 0.5",
        ),
        (
            loss_below(0.5),
            {"loss": [1, 0.4], "train_loss": [0.1, 0.1]},
            2,
            "valid loss 0.4 is below 0.5",
        ),
    ],
)
def test_a_rule_fires_at_its_epoch_with_its_reason(
    rule: Stop, facts: Facts, epoch: int | None, reason: str | None
) -> None:
    wanted = None if reason is None else (type(rule).__name__, reason)
    assert fires(rule, facts) == (epoch, wanted)


@pytest.mark.parametrize(
    "rule", [patience(1), accuracy(0.5), loss_below(9.0), loss_below(9.0, on="train")]
)
def test_what_is_evaluated_counts_only_at_the_end_of_an_epoch(rule: Stop) -> None:
    facts: Facts = {"loss": [1.0, 2.0, 3.0], "accuracy": [0.9, 0.9, 0.9]}
    ended = at_end_of(3, facts)
    assert rule.reason(ended) is not None
    ended.epoch_ended = False
    assert rule.reason(ended) is None
    assert rule.reason(Progress(step=5, loss=0.1)) is None


@given(
    losses=st.lists(st.floats(-10, 10) | st.just(NAN), min_size=1, max_size=12),
    count=st.integers(1, 5),
)
def test_patience_waits_for_its_epochs_since_the_best(losses: list[float], count: int) -> None:
    best, since, wanted = math.inf, 0, None  # counted one by one, as a person would
    for epoch, loss in enumerate(losses, 1):
        best, since = (loss, 0) if loss < best or epoch == 1 else (best, since + 1)
        best = math.inf if math.isnan(best) else best
        if since >= count:
            wanted = epoch
            break
    assert fires(patience(count), {"loss": losses})[0] == wanted


# -- joined ----------------------------------------------------------------------------------------


def test_the_first_that_answers_is_heard() -> None:
    facts: Facts = {"loss": [1.0, 2.0, 3.0], "accuracy": [0.1, 0.95, 0.95]}
    assert fires(epochs(2) | accuracy(0.9), facts) == (2, ("epochs", "all 2 epochs are done"))
    assert fires(accuracy(0.9) | epochs(2), facts) == (
        2,
        ("accuracy", "validation accuracy 0.9500 reaches 0.9"),
    )
    assert fires(epochs(9) | patience(2) | accuracy(0.99), facts) == (
        3,
        ("patience", "no better loss than 1 of epoch 1 for 2 epochs"),
    )
    assert fires(epochs(9) | patience(5), facts) == (None, None)


def test_joining_keeps_the_order_and_is_flat() -> None:
    one, two, three = epochs(3), patience(2), seconds(60)
    assert repr(one | two | three) == "epochs(3) | patience(2) | seconds(60)"
    assert (one | (two | three)) == ((one | two) | three) == first_of((one, two, three))
    assert (one | two | three).rules() == (one, two, three)
    assert one.rules() == (one,)
    assert (one | two) != (two | one)
    assert hash(one | two) == hash(epochs(3) | patience(2))


@pytest.mark.parametrize("other", [3, None, "epochs(3)", 0.5])
def test_only_rules_can_be_joined(other: Any) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        epochs(3) | other


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("epochs(3)", 30),
        ("max_steps(25)", 25),
        ("seconds(1)", None),
        ("patience(3)", None),
        ("accuracy(0.9)", None),
        ("loss_below(0.1)", None),
        ("epochs(3) | max_steps(25)", 25),
        ("max_steps(25) | epochs(2)", 20),
        ("patience(3) | epochs(2)", 20),
        ("patience(3) | seconds(9)", None),
    ],
)
def test_the_largest_number_of_steps_there_can_be(text: str, limit: int | None) -> None:
    assert steps.parse("stop", text).limit(PER_EPOCH) == limit
    assert (Always() | steps.parse("stop", text)).limit(PER_EPOCH) == limit


# -- never absent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "found"),
    [
        (Progress(), None),
        (Progress(step=7, loss=1e30), None),
        (
            Progress(step=7, loss=math.nan),
            ("not_finite", "the loss is nan at step 8; the parameters are those before it"),
        ),
        (
            Progress(step=0, loss=math.inf),
            ("not_finite", "the loss is inf at step 1; the parameters are those before it"),
        ),
        (
            Progress(step=7, loss=-math.inf),
            ("not_finite", "the loss is -inf at step 8; the parameters are those before it"),
        ),
        (Progress(step=7, interrupted=True), ("interrupt", "interrupted after step 7")),
        (
            Progress(step=7, loss=math.nan, interrupted=True),
            ("not_finite", "the loss is nan at step 8; the parameters are those before it"),
        ),
    ],
)
def test_the_rules_that_are_never_absent(progress: Progress, found: tuple[str, str] | None) -> None:
    assert Always().reason(progress) == found
    assert (Always() | epochs(99)).reason(progress) == found
    assert (Always() | epochs(0)).reason(progress) == (
        found or ("epochs", "nothing was to be trained")
    )


# -- on what task ----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
@pytest.mark.parametrize("rule", examples("stop", "auto"), ids=repr)
def test_a_rule_fits_the_task_or_says_why_not(rule: Stop, task: Task) -> None:
    waits = next(
        (
            metric
            for part in rule.rules()
            for metric in [
                getattr(part, "metric", "accuracy" if type(part) is accuracy else "loss")
            ]
            if metric != "loss"
        ),
        "loss",
    )
    if waits == "accuracy" and task is REGRESSION:
        with pytest.raises(
            ArgumentError,
            match=r"waits for accuracy, but each target is a number, which is measured by loss "
            r"and r2$",
        ):
            rule.check(task)
    else:
        rule.check(task)


@pytest.mark.parametrize(
    ("rule", "task", "message"),
    [
        (
            patience(3, "r2"),
            BINARY,
            'patience(3, "r2") waits for r2, but the targets are two classes, 3 and 7, which is '
            "measured by accuracy and loss",
        ),
        (
            patience(3, "r2"),
            LABELS,
            'patience(3, "r2") waits for r2, but each target has 2 yes/no labels, which is '
            "measured by accuracy and loss",
        ),
        (
            patience(3, "accuracy"),
            REGRESSION,
            'patience(3, "accuracy") waits for accuracy, but each target is a number, which is '
            "measured by loss and r2",
        ),
        (
            accuracy(0.9),
            REGRESSION,
            "accuracy(0.9) waits for accuracy, but each target is a number, which is measured by "
            "loss and r2",
        ),
        (
            epochs(3) | accuracy(0.9),
            REGRESSION,
            "accuracy(0.9) waits for accuracy, but each target is a number, which is measured by "
            "loss and r2",
        ),
    ],
)
def test_a_rule_that_would_wait_for_ever_is_refused(rule: Stop, task: Task, message: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        rule.check(task)
    assert str(refused.value) == message


# -- common to all ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", examples("stop", "auto"), ids=repr)
def test_a_rule_is_silent_at_the_start_and_is_joined_with_any_other(rule: Stop) -> None:
    started = Progress(step=1, loss=0.1, seconds=0.01, lr=0.1)
    assert rule.reason(started) is None or rule == epochs(0)
    for other in examples("stop", "auto"):
        joined = rule | other
        assert joined.reason(started) == (rule.reason(started) or other.reason(started))
        assert joined.rules() == (*rule.rules(), *other.rules())


@pytest.mark.parametrize(
    "rule", [*examples("stop", "auto"), pytest.param(Always(), id="Always")], ids=repr
)
def test_a_rule_is_silent_for_the_steps_that_it_leaves(rule: Stop) -> None:
    # an epoch of a thousand steps of a hundredth of a second each, the second one of a training
    facts = {"loss": [1e9], "train_loss": [1e9], "accuracy": [0.0]}
    progress, step = Progress(epoch=1, history=history(facts)), 10
    while step < 1000:
        progress.step, progress.seconds = step, step / 100
        if rule.reason(progress):
            return  # it is over
        left = rule.steps_left(progress)
        assert left >= 1
        for further in range(step + 1, min(step + left, 1000)):
            progress.step, progress.seconds = further, further / 100
            assert rule.reason(progress) is None
        step += left


def test_every_rule_names_itself_when_it_fires() -> None:
    facts: Facts = {
        "loss": [0.01, 5.0, 5.0, 5.0, 5.0],
        "accuracy": [1.0] * 5,
        "train_loss": [-9.0] * 5,
    }
    late = at_end_of(5, facts, seconds=1e9)
    late.epoch = late.step = 10**9
    for name in EXAMPLES["stop"]:
        if name != "auto":
            rule = steps.parse(
                "stop", EXAMPLES["stop"][name][0].replace("loss_below(0.1)", "loss_below(9)")
            )
            found = rule.reason(late)
            assert found is not None
            assert found[0] == name
            assert len(found[1].splitlines()) == 1


def test_progress_reads_its_history() -> None:
    progress = at_end_of(2, {"loss": [1.0, 2.0], "accuracy": [0.5, 0.6], "train_loss": [3.0, 4.0]})
    assert progress.values("loss") == [1.0, 2.0]
    assert progress.values("loss", "train") == [3.0, 4.0]
    assert progress.values("accuracy") == [0.5, 0.6]
    assert Progress().values("loss") == []


@pytest.mark.parametrize(
    ("task", "per_epoch", "options", "chosen", "reason"),
    [
        (
            MANY,
            24,
            {},
            "epochs(50)",
            "1200 steps, 24 an epoch, are enough for most small networks to settle",
        ),
        (
            MANY,
            240,
            {},
            "epochs(10)",
            "2400 steps, 240 an epoch, are enough for most small networks to settle",
        ),
        (
            BINARY,
            1,
            {},
            "epochs(300)",
            "300 steps, 1 an epoch, are enough for most small networks to settle",
        ),
        (
            MANY,
            24,
            {"count": 5},
            "epochs(5)",
            "120 steps, 24 an epoch, are enough for most small networks to settle",
        ),
        (
            REGRESSION,
            1,
            {},
            "epochs(300) | patience(20)",
            "networks soon follow the noise of a regression, which the validation loss shows",
        ),
    ],
)
def test_auto_takes_what_fits(
    task: Task, per_epoch: int, options: dict[str, int], chosen: str, reason: str
) -> None:
    rule, why = stop.choose(task, per_epoch, **options)
    assert (repr(rule), why) == (chosen, reason)
    rule.check(task)
