"""The doctor at a training of `ss.train`: looking changes no bit, what is found is kept, and much
shows before the first step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.api.run import Run
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import BY_STEP
from sevensteps.doctor.diagnosis import diagnosis_of
from sevensteps.doctor.observer import DoctorObserver, examine_start
from sevensteps.doctor.pairs import Pair
from sevensteps.errors import ArgumentError
from sevensteps.training import state
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from tests.helpers.seeds import five_seeds

STOP = "epochs(3)"
TRAININGS: dict[str, dict[str, Any]] = {
    "chain rule": {"predict": "mlp(8)", "gradient": "chain_rule()", "step": "sgd(lr=0.1)"},
    "autograd": {
        "predict": "mlp(8, activation='tanh')",
        "gradient": "autograd()",
        "step": "sgd(lr=0.1)",
    },
    "momentum": {"predict": "mlp(8)", "step": "sgd(lr=0.05, momentum=0.9)"},
    "adam": {"predict": "mlp(8)", "step": "adam(lr=0.01)"},
    "dropout and batch norm": {
        "predict": "mlp(8, dropout=0.3, batch_norm=True)",
        "step": "adam(lr=0.01)",
    },
    "dropout, autograd": {
        "predict": "mlp(8, dropout=0.3)",
        "gradient": "autograd()",
        "step": "sgd(lr=0.1)",
    },
    "convolution": {"predict": "cnn(4)", "step": "sgd(lr=0.1)", "stop": "epochs(1)"},
    "accumulated, clipped": {
        "predict": "mlp(8)",
        "gradient": "auto(accumulate=2, clip=0.5)",
        "step": "sgd(lr=one_cycle(0.1))",
    },
    "diverging": {"predict": "mlp(8)", "step": "sgd(lr=1e30)"},
}


class Own(nn.Module):
    """A network that is not ours, with dropout of PyTorch's, which draws from the global
    generator.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.last = nn.Linear(64, 8), nn.Dropout(0.3), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.drop(torch.relu(self.first(x.flatten(1)))))


def train(watch: Any, **given: Any) -> Run:
    return ss.train(
        "digits",
        **{"stop": STOP, "seed": 1, "repeat": "batches(128)", **given},
        out=False,
        watch=watch,
    )


def history(run: Run) -> list[dict[str, Any]]:
    """Every number of it that is not a time."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]


def assert_same(one: Run, other: Run) -> None:
    for network in ("network", "best"):
        a, b = (
            getattr(run, network) if network == "network" else run.best.network
            for run in (one, other)
        )
        for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
            assert torch.equal(x, y), name
    assert repr(history(one)) == repr(history(other))  # as text: a loss of NaN is equal too
    assert one.summary["stop"] == other.summary["stop"]


# -- the same bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.sampled(3)
def test_watched_or_not_ends_in_the_same_bits(name: str) -> None:
    alone, closely = train(0, **TRAININGS[name]), train(1.0, **TRAININGS[name])
    assert "watched" not in alone.summary
    assert closely.summary["watched"]["looks"] == min(closely.summary["steps"], 256)
    assert_same(alone, closely)
    assert_same(alone, train(0.02, **TRAININGS[name]))


@pytest.mark.draws
def test_nor_does_a_network_that_is_not_ours_mind() -> None:
    runs = []
    for watch in (0, 0.02, 1.0):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            runs.append(train(watch, predict=Own(), step="sgd(lr=0.1)"))
    assert_same(runs[0], runs[1])
    assert_same(runs[0], runs[2])


def test_the_first_look_leaves_nothing_behind() -> None:
    recipe = Recipe(
        "digits", predict="mlp(8, dropout=0.3, batch_norm=True)", initialize="zeros()", seed=1
    )
    training = state.start(resolve(recipe))
    training.recipe.initialize(
        training.network,
        training.generators["initialize"],
        *training.parts["train"],
        training.output,
    )
    training.network.train()

    def everything() -> list[Tensor]:
        generators = [generator.get_state() for generator in training.generators.values()]
        tensors = [tensor.clone() for tensor in training.network.state_dict().values()]
        return [
            *tensors,
            *generators,
            training.engine.parameters.clone(),
            training.engine.gradients.clone(),
            torch.random.get_rng_state(),
        ]

    before = everything()
    assert [finding.condition for finding in examine_start(training).findings] == [
        "symmetric_units"
    ]
    assert all(torch.equal(x, y) for x, y in zip(before, everything(), strict=True))
    assert training.network.training
    assert all(p.grad is None or not p.grad.any() for p in training.network.parameters())
    assert not any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks
        for m in training.network.modules()
    )


# -- what is seen before the first step ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "given", "condition"),
    [
        ("digits", {"predict": "mlp(30)", "initialize": "zeros()"}, "symmetric_units"),
        ("digits", {"predict": "mlp(30)", "initialize": "constant(0.1)"}, "symmetric_units"),
        ("digits", {"predict": "mlp(30)", "initialize": "normal(2.0)"}, "output_overconfident"),
        (
            "digits",
            {"predict": "mlp(30, activation='tanh')", "initialize": "normal(3.0)"},
            "saturated_units",
        ),
        (
            "digits",
            {"predict": "mlp(30, 30, 30, 30, 30, 30)", "initialize": "normal(0.01)"},
            "signal_vanishes",
        ),
    ],
)
@five_seeds
@pytest.mark.sampled(1)
def test_what_is_wrong_before_the_first_step(
    source: str, given: dict[str, Any], condition: str, seed: int
) -> None:
    attending = DoctorObserver()
    run = ss.train(source, **given, seed=seed, stop="epochs(0)", out=False, watch=attending)
    assert attending.before is not None
    found = {
        f.condition: f
        for finding in attending.before.findings
        for f in (finding, *finding.symptoms)
    }
    assert condition in found
    assert found[condition].severity in ("warning", "error")
    assert found[condition].step in BY_STEP
    assert (found[condition].onset or 0) == 0
    assert run.summary["before"] == attending.before.to_dict()["findings"]
    assert "before the first step" in str(diagnosis_of(attending.before))


@pytest.mark.parametrize(
    "source", ["digits", "digits37", "xor", "moons", "iris", "breast_cancer", "blobs"]
)
@five_seeds
def test_nothing_is_said_of_a_healthy_start(source: str, seed: int) -> None:
    attending = DoctorObserver()
    ss.train(source, seed=seed, stop="epochs(0)", out=False, watch=attending)
    assert attending.before is not None
    assert [f.condition for f in attending.before.findings if f.severity != "info"] == []


# -- what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize("watch", [-0.1, 1.5, float("nan"), "often", True])
def test_a_budget_is_a_share(watch: Any) -> None:
    with pytest.raises(ArgumentError, match="watch must be"):
        ss.train("xor", stop="epochs(1)", out=False, watch=watch)


def test_what_attends_is_what_is_kept() -> None:
    attending = DoctorObserver(1.0)
    run = ss.train(
        replace(Recipe("xor", predict="mlp(4)"), stop="epochs(2)"), out=False, watch=attending
    )
    assert attending.after is not None
    assert run.findings == attending.after.findings
    assert (
        run.summary["watched"]["looks"] == len(attending.after.case.looks) == run.summary["steps"]
    )


@pytest.mark.parametrize("step", ["sgd(lr=100.0)", "adam(lr=30.0)"])
@five_seeds
def test_a_rate_far_too_high_is_foreseen(step: str, seed: int) -> None:
    attending = DoctorObserver()
    steps: dict[str, Any] = {"predict": "mlp(30)", "seed": seed, "stop": "epochs(3)", "out": False}
    run = ss.train("digits", **steps, step=step, watch=attending)
    assert attending.before is not None
    assert [finding.condition for finding in attending.before.findings] == [
        "learning_rate_too_high"
    ]
    (change,) = [remedy.change["step"] for remedy in attending.before.findings[0].remedies]
    cured = ss.train("digits", **steps, step=change)
    assert cured.metrics["valid"]["accuracy"] > run.metrics["valid"]["accuracy"] + 0.2


@pytest.mark.parametrize(
    "step", ["sgd(lr=0.5)", "adam(lr=0.01)", "rmsprop(lr=0.01)", "sgd(lr=0.1, momentum=0.9)"]
)
@five_seeds
@pytest.mark.sampled(1)
def test_a_usual_rate_is_not(step: str, seed: int) -> None:
    attending = DoctorObserver()
    steps: dict[str, Any] = {"predict": "mlp(30)", "seed": seed, "stop": "epochs(1)", "out": False}
    ss.train("digits", **steps, step=step, watch=attending)
    assert attending.before is not None
    assert attending.before.findings == []


def test_the_last_evaluation_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data, rows = ss.data.load("digits"), []
    outputs = Case.outputs

    def counted(case: Case, pair: Pair | None, training: bool = False) -> Tensor | None:
        rows.append(0 if pair is None else len(pair[0]))
        return outputs(case, pair, training)

    monkeypatch.setattr(Case, "outputs", counted)
    doctor = DoctorObserver()
    run = ss.train(data, predict="mlp(8)", stop="epochs(2)", out=False, watch=doctor)
    assert len(data.valid) not in rows
    assert doctor.after is not None
    case = doctor.after.case
    assert case.valid_outputs is not None
    assert case.scores["valid"] == run.history[-1]["valid"]["accuracy"]
    again = outputs(case, case.valid)
    assert again is not None
    assert torch.allclose(case.valid_outputs, again, rtol=1e-4, atol=1e-5)
