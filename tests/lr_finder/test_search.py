"""The search for a learning rate, against plain trainings at every rate and against a quadratic
whose edge is known.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

import sevensteps as ss
from sevensteps.lr_finder import search
from sevensteps.lr_finder import text as view
from sevensteps.lr_finder.rate_numbers import with_rate
from sevensteps.lr_finder.rates import Rates
from sevensteps.steps import stop as stops
from sevensteps.steps.step import adam, cosine, one_cycle, sgd

DIGITS: dict[str, Any] = {"predict": "mlp(10)", "stop": "epochs(4)", "threads": 1}
SPEED: dict[str, Any] = {"predict": "mlp(10)", "stop": "epochs(60)", "threads": 1}


def quadratic() -> tuple[ss.data.Data, float]:
    """Linear regression, and the largest eigenvalue of the Hessian of its mean squared error over
    weights and bias.
    """
    draw = np.random.default_rng(3)
    x = draw.normal(size=(80, 4)) * np.array([1.0, 2.0, 0.5, 3.0])
    y = x @ np.array([1.0, -1.0, 2.0, 0.5]) + 0.1 * draw.normal(size=80)
    data = ss.data.from_arrays(x, y[:, None], valid=0.25)
    inputs = np.hstack([data.train.x.double().numpy(), np.ones((len(data.train), 1))])
    return data, float(np.linalg.eigvalsh(2 * inputs.T @ inputs / len(inputs))[-1])


def trained_alone(
    rates: Rates, data: Any, values: dict[str, Any], seed: int = 0
) -> dict[float, float]:
    """The mean training loss after `ss.train` at each of the rates, the loss by PyTorch."""
    losses = {}
    for tried in rates.rates:
        run = ss.train(
            data,
            **values,
            seed=seed,
            step=with_rate(rates.recipe.step, tried.lr),
            out=False,
            watch=0,
        )
        part = ss.data.load(data).train
        with torch.no_grad():
            outputs = run.network(part.x)
            loss = (
                F.mse_loss(outputs, part.y)
                if part.y.is_floating_point()
                else F.cross_entropy(outputs, part.y)
            )
        losses[tried.lr] = (
            float(loss)
            if run.summary["stop"]["rule"] != "not_finite" and math.isfinite(loss)
            else math.inf
        )
    return losses


@pytest.mark.parametrize(
    "step", ["sgd(lr=1.0)", "sgd(lr=1.0, momentum=0.9)", "sgd(lr=1.0, momentum=0.5, nesterov=True)"]
)
@pytest.mark.long
def test_the_edge_of_a_quadratic_is_where_theory_puts_it(step: str) -> None:
    data, eigenvalue = quadratic()
    m = {"sgd(lr=1.0)": 0.0, "sgd(lr=1.0, momentum=0.9)": 0.9}.get(step, 0.5)
    exact = 2 * (1 + m) / eigenvalue / (1 + 2 * m if "nesterov" in step else 1)
    rates = ss.find_learning_rate(
        data,
        predict="linear()",
        initialize="zeros()",
        loss="mean_squared_error()",
        step=step,
        repeat="full_batch()",
        stop="max_steps(300)",
        precision="float64",
    )
    assert rates.sharpness.eigenvalue == pytest.approx(eigenvalue, rel=1e-3)
    assert rates.sharpness.edge == pytest.approx(exact, rel=1e-3)
    for tried in rates.rates:
        assert abs(math.log(tried.lr / exact)) > 0.01, (
            "a rate too near the edge to tell; take other data"
        )
        assert (tried.label == "diverges") is (tried.lr > exact), tried
    assert rates.edge is not None
    assert exact < rates.edge <= exact * 10 ** (1 / 6) * 1.05
    assert rates.suggestion < exact


@pytest.mark.parametrize(
    ("data", "values"),
    [("digits", DIGITS), ('speed(scale="standardize")', SPEED)],
    ids=["digits", "speed"],
)
@pytest.mark.parametrize("step", ["sgd(lr=0.1)", "adam(lr=0.001)"])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.sampled(1)
def test_the_suggestion_is_as_good_as_the_best_of_all_trained_alone(
    data: str, values: dict[str, Any], step: str, seed: int
) -> None:
    rates = ss.find_learning_rate(data, **values, step=step, seed=seed)
    alone = trained_alone(rates, data, values, seed)
    assert len(alone) == 32
    assert alone[rates.suggestion] <= 1.1 * min(alone.values())
    assert rates.loss == pytest.approx(alone[rates.suggestion], rel=1e-5), (
        "not the training that the recipe is"
    )
    assert [r.train for r in rates.rates if r.label == "too low"] == pytest.approx(
        [alone[r.lr] for r in rates.rates if r.label == "too low"], rel=0.02
    )


@pytest.mark.long
def test_halving_goes_to_the_end_and_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FULL_LENGTH_WORK", 0)
    values = {**DIGITS, "stop": "epochs(10)"}
    rates = ss.find_learning_rate("digits", **values, step="sgd(lr=0.1)")
    assert [steps for _, steps in rates.stages] == [230 // 16, 230 // 4, 230]
    assert [count for count, _ in rates.stages][:2] == [32, 12]
    assert rates.full == rates.steps == 230
    assert {r.steps for r in rates.rates} == {14, 57, 230}
    alone = trained_alone(rates, "digits", values)
    assert alone[rates.suggestion] <= 1.1 * min(alone.values())
    for tried in rates.rates:
        if tried.steps == 230 and tried.label == "good":
            assert tried.train == pytest.approx(alone[tried.lr], rel=1e-5)


def test_a_recipe_that_would_take_minutes_is_searched_for_less_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "FULL_LENGTH_WORK", 0)
    monkeypatch.setattr(search, "MAX_WORK", 0)
    rates = ss.find_learning_rate("digits", **{**DIGITS, "stop": "epochs(10)"}, step="sgd(lr=0.1)")
    assert (rates.steps, rates.full) == (search.MIN_STEPS, 230)


@pytest.mark.parametrize(
    "values",
    [
        {"predict": "mlp(10)", "step": "sgd(lr=0.1)", "stop": "epochs(3)"},
        {
            "predict": "mlp(200)",
            "step": "adam(lr=0.001)",
            "repeat": "batches(256)",
            "stop": "epochs(2)",
        },
        {"predict": "cnn(4)", "step": "sgd(lr=0.1)", "stop": "max_steps(5)"},
    ],
    ids=["small", "wide", "cnn"],
)
@pytest.mark.sampled(1)
def test_it_leaves_no_trace(values: dict[str, Any]) -> None:
    def train() -> dict[str, torch.Tensor]:
        return ss.train("digits", **values, seed=3, out=False, watch=0).network.state_dict()

    without = train()
    generator, threads, grad = (
        torch.random.get_rng_state(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )
    numpy_state = np.random.get_state()[1]  # type: ignore[index]
    rates = ss.find_learning_rate("digits", **values, seed=3)
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, grad)
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # type: ignore[index]
    after = train()
    assert all(torch.equal(tensor, after[name]) for name, tensor in without.items())
    assert (
        ss.find_learning_rate("digits", **values, seed=3).to_dict()["rates"]
        == rates.to_dict()["rates"]
    )


def test_a_network_of_yours_is_not_trained_and_trains_one_by_one() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(64, 10),
            torch.nn.LogSigmoid(),
            torch.nn.Linear(10, 10),
        )
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    messages: list[str] = []
    rates = ss.find_learning_rate(
        "digits", predict=network, step="sgd(lr=0.1)", stop="max_steps(20)", report=messages.append
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert rates.loss < rates.start
    assert any("32 rates, 20 steps each" in line for line in messages)


@pytest.mark.parametrize("data", ["moons", "iris", "diabetes"])
@pytest.mark.parametrize("step", ["auto()", "rmsprop(lr=0.01)", "adagrad(lr=0.1)"])
@pytest.mark.sampled(3)
def test_every_kind_of_task_and_optimizer(data: str, step: str) -> None:
    rates = ss.find_learning_rate(data, step=step, predict="mlp(8)", stop="epochs(10)")
    assert rates.loss < rates.start
    assert rates.sharpness.edge is None
    assert "does not apply" in rates.sharpness.reading
    assert rates.good[0] <= rates.suggestion <= rates.good[1]
    assert next(r.label for r in rates.rates if r.lr == rates.suggestion) == "good"
    if step == "auto()":
        assert rates.recipe.step == adam(lr=one_cycle(rates.suggestion))
    json.dumps(rates.to_dict(), allow_nan=False)


@pytest.mark.long
def test_a_recipe_whose_stop_has_no_limit_takes_the_usual_number_of_steps() -> None:
    rates = ss.find_learning_rate(
        "iris", predict="linear()", step="sgd(lr=0.1)", stop="patience(3)"
    )
    per_epoch = (
        math.ceil(len(ss.data.load("iris").train) / rates.recipe.repeat.size)
        if hasattr(rates.recipe.repeat, "size")
        else None
    )
    assert rates.full is None
    assert per_epoch is None or rates.steps % per_epoch == 0
    assert rates.recipe.stop == stops.patience(3)


def test_the_recipe_of_the_answer_is_the_original_with_the_suggestion_in_place() -> None:
    original = ss.Recipe(
        "iris",
        predict="linear()",
        step=sgd(lr=cosine(0.1, final=0.01), momentum=0.5),
        stop="epochs(5)",
        seed=4,
    )
    rates = ss.find_learning_rate(original)
    schedule = rates.recipe.step.lr
    assert (schedule.lr, schedule.final) == (rates.suggestion, pytest.approx(rates.suggestion / 10))
    assert rates.recipe.step.momentum == 0.5
    assert (rates.recipe.seed, rates.recipe.predict, rates.recipe.stop) == (
        4,
        original.predict,
        original.stop,
    )
    assert repr(rates).startswith(f"<Rates for iris: {rates.suggestion:g} (")


@pytest.mark.long
def test_a_network_whose_units_die_at_every_rate_gets_a_note() -> None:
    rates = ss.find_learning_rate(
        "speed", predict="mlp(30)", step="sgd(lr=0.1)", stop="epochs(100)", seed=2
    )
    y = ss.data.load("speed").train.y
    assert rates.nothing == pytest.approx(float(y.var(unbiased=False)), rel=1e-4)
    assert rates.loss == pytest.approx(rates.nothing, rel=1e-3)  # it answers with the mean
    assert "a network that ignores its inputs" in dict(view.sentences(rates))["Note"]


@pytest.mark.sampled(1)
def test_a_linear_model_that_separates_its_classes_is_not_sent_to_infinity() -> None:
    """The loss of such a model has no minimum: the longer the steps, the nearer to 0."""
    rates = ss.find_learning_rate(
        "wine", predict="linear()", step="sgd(lr=0.1)", stop="max_steps(400)"
    )
    assert rates.sharpness.edge is not None
    assert rates.suggestion <= 10 * rates.sharpness.edge
    assert rates.loss <= 0.02 * rates.start
    assert rates.word == "sure"
    assert (
        "longer steps come nearer by larger weights alone" in dict(view.sentences(rates))["Trained"]
    )


def test_slopes_are_those_of_the_losses() -> None:
    rates = ss.find_learning_rate(
        "speed", predict="linear()", step="sgd(lr=0.1)", stop="epochs(20)"
    )
    finite = [r for r in rates.rates if math.isfinite(r.first)]
    exact = np.diff([r.first for r in finite]) / np.diff(np.log10([r.lr for r in finite]))
    assert rates.slopes[0] == pytest.approx(exact[0])
    assert min(exact[3], exact[4]) <= rates.slopes[4] <= max(exact[3], exact[4])  # type: ignore[operator]
    assert rates.slopes[-1] is None  # beside rates that diverged


@pytest.mark.parametrize(
    ("data", "values", "message"),
    [
        ("digits37", {"predict": "pixel_similarity()"}, "no trainable parameter"),
        ("digits37", {"predict": 'neuron(activation="step")'}, "perceptron's rule"),
        ("digits", {"stop": "epochs(0)"}, "takes no step"),
        ("digits", {"step": "sgd(lr=-1)"}, "lr must be above 0"),
    ],
)
def test_where_there_is_nothing_to_search_for(
    data: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ss.Error, match=message) as failure:
        ss.find_learning_rate(data, **values)
    assert "\n" not in str(failure.value)


def test_data_that_are_no_numbers_are_refused() -> None:
    x = torch.ones(20, 3)
    x[7, 1] = math.nan
    with pytest.raises(ss.Error, match="not finite"):
        ss.find_learning_rate(TensorDataset(x, torch.linspace(0, 1, 20)[:, None]))


def test_a_training_that_diverges_at_every_rate() -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 3, generator=draw) * 1e25, torch.randn(40, 1, generator=draw)
    with pytest.raises(ss.Error, match="diverges at every learning rate from"):
        ss.find_learning_rate(
            ss.data.from_arrays(x, y),
            predict="linear()",
            initialize="zeros()",
            step="sgd(lr=0.1)",
            stop="max_steps(10)",
        )


def test_a_training_that_no_rate_helps() -> None:
    class Nothing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1] * 0 * self.weight

    x, y = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    with pytest.raises(ss.Error, match=r"lowers the training loss of 0\.69"):
        ss.find_learning_rate(
            ss.data.from_arrays(x, y), predict=Nothing(), step="sgd(lr=0.1)", stop="max_steps(10)"
        )


def test_it_is_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ss.find_learning_rate("iris", predict="linear()", step="sgd(lr=0.1)", stop="epochs(2)")
    assert list(tmp_path.iterdir()) == []
