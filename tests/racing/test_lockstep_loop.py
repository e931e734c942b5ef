"""A member of a race comes to what the same recipe comes to alone: parameters, history, memory of
the step, generators, and its end.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.racing.grouping import LockstepPlan, resolve_all
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from sevensteps.training import state_dict
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.state import Training
from tests.racing.alone import DATA, alone, raced, recipe

IMAGES = ss.data.from_arrays(
    torch.linspace(-1, 1, 60 * 36).sin().reshape(60, 1, 6, 6), torch.arange(60) % 3, name="images"
)
CNN = "cnn(3, dense=(5,), batch_norm=True, dropout=0.3)"

RACES: dict[str, list[Recipe]] = {
    "learning rates": [recipe(step=f"sgd(lr={lr})") for lr in (0.01, 0.1, 1.0)],
    "every optimizer": [
        recipe(step=step)
        for step in (
            "sgd(lr=0.1)",
            "sgd(lr=0.1, momentum=0.9)",
            "sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)",
            "adam(lr=0.01)",
            "adamw(lr=0.01, weight_decay=0.1)",
            "rmsprop(lr=0.01, momentum=0.5)",
            "adagrad(lr=0.1)",
        )
    ],
    "schedules": [
        recipe(step=f"sgd(lr={lr})")
        for lr in ("one_cycle(0.5)", "cosine(0.5)", "linear_warmup(0.5)", "step_decay(0.5)")
    ],
    "initialisers": [
        recipe(initialize=rule)
        for rule in ("kaiming_normal()", "zeros()", "orthogonal()", "lsuv()", "normal(0.1)")
    ],
    "clipping": [
        recipe(gradient=f"chain_rule(clip={clip})", step="sgd(lr=1.0)")
        for clip in (0.01, 0.1, 10.0)
    ],
    "accumulated batches": [
        recipe(gradient="chain_rule(accumulate=3)", step=f"sgd(lr={lr})") for lr in (0.1, 1.0)
    ],
    "full batch": [recipe(repeat="full_batch()", seed=seed) for seed in range(3)],
    "in the order of the data": [
        recipe(repeat="batches(16, shuffle=False)", seed=seed) for seed in range(3)
    ],
    "an order that all share": [
        recipe(repeat="batches(16, seed=7)", seed=seed) for seed in range(3)
    ],
    "an order of its own": [recipe(seed=seed) for seed in range(3)],
    "three of one seed, one of another": [
        *(recipe(step=f"sgd(lr={lr})") for lr in (0.1, 0.2, 0.3, 0.4)),
        recipe(seed=5),
        recipe(seed=6),
    ],
    "dropout and batch norm": [
        recipe(IMAGES, predict=CNN, step=f"sgd(lr={lr})", seed=seed)
        for lr in (0.1, 0.5)
        for seed in (0, 1)
    ],
    "dropout, one order": [
        recipe(IMAGES, predict=CNN, repeat="batches(16, seed=0)", seed=seed) for seed in range(3)
    ],
    "regression": [
        recipe("diabetes", predict="mlp(4)", step=f"sgd(lr={lr})", repeat="batches(64)")
        for lr in (0.01, 0.1)
    ],
    "binary": [
        recipe("circles", predict="mlp(8)", loss=loss, step="sgd(lr=0.1)")
        for loss in ("binary_cross_entropy()", "hinge()")
    ],
    "they stop at different steps": [
        recipe(stop=stop)
        for stop in (
            "max_steps(3)",
            "max_steps(4)",
            "max_steps(5)",
            "epochs(1)",
            "epochs(2)",
            "epochs(9) | patience(1)",
            "accuracy(0.5) | epochs(7)",
            "epochs(4)",
        )
    ],
    "own orders, different steps": [
        recipe(stop=f"steps({count})", seed=count) for count in (3, 4, 5, 9)
    ],
    "one diverges": [
        recipe(step=f"sgd(lr={lr})", predict="mlp(5)", precision="float32")
        for lr in (0.1, 1e30, 0.2)
    ],
    "nothing to train": [
        recipe(stop="epochs(0)"),
        recipe(stop="epochs(1)"),
        recipe(stop="max_steps(0)"),
    ],
    "networks of two shapes": [
        recipe(predict=predict) for predict in ("mlp(5)", "mlp(6)", "mlp(5)", "linear()")
    ],
    "float32 beside float64": [
        recipe(precision=precision) for precision in ("float32", "float64", "float32")
    ],
    "by autograd": [
        recipe(gradient="autograd()", step=f"sgd(lr={lr})", stop=stop)
        for lr, stop in ((0.1, "epochs(2)"), (0.5, "max_steps(7)"), (1.0, "epochs(3)"))
    ],
    "by autograd, own orders": [
        recipe(gradient="autograd(clip=0.5, accumulate=2)", step="adam(lr=0.01)", seed=seed)
        for seed in range(3)
    ],
    "by autograd, batch norm": [
        recipe(
            IMAGES, predict="cnn(3, batch_norm=True)", gradient="autograd()", step=f"sgd(lr={lr})"
        )
        for lr in (0.1, 0.5)
    ],
    "by autograd, dropout": [
        recipe(IMAGES, predict=CNN, gradient="autograd()", step=f"sgd(lr={lr})")
        for lr in (0.1, 0.5)
    ],
    "other gradients": [
        recipe(gradient=method) for method in ("autograd()", "chain_rule()", "finite_differences()")
    ],
    "one": [recipe()],
}


def same(actual: Training, wanted: Training, limit: float) -> None:
    """Everything a training comes to is the same, numbers up to `limit`."""
    close: dict[str, Any] = {"rtol": limit, "atol": limit, "equal_nan": True}
    for a, b in zip(
        actual.network.state_dict().values(), wanted.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, **close)
    assert actual.best is not None
    assert wanted.best is not None
    assert actual.best.epoch == wanted.best.epoch
    mine, theirs = state_dict.state_dict(actual)[0], state_dict.state_dict(wanted)[0]
    assert mine.keys() == theirs.keys()
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], **close)
    assert actual.position.steps == wanted.position.steps
    assert [row["epoch"] for row in actual.progress.history] == [
        row["epoch"] for row in wanted.progress.history
    ]
    for a, b in zip(actual.progress.history, wanted.progress.history, strict=True):
        for part in ("train", "valid"):
            for name in b[part]:
                if name != "by_class":
                    assert a[part][name] == pytest.approx(
                        b[part][name], rel=limit, abs=limit, nan_ok=True
                    )
    for name in ("epoch", "step", "samples", "lr"):
        assert getattr(actual.progress, name) == getattr(wanted.progress, name)


@pytest.mark.parametrize("name", RACES)
def test_a_member_comes_to_what_it_comes_to_alone(name: str) -> None:
    recipes = RACES[name]
    racing = raced(recipes)
    assert len(racing.members) == len(recipes)
    for number, (one, member) in enumerate(zip(recipes, racing.members, strict=True)):
        wanted, ended = alone(one)
        assert member.number == number
        assert member.ended == ended
        same(member.training, wanted, 1e-9 if one.precision == "float64" else 1e-4)


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
def test_a_race_of_one_is_the_same_bits(precision: str) -> None:
    one = recipe(
        "digits",
        predict="mlp(16)",
        precision=precision,
        repeat="batches(64)",
        stop="epochs(2)",
        seed=3,
    )
    actual, (wanted, _) = raced([one]).trainings[0], alone(one)
    mine, theirs = state_dict.state_dict(actual), state_dict.state_dict(wanted)
    assert all(torch.equal(mine[0][name], theirs[0][name]) for name in theirs[0])
    for a, b in zip(actual.progress.history, wanted.progress.history, strict=True):
        assert a["train"] == b["train"]
        assert a["valid"] == b["valid"]


def test_float32_differs_by_rounding_only() -> None:
    """digits, 184 steps of adam and sgd: the parameters of a member are within 1e-4 of those of the
    same recipe alone.
    """
    recipes = [
        recipe(
            "digits",
            predict="mlp(30)",
            precision="float32",
            step=step,
            stop="epochs(8)",
            repeat="batches(64)",
        )
        # not Adam's default eps: dividing by almost nothing shows each processor's rounding
        for step in ("sgd(lr=0.1)", "sgd(lr=0.5)", "adam(lr=0.003, eps=1e-3)")
    ]
    for one, member in zip(recipes, raced(recipes).members, strict=True):
        wanted, _ = alone(one)
        actual, right = member.training.engine.parameters, wanted.engine.parameters
        assert float((actual - right).norm() / right.norm()) < 1e-4


def test_members_are_watched_as_alone_and_watching_changes_nothing() -> None:
    recipes = [
        recipe(
            "digits",
            predict="mlp(16)",
            repeat="batches(64)",
            stop="epochs(3)",
            step=f"sgd(lr={lr})",
            initialize=rule,
        )
        for lr, rule in ((0.1, "kaiming_normal()"), (0.1, "zeros()"), (1e-5, "kaiming_normal()"))
    ]
    racing = prepare_race(resolve_all(recipes))
    attending = [DoctorObserver(1.0) for _ in recipes]
    for member, look in zip(racing.members, attending, strict=True):
        member.observers = [look]
    run_race(racing)
    unwatched = raced(recipes)
    for one, look, member, other in zip(
        recipes, attending, racing.members, unwatched.members, strict=True
    ):
        assert torch.equal(member.training.engine.parameters, other.training.engine.parameters)
        single = DoctorObserver(1.0)
        alone(one, (single,))
        assert look.after is not None
        assert single.after is not None
        assert [f.condition for f in look.after.findings] == [
            f.condition for f in single.after.findings
        ]
        assert [look.step for look in look.after.case.looks] == [
            look.step for look in single.after.case.looks
        ]
        for mine, theirs in zip(look.after.case.looks, single.after.case.looks, strict=True):
            assert mine.signals.keys() == theirs.signals.keys()
            for layer in mine.signals:
                torch.testing.assert_close(
                    mine.signals[layer].mean, theirs.signals[layer].mean, rtol=1e-6, atol=1e-9
                )
                assert (mine.signals[layer].gradient is None) == (
                    theirs.signals[layer].gradient is None
                )
            for key in mine.changes:
                torch.testing.assert_close(
                    mine.changes[key].update, theirs.changes[key].update, rtol=1e-6, atol=1e-9
                )
    assert {f.condition for look in attending if look.after for f in look.after.findings} >= {
        "symmetric_units"
    }


def test_networks_without_a_written_chain_rule_are_watched_too() -> None:
    recipes = [recipe(gradient="autograd()", step=f"sgd(lr={lr})") for lr in (0.1, 0.5)]
    racing = prepare_race(resolve_all(recipes))
    attending = [DoctorObserver(1.0) for _ in recipes]
    for member, look in zip(racing.members, attending, strict=True):
        member.observers = [look]
    run_race(racing)
    for one, look, member in zip(recipes, attending, racing.members, strict=True):
        single = DoctorObserver(1.0)
        wanted, _ = alone(one, (single,))
        same(member.training, wanted, 1e-9)
        assert look.after is not None
        assert single.after is not None
        for mine, theirs in zip(look.after.case.looks, single.after.case.looks, strict=True):
            assert mine.signals.keys() == theirs.signals.keys()
            for layer in mine.signals:
                torch.testing.assert_close(
                    mine.signals[layer].mean, theirs.signals[layer].mean, rtol=1e-9, atol=1e-12
                )


@pytest.mark.parametrize("own", [False, True])
def test_looking_leaves_statistics_and_masks_alone(own: bool) -> None:
    recipes = [
        recipe(
            IMAGES,
            predict=CNN,
            step="sgd(lr=0.1)",
            gradient="chain_rule(accumulate=2)",
            seed=seed,
            repeat="batches(16)" if own else "batches(16, seed=0)",
        )
        for seed in range(3)
    ]
    racing = prepare_race(resolve_all(recipes), [LockstepPlan([0, 1, 2], own_order=own)])
    for member in racing.members:
        member.observers = [DoctorObserver(1.0)]
    run_race(racing)
    for one, member in zip(recipes, racing.members, strict=True):
        same(member.training, alone(one)[0], 1e-9)


class Interrupting(Observer):
    """Asks all of a race to end, as Ctrl-C does, after some steps of one member."""

    def __init__(self, racing: RaceState, at: int) -> None:
        self.racing, self.at = racing, at

    def stepped(self, training: Training) -> None:
        if training.progress.step == self.at:
            for other in self.racing.trainings:
                other.progress.interrupted = True


def test_an_interrupt_ends_all() -> None:
    racing = prepare_race(
        resolve_all(
            [recipe(step="sgd(lr=0.1)"), recipe(step="sgd(lr=0.2)"), recipe(predict="linear()")]
        )
    )
    racing.members[0].observers = [Interrupting(racing, 5)]
    run_race(racing)
    assert [member.ended and member.ended[0] for member in racing.members] == ["interrupt"] * 3
    assert [training.progress.step for training in racing.trainings] == [5, 5, 4]
    assert all(training.progress.history for training in racing.trainings)


def test_seconds_are_a_member_s_share() -> None:
    racing = raced([recipe(step=f"sgd(lr={lr})", stop="epochs(5)") for lr in (0.1, 0.2, 0.3, 0.4)])
    seconds = [training.progress.seconds for training in racing.trainings]
    assert all(0 < actual < math.inf for actual in seconds)
    assert max(seconds) == pytest.approx(min(seconds), rel=1e-6)


def test_all_share_one_copy_of_the_samples() -> None:
    racing = prepare_race(
        resolve_all([recipe(DATA, seed=seed, predict=f"mlp({4 + seed % 2})") for seed in range(4)])
    )
    assert len({training.samples.x.data_ptr() for training in racing.trainings}) == 1  # type: ignore[union-attr]
    other = prepare_race(
        resolve_all([recipe(precision=precision) for precision in ("float32", "float64")])
    )
    assert len({training.samples.x.data_ptr() for training in other.trainings}) == 2  # type: ignore[union-attr]
