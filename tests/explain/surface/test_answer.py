"""The loss surface against closed forms, NumPy, PyTorch and trainings of their own."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch.nn.utils import parameters_to_vector

import sevensteps as ss
from sevensteps.api.explain import explain
from sevensteps.errors import ArgumentError
from sevensteps.explain.surface.answer import Surface
from tests.explain.oracles import hessian
from tests.explain.surface.conftest import SPEED, surface_of

# -- the speed example -----------------------------------------------------------------------------


def test_the_curvature_of_the_speed_example(speed: Surface) -> None:
    assert speed.eigenvalues == pytest.approx([56499, 15.98, 0.2586], rel=1e-3)
    assert speed.condition == pytest.approx(218_451, rel=1e-3)
    assert speed.stable == pytest.approx(3.54e-5, rel=1e-3)
    assert speed.slowest == pytest.approx(386_600, rel=1e-3)
    assert speed.at_start == pytest.approx(speed.eigenvalues[0]), (
        "a quadratic is as curved everywhere"
    )
    assert speed.exact
    assert (speed.samples, speed.total) == (20, 20)


@pytest.mark.parametrize(("factor", "falls"), [(0.98, True), (1.02, False)])
def test_the_largest_stable_rate_is_one(factor: float, falls: bool, speed: Surface) -> None:
    run = ss.train(
        "speed",
        **{**SPEED, "step": ss.sgd(lr=factor * speed.stable), "stop": "epochs(200)"},
        precision="float64",
        out=False,
    )
    assert (run.history[-1]["train"]["loss"] < run.history[20]["train"]["loss"]) is falls


def test_the_text_has_the_numbers(speed: Surface) -> None:
    text = speed.text(80)
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 40
    for figure in (
        "56,499",
        "15.98",
        "0.2586",
        "218,451",
        "3.54e-05",
        "386,600",
        "0.75 t² - 14.25 t + 68.6875",
        "7.438",
    ):
        assert figure in text


def test_a_quadratic_predicts_every_step(speed: Surface) -> None:
    assert speed.predicted == pytest.approx(speed.measured, rel=1e-9)
    longer = ss.train("speed", **{**SPEED, "stop": "epochs(60)"}, precision="float64", out=False)
    # which is that before the last step
    assert speed.measured[49] == pytest.approx(longer.history[-1]["train"]["loss"], rel=1e-4)


# -- other trainings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        ("iris", {"predict": "mlp(5, activation='tanh')"}),
        ("circles", {"predict": "mlp(4, activation='sigmoid')"}),
        ("diabetes", {"predict": "mlp(4)"}),
    ],
)
@pytest.mark.sampled(1)
def test_the_hessian_of_a_network_is_that_of_pytorch(data: str, steps: dict[str, str]) -> None:
    run = ss.train(data, **steps, stop="epochs(3)", out=False)
    surface, subject = run.explain.surface(), run.explain.subject
    x, y = subject.part("train", torch.float64)
    exact = hessian(subject.engine().network, subject.loss, x, y)
    assert surface.eigenvalues == pytest.approx(
        torch.linalg.eigvalsh(exact).flip(0).tolist(), rel=1e-6, abs=1e-9
    )
    assert surface.optimum is None


def test_the_next_steps_of_a_network_are_measured() -> None:
    run = ss.train(
        "circles",
        predict="mlp(8, activation='tanh')",
        step="sgd(lr=0.5)",
        repeat="full_batch()",
        stop="epochs(3)",
        precision="float64",
        out=False,
    )
    surface = run.explain.surface()
    longer = ss.train(
        "circles",
        predict="mlp(8, activation='tanh')",
        step="sgd(lr=0.5)",
        repeat="full_batch()",
        stop="epochs(53)",
        precision="float64",
        out=False,
    )
    assert surface.rate == 0.5
    assert list(surface.measured[:50]) == pytest.approx(
        [row["train"]["loss"] for row in longer.history[3:]], rel=1e-9
    )
    assert surface.predicted[1] == pytest.approx(surface.measured[1], rel=1e-3)
    assert surface.predicted[0] == surface.measured[0]


@pytest.mark.long
def test_a_large_network_by_lanczos(monkeypatch: pytest.MonkeyPatch) -> None:
    from sevensteps.explain.surface import answer as module

    run = ss.train("digits", predict="mlp(4)", stop="epochs(2)", out=False)  # 310 parameters
    exact = run.explain.surface()
    monkeypatch.setattr(module, "EXACT_PARAMETERS", 100)
    surface = run.explain.surface()
    assert exact.exact
    assert not surface.exact
    assert len(surface.eigenvalues) == 3
    assert surface.eigenvalues[:2] == pytest.approx(exact.eigenvalues[:2], rel=2e-3)
    assert surface.eigenvalues[2] == pytest.approx(
        exact.eigenvalues[-1], abs=4e-3 * exact.eigenvalues[0]
    )
    assert "Lanczos" in surface.text()


def test_fewer_samples_are_looked_at_where_all_would_take_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sevensteps.explain.surface import answer as module

    monkeypatch.setattr(module, "MAX_MULTIPLICATIONS", 1e7)
    surface = surface_of("digits", predict="mlp(4)")
    assert surface.samples < surface.total == 1438
    assert f"over {surface.samples:,} of the 1,438 training samples" in " ".join(
        surface.text().split()
    )


def test_no_condition_number_where_the_loss_curves_down_or_one_direction_is_curved() -> None:
    saddle = surface_of("iris", predict="mlp(5, activation='tanh')")
    assert saddle.eigenvalues[-1] < 0
    assert saddle.condition is None
    assert "no condition number" in saddle.text()
    flat = surface_of("xor", predict="mlp(3)", initialize="zeros()", step="sgd(lr=0.1)")
    assert flat.condition is None
    assert flat.flat == len(flat.eigenvalues) - 1
    assert flat.eigenvalues[0] == pytest.approx(0.25), "only the output bias is curved: p (1 - p)"


def test_a_loss_of_straight_pieces_allows_any_rate() -> None:
    surface = surface_of(
        "speed", predict="linear()", loss="mean_absolute_error()", step="sgd(lr=0.01)"
    )
    assert math.isinf(surface.stable)
    assert surface.plane is None
    assert "No direction curves upwards" in surface.text()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({"predict": "neuron('step')", "loss": "mean_absolute_error()"}, "step activation"),
        (
            {"predict": "pixel_similarity()", "data": "digits37", "stop": "epochs(0)"},
            "no trained parameter",
        ),
    ],
)
def test_what_has_no_surface_is_refused_in_one_line(steps: dict[str, str], message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as raised:
        surface_of(**{"data": "xor", **steps})
    assert "\n" not in str(raised.value)


def test_asking_changes_nothing() -> None:
    run = ss.train(
        "circles", predict="mlp(4, dropout=0.5, batch_norm=True)", stop="epochs(2)", out=False
    )
    before, mode = (
        {name: tensor.clone() for name, tensor in run.network.state_dict().items()},
        run.network.training,
    )
    vector = parameters_to_vector(run.network.parameters()).clone()
    run.explain.surface()
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in run.network.state_dict().items()
    )
    assert torch.equal(vector, parameters_to_vector(run.network.parameters()))
    assert run.network.training == mode


def test_its_dictionary_has_all_fields(speed: Surface) -> None:
    numbers = speed.to_dict()
    assert {field.name for field in dataclasses.fields(Surface)} <= set(numbers)
    assert numbers["condition"] == speed.condition
    assert numbers["stable"] == speed.stable


@pytest.mark.slow
def test_mnist37_under_ten_seconds(mnist_dir: Any) -> None:
    import time

    run = ss.train("mnist37", predict="mlp(30)", stop="epochs(3)", data_dir=mnist_dir, out=False)
    began = time.process_time()
    surface = explain(run, data_dir=mnist_dir).surface()
    assert time.process_time() - began < 20  # of one processor, or two; it is 3 s of one
    assert not surface.exact
    assert surface.eigenvalues[0] > 0
