"""Changes carried out on the benchmark's loop, against what the same loop written by hand does; and
what counts as proven and as cured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor import remedies
from benchmarks.doctor.change import Stopped, apply
from benchmarks.doctor.loop import Setup, run, score
from benchmarks.doctor.networks import Functional, dense
from benchmarks.doctor.remedies import CURED, curable, cures, fresh, report, trial_seed, turn

pytestmark = pytest.mark.draws  # as every loop of PyTorch


def classes(model: nn.Module | None = None, **settings: Any) -> Setup:
    """Which of three numbers is the largest."""
    torch.manual_seed(0)
    x = torch.randn(60, 3)
    model = model or dense(3, 8, 3)
    pair = x, x.argmax(1)
    return Setup(
        model,
        torch.optim.SGD(model.parameters(), lr=0.5),
        F.cross_entropy,
        pair,
        pair,
        **{"batch": 20, "epochs": 4, **settings},
    )


def numbers(
    y: Callable[[Tensor], Tensor], model: nn.Module | None = None, **settings: Any
) -> Setup:
    """Targets y(x) of three inputs."""
    setup = classes(model or dense(3, 8, 1), **settings)
    setup.loss_fn, x = F.mse_loss, setup.train[0]
    setup.train = setup.valid = x, y(x)
    return setup


def yes(x: Tensor) -> Tensor:
    return (x.sum(1) > 0).float()


def test_a_step_is_a_new_optimizer_of_all_parameters() -> None:
    setup = classes(step=False)
    setup.optimizer = torch.optim.SGD(setup.model[2].parameters(), lr=0.1, maximize=True)
    apply(setup, {"step": "adam(lr=0.02, weight_decay=0.1)"})
    assert type(setup.optimizer) is torch.optim.Adam
    (group,) = setup.optimizer.param_groups
    assert (group["lr"], group["weight_decay"], group["maximize"]) == (0.02, 0.1, False)
    assert [*map(id, group["params"])] == [*map(id, setup.model.parameters())]
    assert setup.step


@pytest.mark.parametrize(
    ("change", "rates"),
    [
        (
            {"step": "sgd(lr=0.05)"},
            [0.05, 0.005, 0.0005],
        ),  # another rate: the schedule stays, from there
        ({"predict": "mlp(5)"}, [0.5, 0.05, 0.005]),  # another network
        ({"step": "sgd(lr=0.5)"}, None),
        ({"step": "sgd(lr=0.05, momentum=0.9)"}, None),
        ({"step": "adam(lr=0.05)"}, None),
    ],
)
def test_a_schedule_stays_where_the_rate_alone_is_another(
    change: dict[str, str], rates: list[float] | None
) -> None:
    setup = classes()
    setup.scheduler = torch.optim.lr_scheduler.StepLR(setup.optimizer, 1, 0.1)
    apply(setup, change)
    if rates is None:
        assert setup.scheduler is None
        return
    seen = []
    for _ in rates:
        seen.append(setup.optimizer.param_groups[0]["lr"])
        setup.optimizer.step()
        setup.scheduler.step()
    assert seen == pytest.approx(rates)


def test_weights_are_initialised_from_the_seed_and_biases_are_0() -> None:
    first, same, other = (classes(dense(300, 200, 10)) for _ in range(3))
    for setup, seed in ((first, 1), (same, 1), (other, 2)):
        apply(setup, {"initialize": "kaiming_normal()"}, seed)
    weight = first.model[0].weight.detach()
    assert float(weight.std()) == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert not first.model[0].bias.any()
    assert torch.equal(weight, same.model[0].weight)
    assert not torch.equal(weight, other.model[0].weight)


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid(), nn.ReLU(), None])
def test_the_loss_of_classes_is_cross_entropy_of_logits(end: nn.Module | None) -> None:
    setup = classes(dense(3, 8, 3, end=end))
    setup.loss_fn = lambda o, t: -F.cross_entropy(o, t, reduction="sum")
    apply(setup, {"loss": "auto()"})
    assert [type(layer) for layer in setup.model] == [nn.Linear, nn.ReLU, nn.Linear]
    output, (_, y) = setup.model(setup.train[0]).detach(), setup.train
    by_hand = -(output.exp() / output.exp().sum(1, keepdim=True))[torch.arange(60), y].log().mean()
    assert float(setup.loss_fn(output, y)) == pytest.approx(float(by_hand), rel=1e-5)


@pytest.mark.parametrize("coded", [yes, lambda x: yes(x)[:, None], lambda x: 2 * yes(x) - 1])
def test_two_answers_are_judged_by_binary_cross_entropy_whatever_their_shape_and_coding(
    coded: Callable[[Tensor], Tensor],
) -> None:
    setup = numbers(coded, dense(3, 8, 1, end=nn.Sigmoid()), epochs=30)
    setup.decide = lambda o: (o.reshape(-1) > 0.5).long()
    apply(setup, {"loss": "auto()", "step": "adam(lr=0.1)"})
    x, y = setup.train
    with torch.no_grad():
        p = setup.model(x).sigmoid()
    by_hand = -torch.where(yes(x)[:, None] == 1, p, 1 - p).log().mean()
    assert float(setup.loss_fn(setup.model(x), y).detach()) == pytest.approx(
        float(by_hand), rel=1e-5
    )
    assert run(setup, 0, watch=False).score > 0.9
    assert score(setup) == float(((setup.model(x)[:, 0] > 0) == (yes(x) == 1)).double().mean())


def test_squared_errors_compare_each_output_with_its_own_target() -> None:
    setup = numbers(lambda x: x @ torch.tensor([1.0, 2.0, 3.0]), dense(3, 8, 1, end=nn.Sigmoid()))
    apply(setup, {"loss": "mean_squared_error()"})
    x, y = setup.train
    output = setup.model(x).detach()
    assert float(setup.loss_fn(output, y)) == pytest.approx(
        float((output[:, 0] - x @ torch.tensor([1.0, 2, 3])).square().mean()), rel=1e-5
    )


def test_class_numbers_that_were_regressed_get_an_output_each() -> None:
    setup = numbers(lambda x: x.argmax(1).float()[:, None], epochs=30)
    setup.decide = lambda o: o.round().long().reshape(-1)
    apply(setup, {"loss": "cross_entropy()", "step": "adam(lr=0.1)"})
    assert setup.model[-1].out_features == 3
    assert setup.train[1].dtype == torch.int64
    assert run(setup, 0, watch=False).score > 0.9


def test_gradients_are_cleared_and_clipped() -> None:
    setup = classes(clear=False, clear_after=True, clip=3.0)
    apply(setup, {"gradient": "auto(clip=0.5)"})
    assert (setup.clear, setup.clear_after, setup.clip) == (True, False, 0.5)
    apply(setup, {"gradient": "auto()"})
    assert setup.clip is None


def test_batches_and_epochs() -> None:
    setup = classes(shuffle=False)
    apply(setup, {"repeat": "batches(7)", "stop": "max_steps(20)"})
    assert (setup.batch, setup.shuffle, setup.epochs) == (7, True, 3)  # 9 batches an epoch
    apply(setup, {"repeat": "full_batch()", "stop": "epochs(5)"})
    assert (setup.batch, setup.epochs) == (60, 5)


def test_patience_ends_with_the_weights_of_the_best_epoch() -> None:
    setup = classes(epochs=50, batch=60)
    rates = iter([0.5, 0.5, -0.5, -0.5, -0.5])  # two epochs downhill, then uphill
    losses, weights = [], []

    def on_step(held: Setup, step: int) -> None:
        with torch.no_grad():
            losses.append(float(F.cross_entropy(held.model(held.valid[0]), held.valid[1])))
        weights.append(held.model[0].weight.detach().clone())
        held.optimizer.param_groups[0]["lr"] = next(rates)

    setup.on_step = on_step
    apply(setup, {"stop": "epochs(50) | patience(2)"})
    with pytest.raises(Stopped):
        run(setup, 0, watch=False)
    best = losses.index(min(losses))
    assert len(losses) == best + 3
    assert torch.equal(setup.model[0].weight, weights[best])


def test_another_network_keeps_inputs_outputs_closing_layer_and_optimizer() -> None:
    setup = classes(dense(3, 4, 3, activation=nn.Sigmoid, end=nn.LogSoftmax(1)))
    setup.optimizer = torch.optim.SGD(setup.model.parameters(), lr=0.3, momentum=0.8)
    apply(setup, {"predict": "mlp(16, 5)", "initialize": "kaiming_normal()"})
    assert [type(layer) for layer in setup.model] == [
        nn.Linear,
        nn.ReLU,
        nn.Linear,
        nn.ReLU,
        nn.Linear,
        nn.LogSoftmax,
    ]
    assert [layer.weight.shape for layer in setup.model if isinstance(layer, nn.Linear)] == [
        (16, 3),
        (5, 16),
        (3, 5),
    ]
    (group,) = setup.optimizer.param_groups
    assert (group["lr"], group["momentum"], len(group["params"])) == (0.3, 0.8, 6)


def test_data_are_standardised_by_what_the_training_part_has() -> None:
    setup = numbers(lambda x: 100 * x.sum(1, keepdim=True) + 7)
    x, y = setup.train
    x = torch.cat([1000 * x + 5, torch.ones(60, 1)], 1)
    setup.train, setup.valid = (x[:40], y[:40]), (x[40:], y[40:])
    apply(setup, {"data": "standardize()"})
    means, spreads = x[:40].mean(0), x[:40].std(0)
    spreads[3] = 1
    torch.testing.assert_close(setup.valid[0], (x[40:] - means) / spreads, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        setup.valid[1], (y[40:] - y[:40].mean()) / y[:40].std(), atol=1e-5, rtol=1e-4
    )


def test_answers_are_not_standardised() -> None:
    setup = numbers(lambda x: yes(x)[:, None])
    apply(setup, {"data": "standardize()"})
    assert set(setup.train[1].flatten().tolist()) == {0.0, 1.0}


def test_samples_that_are_no_numbers_are_left_out() -> None:
    setup = classes()
    x, y = setup.train
    x = x.clone()
    x[5, 1] = float("nan")
    setup.train = x, y
    apply(setup, {"data": "finite()"})
    assert torch.equal(setup.train[0], torch.cat([x[:5], x[6:]]))
    assert torch.equal(setup.train[1], torch.cat([y[:5], y[6:]]))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"predict": "mlp(8)"}, "where it is written"),
        ({"loss": "auto()"}, "in its own code"),
        ({"data": "shuffle()"}, "no change of"),
        ({"gradient": "finite_differences()"}, "by autograd"),
        ({"step": "sgd(lr=cosine(0.1))"}, "constant rate"),
        ({"stop": "seconds(3)"}, "not a rule"),
        ({"weather": "rain()"}, "known: data"),
        ({"initialize": "class_means()"}, "cannot fill"),
        ({"step": "sgd(lr=-1)"}, "above 0"),
    ],
)
def test_what_cannot_be_done_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        apply(classes(Functional(3, 8)), change)


def test_no_seed_of_a_trial_is_fresh() -> None:
    tried = [trial_seed(seed, index) for seed in range(20) for index in range(5)]
    judged = [other for seed in range(20) for other in fresh(seed)]
    assert len({*tried, *judged}) == len(tried) + len(judged)
    assert [trial_seed(seed, 0) for seed in range(20)] == [*range(20)]


def run_of(
    name: str, untouched: float, remedied: float, twin: float, **more: Any
) -> dict[str, Any]:
    trial = {
        "condition": "learning_rate_too_high",
        "change": {"step": "sgd(lr=0.1)"},
        "difference": 0.5,
        "interval": [0.4, 0.6],
    }
    return {
        "name": name,
        "seed": 0,
        "shown": True,
        "untouched": untouched,
        "remedied": remedied,
        "twin": twin,
        "proven": trial,
        **more,
    }


@pytest.mark.parametrize(
    ("untouched", "remedied", "twin", "cured"),
    [
        (0.1, 0.55, 0.9, True),
        (0.1, 0.45, 0.9, False),
        (0.80, 0.825, 0.84, False),  # half of the way, but too little to show
        (-1.0, 0.4, 0.9, False),
    ],
)
def test_a_cure_is_half_of_the_way_and_shows(
    untouched: float, remedied: float, twin: float, cured: bool
) -> None:
    assert cures(run_of("MNIST: SGD 10", max(untouched, 0.0), remedied, twin)) is cured


def test_the_report_counts_curable_faults() -> None:
    lines = "\n".join(
        report(
            [
                run_of("MNIST: SGD 10", 0.1, 0.8, 0.8),
                run_of("MNIST: SGD 1e-5", 0.1, 0.2, 0.8),
                run_of(
                    "MNIST: zero weights",
                    0.1,
                    0.1,
                    0.8,
                    proven=None,
                    trials=[],
                    findings=[
                        {
                            "condition": "symmetric_units",
                            "severity": "error",
                            "remedies": [{"change": {}}],
                        }
                    ],
                ),
                run_of("MNIST: random labels", 0.1, 0.8, 0.8),
                run_of("MNIST: sorted", 0.79, 0.8, 0.8),
                {"name": "MNIST: no step", "seed": 0, "shown": False},
            ],
            1,
            60.0,
            30.0,
        )
    )
    assert "5 faulty runs in which the fault shows, of 6 (1 seed each), 3 of them curable" in lines
    assert "| curable faults with a proven remedy | 2 of 3 (66.7 %) | 85 % | **missed** |" in lines
    assert (
        f"that cure on five fresh seeds | 1 of 2 (50.0 %) | {100 * CURED:.0f} % | **missed** |"
        in lines
    )
    assert (
        "| MNIST: SGD 1e-5 | 0 | learning_rate_too_high | step=sgd(lr=0.1) | +0.500 (+0.400 to "
        "+0.600) | 0.100 → 0.200 | 0.800 | "
        "**no** |" in lines
    )
    assert (
        "| MNIST: random labels | 0 | learning_rate_too_high | step=sgd(lr=0.1) | +0.500 (+0.400 "
        "to +0.600) | 0.100 → 0.800 | 0.800 | "
        "not counted |" in lines
    )
    assert "| MNIST: zero weights | 0 | yes | symmetric_units: advice only |" in lines
    assert (
        "not curable, the cured twin is not 0.03 better on the fresh seeds: MNIST: sorted" in lines
    )


@pytest.mark.slow
def test_a_rate_that_is_too_low_is_proven_and_cured(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first step to the verdict, on a small case of its own."""
    from benchmarks.doctor import cases
    from benchmarks.doctor.loop import Case

    def build(seed: int) -> Setup:
        setup = classes(dense(3, 16, 3), epochs=15)
        torch.manual_seed(seed)
        x = torch.randn(400, 3)
        setup.train, setup.valid = (x[:200], x[:200].argmax(1)), (x[200:], x[200:].argmax(1))
        setup.optimizer = torch.optim.SGD(setup.model.parameters(), lr=1e-5)
        return setup

    monkeypatch.setitem(
        cases.CASES, "slow", Case("slow", "faulty", ("learning_rate_too_low",), build, twin="fast")
    )
    threads = torch.get_num_threads()
    try:
        found = turn("slow", 0, [0.95] * 5, [0.95] * 5, 30.0)
    finally:
        torch.set_num_threads(threads)
    assert "failure" not in found
    assert found["proven"]["condition"] == "learning_rate_too_low"
    assert not curable(found)
    assert cures(found)


def test_a_change_that_cannot_be_made_is_refused_by_name() -> None:
    from sevensteps.errors import ArgumentError

    with pytest.raises(ArgumentError, match="no optimizer"):
        remedies.score("xor: softmax over one unit", {"step": "sgd(lr=cosine(0.1))"}, 0)
