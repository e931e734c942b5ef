"""Changes of a recipe: a step replaced, data scaled anew, and one drawn at random that is no larger
than the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import sevensteps as ss
from sevensteps.data import Data, from_arrays
from sevensteps.data.scaling import Scaling
from sevensteps.doctor.trials.changes import (
    TRIES,
    Change,
    changed,
    random_change,
    random_change_of,
    rescale,
    with_arguments,
)
from sevensteps.errors import ArgumentError, NotationError
from sevensteps.steps import STEPS, parse
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve

VALUES = {
    "initialize": "zeros()",
    "predict": "mlp(7)",
    "loss": "hinge()",
    "gradient": "autograd(clip=1.0)",
    "step": "sgd(lr=0.2)",
    "repeat": "batches(20)",
    "stop": "epochs(1) | patience(3)",
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def table() -> Data:
    """A regression of three columns from -300 to 3,000, one of them always the same, with a target
    of thousands; a share to judge by.
    """
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 3)) * [1.0, 100.0, 0.0] + [0.0, 2000.0, 7.0]
    return from_arrays(x, 5000 + 40 * x[:, 0] + 3 * x[:, 1], seed=1)


# -- a step ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_one_step_is_replaced_and_nothing_else(step: str) -> None:
    recipe = Recipe(
        "xor", predict="mlp(4)", step="sgd(lr=0.1)", seed=5, threads=1, precision="float64"
    )
    made = changed(recipe, {step: VALUES[step]})
    assert made == replace(recipe, **{step: parse(step, VALUES[step])})
    assert recipe == Recipe(
        "xor", predict="mlp(4)", step="sgd(lr=0.1)", seed=5, threads=1, precision="float64"
    )


def test_several_at_once_or_none() -> None:
    assert changed(Recipe("xor"), VALUES) == Recipe("xor", **VALUES)  # type: ignore[arg-type]
    assert changed(Recipe("xor", **VALUES), {}) == Recipe("xor", **VALUES)  # type: ignore[arg-type]
    assert changed(Recipe("xor"), {"data": "finite()"}) == Recipe("xor")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": "sgd(lr=0.1)"},
            "a change names one of initialize, .*, stop or data, not 'steps'",
        ),
        ({"step": "sdg(lr=0.1)"}, "step has no 'sdg'; did you mean 'sgd'?"),
        ({"step": "sgd(lr=-1)"}, "lr must be above 0"),
        (
            {"data": "whiten()"},
            'a change of the data is "standardize\\(\\)", "unit\\(\\)" or "finite\\(\\)", not '
            "'whiten",
        ),
        ({"step": "__import__('os')"}, "step has no '__import__'"),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(change: Change, message: str) -> None:
    with pytest.raises(NotationError, match=message) as refused:
        changed(Recipe("xor"), change)
    assert "\n" not in str(refused.value)


# -- the data --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "wanted"),
    [
        ("speed", "standardize()", 'speed(scale="standardize", target_scale="standardize")'),
        (
            "speed(noise=1.0)",
            "standardize()",
            'speed(noise=1.0, scale="standardize", target_scale="standardize")',
        ),
        ("speed", "unit()", 'speed(scale="unit")'),  # targets stay as they are
        ("digits", "standardize()", 'digits(scale="standardize")'),
        (
            'diabetes(scale="none", target_scale="none", seed=3)',
            "standardize()",
            'diabetes(scale="standardize", seed=3)',
        ),
        ("mnist", "standardize()", 'mnist(scale="standardize")'),  # without reading a file
    ],
)
def test_data_by_name_stay_a_name(name: str, change: str, wanted: str) -> None:
    assert changed(Recipe(name), {"data": change}) == Recipe(wanted)
    assert rescale(wanted, change) == wanted  # once is enough


def test_arrays_are_standardised_by_what_the_training_part_shows() -> None:
    data = table()
    made = changed(Recipe(data), {"data": "standardize()"}).data
    assert isinstance(made, Data)
    for column in (0, 1):
        mean, std = data.train.x[:, column].double().mean(), data.train.x[:, column].double().std()
        assert made.train.x[:, column].mean().item() == pytest.approx(0, abs=1e-5)
        assert made.train.x[:, column].std().item() == pytest.approx(1, abs=1e-5)
        # the judges are measured with the training part's numbers, not with their own
        assert torch.allclose(
            made.valid.x[:, column].double(),
            (data.valid.x[:, column].double() - mean) / std,
            atol=1e-4,
        )
        assert abs(made.valid.x[:, column].mean().item()) > 1e-3
    assert not made.train.x[:, 2].any()  # what does not vary is not divided by 0
    assert (made.train.y.mean().item(), made.train.y.std().item()) == (
        pytest.approx(0, abs=1e-4),
        pytest.approx(1, abs=1e-4),
    )
    mean, std = data.train.y.double().mean(), data.train.y.double().std()
    assert torch.allclose(made.valid.y.double(), (data.valid.y.double() - mean) / std, atol=1e-3)
    assert made.source == data.source == "arrays"
    assert data.train.x[:, 1].mean() > 1000  # those given are as they were


def test_the_largest_number_becomes_one() -> None:
    made = rescale(table(), "unit()")
    assert isinstance(made, Data)
    assert made.train.x.abs().amax(0).tolist() == pytest.approx([1, 1, 1])
    assert torch.equal(made.train.y, table().train.y)


def test_classes_stay_classes() -> None:
    data = ss.data.load("iris(scale='none')")
    made = rescale(data, "standardize()")
    assert isinstance(made, Data)
    assert torch.equal(made.train.y, data.train.y)
    assert made.train.x.std(0).tolist() == pytest.approx([1] * 4, abs=1e-4)
    assert made.target_scaling.name == "none"


@pytest.mark.parametrize("name", ["speed", "iris(scale='none')", "wine", "circles", "digits"])
def test_loaded_data_are_named_as_what_loads_the_changed_ones(name: str) -> None:
    made = rescale(ss.data.load(name), "standardize()")
    assert isinstance(made, Data)
    again = ss.data.load(made.source)
    assert made.source != name
    for part in ("train", "valid"):
        assert torch.allclose(getattr(made, part).x, getattr(again, part).x, atol=1e-5)
        assert torch.allclose(
            getattr(made, part).y.double(), getattr(again, part).y.double(), atol=1e-5
        )


@pytest.mark.parametrize(
    ("first", "change"),
    [
        ("none", "standardize()"),
        ("standardize", "standardize()"),
        ("unit", "standardize()"),
        ("standardize", "unit()"),
    ],
)
def test_one_scaling_after_the_other_is_one_scaling_of_raw_numbers(first: str, change: str) -> None:
    draw = np.random.default_rng(1)
    x, raw = draw.normal(size=(200, 4)) * 30 + 500, draw.normal(size=(50, 4)) * 30 + 500
    y = x.sum(1) * 1000.0
    before = from_arrays(
        x, y, scale=first, target_scale="standardize" if first != "none" else "none"
    )
    made = rescale(before, change)
    assert isinstance(made, Data)

    def directly(numbers: Any, scaling: Scaling) -> Tensor:
        return (torch.as_tensor(numbers, dtype=torch.float64) - scaling.offset) / scaling.scale

    # twice by hand: by the old scaling, then by what the training part of the old data shows
    once = directly(raw, before.scaling)
    train = before.train.x.double()
    twice = (
        (once - train.mean(0)) / train.std(0)
        if change == "standardize()"
        else once / train.abs().amax(0)
    )
    assert torch.allclose(made.scaling(torch.as_tensor(raw)).double(), twice, atol=1e-4)
    targets = directly(y, before.target_scaling)
    if change == "standardize()":
        y_train = before.train.y.double()
        targets = (targets - y_train.mean()) / y_train.std()
    assert torch.allclose(directly(y, made.target_scaling), targets, atol=1e-4)
    assert torch.allclose(
        made.target_scaling.undo(targets[:, None]), torch.as_tensor(y)[:, None].float(), rtol=1e-4
    )
    assert made.target_scaling.name == (
        "none" if first == "none" and change == "unit()" else "standardize"
    )


def test_a_run_on_scaled_data_answers_raw_inputs_in_raw_units() -> None:
    draw = np.random.default_rng(2)
    x = draw.uniform(1000, 2000, size=(400, 2))
    y = 3 * x[:, 0] - 2 * x[:, 1] + 10_000
    recipe = Recipe(
        from_arrays(x, y),
        predict="linear()",
        step="sgd(lr=0.1)",
        stop="epochs(60)",
        repeat="batches(32)",
    )
    run = ss.train(changed(recipe, {"data": "standardize()"}), out=False, progress=False)
    asked = np.array([[1100.0, 1900.0], [2000.0, 1000.0], [1500.0, 1500.0]])
    assert run.predict(asked).answers == pytest.approx(
        (3 * asked[:, 0] - 2 * asked[:, 1] + 10_000).tolist(), rel=1e-3
    )


# -- at random -------------------------------------------------------------------------------------


def drawn(held: Mapping[str, str], change: Change, count: int = 60) -> list[Change | None]:
    values = {step: parse(step, text) for step, text in held.items()}
    draw = generator()
    return [random_change(values, change, draw) for _ in range(count)]


@pytest.mark.parametrize(
    ("old", "new", "low", "high"),
    [
        ("sgd(lr=10.0)", "sgd(lr=0.1)", 0.1, 1000),
        ("sgd(lr=0.1)", "sgd(lr=10.0)", 0.001, 10),
        ("sgd(lr=10)", "sgd(lr=0.1)", 0.1, 1000),  # a whole number where any can stand
        ("adam(lr=one_cycle(10.0))", "adam(lr=one_cycle(0.1))", 0.1, 1000),
        ("sgd(lr=0.2, momentum=0.9)", "sgd(lr=0.1, momentum=0.9)", 0.1, 0.4),
    ],
)
def test_a_rate_is_moved_no_further_than_the_remedy_moves_it(
    old: str, new: str, low: float, high: float
) -> None:
    found = [change["step"] for change in drawn({"step": old}, {"step": new}) if change is not None]
    values = [parse("step", text) for text in found]
    rates = [float(getattr(value.lr, "lr", value.lr)) for value in values]
    assert len(found) == 60
    assert low <= min(rates)
    assert max(rates) <= high
    assert min(rates) < parse_rate(old) < max(rates)  # both ways
    before, after = parse("step", old), parse("step", new)
    assert before not in values
    assert after not in values
    # nothing else is changed
    assert {repr(with_arguments(value, lr=before.lr)) for value in values} == {repr(before)}


def parse_rate(text: str) -> float:
    lr = parse("step", text).lr
    return float(getattr(lr, "lr", lr))


@pytest.mark.parametrize(
    ("step", "old", "new", "read", "low", "high"),
    [
        ("repeat", "batches(2)", "batches(32)", lambda value: value.size, 1, 32),
        ("predict", "mlp(10)", "mlp(40)", lambda value: value.widths[0], 2, 40),
        ("predict", "mlp(10, 20)", "mlp(40, 80)", lambda value: value.widths[0], 2, 40),
        ("predict", "cnn(4)", "cnn(16)", lambda value: value.channels[0], 1, 16),
        (
            "predict",
            "cnn(4, dropout=0.1)",
            "cnn(4, dropout=0.4)",
            lambda value: value.dropout,
            0.025,
            0.4,
        ),
        ("stop", "epochs(10)", "epochs(50)", lambda value: value.count, 2, 50),
    ],
)
def test_so_are_sizes(step: str, old: str, new: str, read: Any, low: float, high: float) -> None:
    found = [
        parse(step, change[step])
        for change in drawn({step: old}, {step: new})
        if change is not None
    ]
    assert len(found) > 50
    assert all(low <= read(value) <= high for value in found)
    assert min(map(read, found)) < read(parse(step, old)) or read(parse(step, old)) == low
    assert len({read(value) for value in found}) > 2
    assert parse(step, old) not in found
    assert parse(step, new) not in found


def test_layers_are_widened_alike() -> None:
    for change in drawn({"predict": "mlp(100, 200)"}, {"predict": "mlp(400, 800)"}):
        assert change is not None
        first, second = parse("predict", change["predict"]).widths
        assert second / first == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [
        ("initialize", "zeros()", "kaiming_normal()"),
        ("step", "sgd(lr=0.1)", "adam(lr=0.001)"),
        ("predict", "linear()", "mlp(32)"),
        ("predict", 'mlp(30, 30, activation="sigmoid")', "mlp(30, 30)"),
        ("predict", 'cnn(8, activation="sigmoid")', "cnn(8)"),
        ("loss", "mean_squared_error()", "cross_entropy()"),
        ("gradient", "chain_rule()", "auto(clip=1.0)"),
        ("step", "sgd(lr=0.1, momentum=0.9)", "sgd(lr=0.1)"),
    ],
)
def test_a_name_is_neither_the_old_nor_the_new(step: str, old: str, new: str) -> None:
    found = [
        parse(step, change[step])
        for change in drawn({step: old}, {step: new})
        if change is not None
    ]
    assert len(found) == 60
    assert parse(step, old) not in found
    assert parse(step, new) not in found
    assert len({repr(value) for value in found}) > 1 or step == "gradient"


def test_another_activation_keeps_the_network_otherwise() -> None:
    found = {
        change["predict"]
        for change in drawn(
            {"predict": 'mlp(30, 20, activation="sigmoid")'}, {"predict": "mlp(30, 20)"}
        )
        if change
    }
    assert {repr(with_arguments(parse("predict", text), activation="relu")) for text in found} == {
        "mlp(30, 20)"
    }


def test_what_the_remedy_leaves_as_it_is_stays() -> None:
    held = {"predict": "mlp(8)", "initialize": "kaiming_normal()"}
    for change in drawn(held, {"predict": "mlp(32)", "initialize": "kaiming_normal()"}):
        assert change is not None
        assert change["initialize"] == "kaiming_normal()"
        assert change["predict"] != "mlp(8)"


def test_data_have_two_changes() -> None:
    assert drawn({}, {"data": "standardize()"}, 3) == [{"data": "unit()"}] * 3
    assert drawn({}, {"data": "unit()"}, 3) == [{"data": "standardize()"}] * 3


@pytest.mark.parametrize(
    ("held", "change"),
    [
        (
            {"stop": "epochs(10)"},
            {"stop": "max_steps(5000)"},
        ),  # no rule can be written without a number
        ({"step": "sgd(lr=0.1)"}, {"step": "sgd(lr=0.1)"}),  # a remedy that is none
        (
            {"repeat": "batches(1)"},
            {"repeat": "batches(2)"},
        ),  # rounded, it is always one of the two
    ],
)
def test_where_there_is_none_that_is_the_answer(held: Mapping[str, str], change: Change) -> None:
    assert drawn(held, change, 3) == [None] * 3


def test_a_loop_of_yours_may_have_no_value_to_start_from() -> None:
    for change in drawn({}, {"step": "sgd(lr=0.1)", "initialize": "kaiming_normal()"}):
        assert change is not None
        assert not change["step"].startswith("sgd")
        assert change["initialize"] != "kaiming_normal()"


@pytest.mark.parametrize(
    ("old", "new"),
    [("sgd(lr=1e38)", "sgd(lr=0.1)"), ("sgd(lr=0.1, momentum=0.99)", "sgd(lr=0.1, momentum=0.1)")],
)
def test_what_no_step_takes_is_drawn_again(old: str, new: str) -> None:
    found = drawn({"step": old}, {"step": new})
    assert None not in found
    assert len({str(change) for change in found}) > 5


def test_what_does_not_fit_is_drawn_again_but_not_for_ever() -> None:
    asked: list[Change] = []

    def never(change: Change) -> None:
        asked.append(change)
        raise ArgumentError("no")

    assert (
        random_change(
            {"initialize": parse("initialize", "zeros()")},
            {"initialize": "kaiming_normal()"},
            generator(),
            never,
        )
        is None
    )
    assert len(asked) == TRIES


@pytest.mark.parametrize(
    ("source", "given", "change"),
    [
        ("digits", {"predict": "mlp(9)"}, {"loss": "mean_squared_error()"}),
        ("speed", {"predict": "mlp(9)"}, {"loss": "huber()"}),
        ("xor", {"predict": "linear()"}, {"predict": "mlp(9)"}),
        (
            "iris",
            {"predict": "mlp(9)", "initialize": "zeros()"},
            {"initialize": "kaiming_normal()"},
        ),
        (
            "digits",
            {"predict": "linear()"},
            {"predict": "mlp(32)"},
        ),  # neither neuron() nor pixel_similarity() of ten classes is refused alike
        ("xor", {"predict": "mlp(4)"}, {"repeat": "batches(100)"}),
    ],
)
@pytest.mark.sampled(2)
def test_what_is_drawn_for_a_recipe_fits_it(
    source: str, given: dict[str, str], change: Change
) -> None:
    recipe = resolve(Recipe(ss.data.load(source), **given)).recipe  # type: ignore[arg-type]
    draw, one = generator(), random_change_of(recipe)
    found = [one(change, draw) for _ in range(20)]
    assert any(found)
    for other in found:
        if other is not None:
            resolved = resolve(changed(recipe, other)).recipe
            assert resolved.steps != recipe.steps
            assert resolved.steps != resolve(changed(recipe, change)).recipe.steps


def test_what_a_remedy_leaves_to_us_is_not_drawn_either() -> None:
    recipe = resolve(
        Recipe(ss.data.load("iris"), predict="mlp(4)", loss="mean_squared_error()")
    ).recipe
    assert repr(resolve(changed(recipe, {"loss": "auto()"})).recipe.loss) == "cross_entropy()"
    draw, one = generator(), random_change_of(recipe)
    found = {str(one({"loss": "auto()"}, draw)) for _ in range(40)}
    assert len(found) > 1
    assert not any("cross_entropy()" in text and "binary" not in text for text in found)


# -- a value with other arguments ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "text", "given", "wanted"),
    [
        (
            "predict",
            'mlp(30, 20, activation="tanh", dropout=0.1)',
            {"widths": (5,)},
            'mlp(5, activation="tanh", dropout=0.1)',
        ),
        ("predict", "mlp(30)", {"activation": "selu"}, 'mlp(30, activation="selu")'),
        (
            "predict",
            "cnn(8, 16, dense=(32,))",
            {"activation": "elu"},
            'cnn(8, 16, activation="elu", dense=(32,))',
        ),
        ("step", "sgd(lr=0.1, momentum=0.9)", {"lr": 0.5}, "sgd(lr=0.5, momentum=0.9)"),
        (
            "predict",
            'module("a.b:c", 3, width=5)',
            {"path": "a.b:d"},
            'module("a.b:d", 3, width=5)',
        ),
        ("initialize", "zeros()", {}, "zeros()"),
    ],
)
def test_a_value_is_made_again_with_other_arguments(
    step: str, text: str, given: dict[str, Any], wanted: str
) -> None:
    assert with_arguments(parse(step, text), **given) == parse(step, wanted)


def test_no_other_argument_is_the_same_value() -> None:
    for text in (
        'cnn(8, 16, kernel=5, pool="average", dense=(3, 4), dropout=0.1, batch_norm=True)',
        "neuron('tanh')",
        "polynomial(3)",
    ):
        value = parse("predict", text)
        assert with_arguments(value) == value
