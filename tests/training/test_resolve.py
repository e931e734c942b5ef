"""What a recipe leaves open is chosen with a reason; what does not fit is refused."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.errors import Error
from sevensteps.steps import STEPS
from sevensteps.training.recipe import KINDS, Recipe
from sevensteps.training.resolve import resolve

SOURCES = ["digits", "digits37", "speed", "xor", "circles", "blobs", "iris", "diabetes"]


@pytest.mark.parametrize("source", SOURCES)
def test_everything_left_open_is_chosen_with_a_reason(source: str) -> None:
    resolved = resolve(Recipe(source))
    recipe = resolved.recipe
    for step in STEPS:
        assert isinstance(getattr(recipe, step), KINDS[step])
        assert len(recipe.reasons[step]) > 15
        assert "as asked" not in recipe.reasons[step]
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert resolved.output.reason in recipe.reasons["predict"]
    assert recipe.reasons["loss"].startswith(resolved.data.task.reason)


@pytest.mark.skipif(find_spec("numba") is None, reason="needs Numba")
@pytest.mark.parametrize(
    ("stop", "alone", "chosen"),
    [
        ("epochs(1000)", True, "compiled(clip=1.0)"),
        ("epochs(1000)", False, "chain_rule(clip=1.0)"),
        ("epochs(10)", True, "chain_rule(clip=1.0)"),
        ("seconds(60)", True, "compiled(clip=1.0)"),
        ("seconds(1) | epochs(1000)", True, "chain_rule(clip=1.0)"),
        ("patience(1) | seconds(60)", True, "chain_rule(clip=1.0)"),
        ("accuracy(1.0)", True, "chain_rule(clip=1.0)"),
    ],
)
def test_many_small_steps_of_one_network_are_taken_as_machine_code(
    stop: str, alone: bool, chosen: str
) -> None:
    wanted = {"predict": "mlp(5)", "gradient": "auto(clip=1.0)", "repeat": "batches(1)"}
    recipe = resolve(Recipe("iris", **wanted, stop=stop), alone=alone).recipe
    assert repr(recipe.gradient) == chosen
    assert ("machine code" in recipe.reasons["gradient"]) == chosen.startswith("compiled")
    assert resolve(recipe).recipe == recipe, "and stays"


CHOICES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "digits",
        {},
        {
            "initialize": "kaiming_normal()",
            "predict": "cnn(16, 32)",
            "loss": "cross_entropy()",
            "gradient": "chain_rule()",
            "step": "adam(lr=one_cycle(0.01))",
            "repeat": "batches(64)",
            "stop": "epochs(52)",
        },
    ),
    (
        "speed",
        {},
        {
            "predict": "mlp(100)",
            "loss": "mean_squared_error()",
            "repeat": "full_batch()",
            "step": "adam(lr=0.003)",
            "stop": "epochs(300) | patience(20)",
        },
    ),
    (
        "digits37",
        {"predict": "linear"},
        {"initialize": "zeros()", "loss": "binary_cross_entropy()"},
    ),
    (
        "digits37",
        {"predict": "neuron('step')"},
        {"loss": "mean_absolute_error()", "gradient": "perceptron_rule()", "step": "sgd(lr=1.0)"},
    ),
    ("digits37", {"predict": "mlp(3, activation='tanh')"}, {"initialize": "xavier_normal()"}),
    ("digits37", {"predict": "mlp(3, activation='selu')"}, {"initialize": "lecun_normal()"}),
    (
        "digits37",
        {"predict": "pixel_similarity"},
        {"initialize": "class_means()", "gradient": "autograd()", "stop": "epochs(0)"},
    ),
    (
        "digits",
        {
            "predict": "auto(activation='gelu')",
            "step": "auto(lr=0.05)",
            "gradient": "auto(clip=1.0)",
            "repeat": "auto(size=10)",
        },
        {
            "predict": 'cnn(16, 32, activation="gelu")',
            "step": "adam(lr=0.05)",
            "gradient": "chain_rule(clip=1.0)",
            "repeat": "batches(10)",
        },
    ),
    ("digits", {"stop": "epochs(3) | patience(2)"}, {"step": "adam(lr=0.003)"}),
    ("digits", {"stop": "max_steps(7)"}, {"step": "adam(lr=one_cycle(0.01))"}),
]


@pytest.mark.parametrize(
    ("source", "asked", "chosen"), CHOICES, ids=[f"{s} {list(a.values())}" for s, a, _ in CHOICES]
)
def test_what_is_chosen(source: str, asked: dict[str, Any], chosen: dict[str, str]) -> None:
    recipe = resolve(Recipe(source, **asked)).recipe
    assert {step: repr(getattr(recipe, step)) for step in chosen} == chosen


def test_what_was_asked_for_is_kept_and_said_to_be() -> None:
    asked = {"predict": ss.mlp(5), "step": ss.sgd(lr=0.2), "stop": ss.epochs(2)}
    recipe = resolve(Recipe("xor", **asked, seed=4, precision="float64")).recipe
    assert {step: getattr(recipe, step) for step in asked} == asked
    assert (recipe.reasons["step"], recipe.reasons["stop"]) == ("as asked", "as asked")
    assert recipe.reasons["predict"].startswith("as asked; the targets are two classes")
    assert (recipe.seed, recipe.precision) == (4, "float64")
    assert resolve(recipe).recipe == recipe


MISFITS: list[tuple[str, dict[str, Any], str]] = [
    (
        "digits",
        {"stop": "patience(3)", "step": "sgd(lr=cosine(0.1))"},
        "cosine(0.1) needs to know how many steps there will be, but patience(3) does not say; "
        "join it with epochs(…) or max_steps(…), "
        "as in epochs(100) | patience(5)",
    ),
    (
        "digits",
        {"stop": "seconds(1)", "step": "adam(lr=one_cycle(0.1))"},
        "one_cycle(0.1) needs to know how many steps there will be, but seconds(1) does not say; "
        "join it with epochs(…) or max_steps(…), "
        "as in epochs(100) | patience(5)",
    ),
    (
        "digits37",
        {"predict": "pixel_similarity", "stop": "epochs(3)"},
        "pixel_similarity() has no trainable parameter, so there is nothing to repeat; leave stop "
        "out, or use epochs(0)",
    ),
    (
        "digits",
        {"initialize": "as_given"},
        "as_given keeps the parameters of a network from outside, but cnn(16, 32) comes without "
        "any; use kaiming_normal()",
    ),
    (
        "digits",
        {"repeat": "batches(5000)"},
        "a batch of 5000 is larger than the 1438 training samples; use batches(64) or full_batch()",
    ),
    (
        "speed",
        {"repeat": "batches(21)"},
        "a batch of 21 is larger than the 20 training samples; use batches(20) or full_batch()",
    ),
    (
        "speed",
        {"stop": 'patience(3, "accuracy")'},
        'patience(3, "accuracy") waits for accuracy, but each target is a number, which is '
        "measured by loss and r2",
    ),
    (
        "speed",
        {"stop": "epochs(9) | accuracy(0.9)"},
        "accuracy(0.9) waits for accuracy, but each target is a number, which is measured "
        "by loss and r2",
    ),
    (
        "iris",
        {"stop": 'patience(3, "r2")'},
        'patience(3, "r2") waits for r2, but the targets are 3 classes, which is measured by '
        "accuracy and loss",
    ),
    (
        "digits37",
        {"predict": "neuron('step')", "gradient": "chain_rule"},
        "chain_rule: activation is a step activation, whose derivative is 0 everywhere (at 0 it "
        "has none), so nothing would be learned; "
        "use perceptron_rule()",
    ),
    (
        "speed",
        {"loss": "cross_entropy"},
        "cross_entropy judges classes, but each target is a number; use mean_squared_error()",
    ),
    (
        "speed",
        {"predict": "cnn(4)"},
        "cnn reads pictures [channels, height, width], but an input has shape [1]; use mlp(30)",
    ),
    (
        "digits",
        {"gradient": "auto(foo=1)"},
        "gradient=auto() hands on clip and accumulate, not foo; name a method",
    ),
    (
        "digits",
        {"step": "auto(foo=1)"},
        "step: auto(foo=1): got an unexpected keyword argument 'foo'",
    ),
    (
        "digits",
        {"step": "auto(lr=-1)"},
        "lr must be above 0, not -1; try lr=0.1, or a schedule such as one_cycle(0.1)",
    ),
    ("dgits", {}, "data has no 'dgits'; did you mean 'digits'?"),
]


@pytest.mark.parametrize(
    ("source", "asked", "message"), MISFITS, ids=[message[:40] for *_, message in MISFITS]
)
def test_what_does_not_fit_is_refused_before_anything_is_trained(
    source: str, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(Error) as caught:
        ss.train(source, **asked, out=False)
    assert str(caught.value) == message


def test_every_message_is_one_line() -> None:
    messages = [message for *_, message in MISFITS]
    assert [message for message in messages if re.search(r"\n|\s{2}", message)] == []
