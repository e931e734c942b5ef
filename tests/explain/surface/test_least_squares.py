"""The least squares optimum of models that are linear in their parameters, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import sevensteps as ss
from sevensteps.explain.surface.answer import Surface
from tests.explain.surface.conftest import SPEED, surface_of


def test_the_optimum_is_that_of_numpy(speed: Surface) -> None:
    train = ss.data.load("speed").train
    t, y = train.x[:, 0].double().numpy(), train.y[:, 0].double().numpy()
    best = np.polyfit(t, y, 2)
    assert speed.optimum is not None
    assert speed.optimum.parameters == pytest.approx(best.tolist(), rel=1e-6)
    assert speed.optimum.loss == pytest.approx(
        float(((np.polyval(best, t) - y) ** 2).mean()), rel=1e-9
    )
    assert speed.optimum.noiseless == pytest.approx([0.75, -14.25, 68.6875], rel=1e-6)
    assert speed.optimum.terms == ("t²", "t", "1")
    own = ss.train("speed", **SPEED, out=False)
    weight, bias = own.network.state_dict().values()
    assert speed.optimum.own == pytest.approx([*weight[0].tolist(), float(bias)])
    assert speed.optimum.here == pytest.approx(speed.loss)


def test_the_optimum_of_scaled_data_in_their_own_units(speed: Surface) -> None:
    scaled = ss.train(
        'speed(scale="standardize", target_scale="standardize")',
        predict="polynomial(2)",
        step="sgd(lr=0.1)",
        stop="epochs(300)",
        out=False,
        watch=0,
    ).explain.surface()
    assert scaled.optimum is not None
    assert speed.optimum is not None
    assert scaled.optimum.unscaled["optimum"] == pytest.approx(speed.optimum.parameters, rel=1e-4)
    assert scaled.optimum.unscaled["without noise"] == pytest.approx(
        [0.75, -14.25, 68.6875], rel=1e-4
    )
    assert speed.optimum.unscaled == {}
    assert "In the inputs and targets as they were before scaling:" in str(scaled)


def test_the_curve_has_the_letters_of_the_book(speed: Surface) -> None:
    assert "as a t² + b t + c, the optimum has a = 0.769121, b = -14.5241, c = 68.1184" in str(
        speed
    )
    scaled = ss.train(
        'speed(scale="standardize")', **{**SPEED, "stop": "max_steps(1)"}, out=False
    ).explain.surface()
    own, standardised = (line for line in str(scaled).splitlines() if line.startswith("  as a "))
    assert own.endswith(
        "as a t² + b t + c, the optimum has a = 0.769121, b = -14.5241, c = 68.1184"
    )
    assert standardised.startswith("  as a z² + b z + c, the optimum has a = 26.9")
    z = "z = (t - 9.5) / 5.916"
    assert z in str(scaled)
    assert scaled.optimum is not None
    assert scaled.optimum.parameters[0] == pytest.approx(0.769121 * 5.916**2, rel=1e-3)


def test_standardised_inputs_reach_the_optimum_in_50_steps_and_raw_ones_do_not(
    speed: Surface,
) -> None:
    raw, standard = speed.race
    assert raw.condition == pytest.approx(218_451, rel=1e-3)
    assert standard.condition == pytest.approx(7.4, rel=0.01)
    assert raw.steps == standard.steps == 50
    best = ss.train(
        "speed(scale='standardize')",
        **{**SPEED, "step": f"sgd(lr={standard.lr!r})", "stop": "max_steps(50)"},
        out=False,
    )
    assert speed.optimum is not None
    assert standard.loss == pytest.approx(speed.optimum.loss, rel=1e-4)
    assert best.explain.surface().loss == pytest.approx(standard.loss, rel=1e-3)
    assert raw.loss > 50 * speed.optimum.loss


@pytest.mark.parametrize(
    "predict",
    [
        "neuron(bias='w0')",
        "polynomial(3)",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("neuron()", "linear()")),
    ],
)
@pytest.mark.sampled(1)
def test_the_optimum_of_every_model_that_is_linear_in_its_parameters(predict: str) -> None:
    run = ss.train(
        "speed(scale='standardize')",
        predict=predict,
        step="sgd(lr=0.1)",
        repeat="full_batch()",
        stop="epochs(1000)",
        loss="mean_squared_error()",
        precision="float64",
        out=False,
    )
    surface = run.explain.surface()
    assert surface.optimum is not None
    assert surface.optimum.here == pytest.approx(surface.optimum.loss, rel=1e-5)
    assert surface.optimum.distance == pytest.approx(0, abs=0.05)


def test_a_table_by_its_features() -> None:
    surface = surface_of("diabetes", predict="linear()", step="sgd(lr=0.01)")
    data = ss.data.load("diabetes").train
    x = np.concatenate([data.x.double().numpy(), np.ones((len(data), 1))], 1)
    y = data.y.double().numpy()
    best, left = np.linalg.lstsq(x, y, rcond=None)[:2]
    assert surface.optimum is not None
    assert surface.optimum.parameters == pytest.approx(best[:, 0].tolist(), rel=1e-6)
    assert surface.optimum.loss == pytest.approx(float(left[0]) / len(x), rel=1e-9)
    assert surface.optimum.terms[:3] == ("age", "sex", "bmi")
    assert surface.eigenvalues == pytest.approx(
        sorted(np.linalg.eigvalsh(2 * x.T @ x / len(x)), reverse=True), rel=1e-6
    )
    assert "standardising changes little here" in surface.text()
