"""What all values of all steps have in common: they are listed, documented, spelled, read back,
compared and refused alike.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sevensteps
from sevensteps import steps
from sevensteps.errors import NotationError
from sevensteps.notation import auto
from tests.steps.examples import EXAMPLES, TEXTS, drawn

NAMES = [(step, name) for step in steps.STEPS for name in steps.module_of(step).__all__]
SPELLED = [(step, name) for step, name in NAMES if name not in ("auto", "loader")]
BIASES = "known: zeros, normal, label_prior"

# For every value that takes arguments: some it refuses, and all that is said about them.
REFUSED: list[tuple[str, str, str]] = [
    (
        "initialize",
        'zeros(bias="zero")',
        """initialize: zeros(bias="zero"): bias has no option 'zero'; did you mean 'zeros'?""",
    ),
    ("initialize", "ones(bias=1)", f"initialize: ones(bias=1): bias has no option 1; {BIASES}"),
    (
        "initialize",
        "ones(3)",
        "initialize: ones: too many positional arguments; it takes ones(*, bias='zeros')",
    ),
    (
        "initialize",
        "constant()",
        "initialize: constant: missing a required argument: 'value'; "
        "it takes constant(value, *, bias='zeros')",
    ),
    (
        "initialize",
        "constant(True)",
        "initialize: constant(True): value must be a finite number, not True",
    ),
    ("initialize", "normal(-0.1)", "initialize: normal(-0.1): std must be at least 0, not -0.1"),
    (
        "initialize",
        "normal(sd=0.1)",
        "initialize: normal: got an unexpected keyword argument 'sd'; it takes normal(std=0.01, "
        "*, bias='zeros')",
    ),
    ("initialize", "uniform(0)", "initialize: uniform(0): a must be above 0, not 0"),
    (
        "initialize",
        "xavier_uniform(-1)",
        "initialize: xavier_uniform(-1): gain must be above 0, not -1",
    ),
    (
        "initialize",
        'xavier_normal("1")',
        """initialize: xavier_normal("1"): gain must be a finite number, not '1'""",
    ),
    (
        "initialize",
        "kaiming_uniform(bias=None)",
        f"initialize: kaiming_uniform(bias=None): bias has no option None; {BIASES}",
    ),
    (
        "initialize",
        'kaiming_normal("normal")',
        "initialize: kaiming_normal: too many positional arguments; "
        "it takes kaiming_normal(*, bias='zeros')",
    ),
    (
        "initialize",
        'lecun_normal(bias="norma")',
        """initialize: lecun_normal(bias="norma"): bias has no option 'norma'; did you mean 'normal'?""",  # noqa: E501
    ),
    ("initialize", "orthogonal(0.0)", "initialize: orthogonal(0.0): gain must be above 0, not 0.0"),
    ("initialize", "lsuv(0)", "initialize: lsuv(0): tolerance must be above 0, not 0"),
    (
        "initialize",
        "lsuv(iterations=0)",
        "initialize: lsuv(iterations=0): iterations must be at least 1, not 0",
    ),
    (
        "initialize",
        "pixel_frequency(1)",
        "initialize: pixel_frequency(1): threshold must be below 1, not 1",
    ),
    (
        "initialize",
        "pytorch_default(1)",
        "initialize: pytorch_default: too many positional arguments; it takes pytorch_default()",
    ),
    (
        "predict",
        'neuron("stepp")',
        """predict: neuron("stepp"): activation has no option 'stepp'; did you mean 'step'?""",
    ),
    (
        "predict",
        'neuron(bias="w1")',
        """predict: neuron(bias="w1"): bias has no option 'w1'; did you mean 'w0'?""",
    ),
    ("predict", "linear(3)", "predict: linear: too many positional arguments; it takes linear()"),
    ("predict", "polynomial(0)", "predict: polynomial(0): degree must be at least 1, not 0"),
    (
        "predict",
        "polynomial(2.0)",
        "predict: polynomial(2.0): degree must be a whole number, not 2.0",
    ),
    (
        "predict",
        "mlp()",
        "predict: mlp(): mlp needs the width of at least one hidden layer, as in mlp(30); without "
        "any it is linear()",
    ),
    (
        "predict",
        "binned_mlp(8, bins=1)",
        "predict: binned_mlp(8, bins=1): bins must be at least 2, not 1",
    ),
    ("predict", "mlp(30, 0)", "predict: mlp(30, 0): a width must be at least 1, not 0"),
    (
        "predict",
        "mlp(30, dropout=1)",
        "predict: mlp(30, dropout=1): dropout must be below 1, not 1",
    ),
    (
        "predict",
        "mlp(30, batch_norm=1)",
        "predict: mlp(30, batch_norm=1): batch_norm must be True or False, not 1",
    ),
    (
        "predict",
        'mlp(30, activation="relU")',
        """predict: mlp(30, activation="relU"): activation has no option 'relU'; did you mean 'relu'?""",  # noqa: E501
    ),
    (
        "predict",
        "mlp(width=30)",
        "predict: mlp: got an unexpected keyword argument 'width'; "
        "it takes mlp(*widths, activation='relu', dropout=0.0, batch_norm=False)",
    ),
    (
        "predict",
        "cnn()",
        "predict: cnn(): cnn needs the channels of at least one convolution, as in cnn(8, 16)",
    ),
    (
        "predict",
        "cnn(8, kernel=4)",
        "predict: cnn(8, kernel=4): kernel must be odd, so that the picture keeps its size, not 4",
    ),
    (
        "predict",
        "cnn(8, dense=(10, 0))",
        "predict: cnn(8, dense=(10, 0)): a width must be at least 1, not 0",
    ),
    (
        "predict",
        'cnn(8, pool="l2")',
        """predict: cnn(8, pool="l2"): pool has no option 'l2'; known: average, max""",
    ),
    (
        "predict",
        'pixel_similarity("l3")',
        """predict: pixel_similarity("l3"): metric has no option 'l3'; did you mean 'l2'?""",
    ),
    (
        "predict",
        'module("nets.build")',
        """predict: module("nets.build"): the network is named as "package.module:factory", not 'nets.build'""",  # noqa: E501
    ),
    (
        "predict",
        "module(3)",
        'predict: module(3): the network is named as "package.module:factory", not 3',
    ),
    ("loss", "huber(0)", "loss: huber(0): delta must be above 0, not 0"),
    (
        "loss",
        "cross_entropy(1)",
        "loss: cross_entropy: too many positional arguments; it takes cross_entropy()",
    ),
    ("gradient", "chain_rule(clip=0)", "gradient: chain_rule(clip=0): clip must be above 0, not 0"),
    ("gradient", "compiled(clip=0)", "gradient: compiled(clip=0): clip must be above 0, not 0"),
    (
        "gradient",
        "autograd(accumulate=0)",
        "gradient: autograd(accumulate=0): accumulate must be at least 1, not 0",
    ),
    (
        "gradient",
        "perceptron_rule(accumulate=1.5)",
        "gradient: perceptron_rule(accumulate=1.5): accumulate must be a whole number, not 1.5",
    ),
    (
        "step",
        "sgd(lr=0)",
        "step: sgd(lr=0): lr must be above 0, not 0; try lr=0.1, or a schedule such as "
        "one_cycle(0.1)",
    ),
    (
        "step",
        "sgd(lr=-0.1)",
        "step: sgd(lr=-0.1): lr must be above 0, not -0.1; try lr=0.1, or a schedule such as "
        "one_cycle(0.1)",
    ),
    (
        "step",
        "sgd(0.1)",
        "step: sgd: too many positional arguments; write: sgd(lr=0.1)",
    ),
    (
        "step",
        "sgd(lr=0.1, momentum=1)",
        "step: sgd(lr=0.1, momentum=1): momentum must be below 1, not 1",
    ),
    (
        "step",
        "sgd(lr=0.1, nesterov=True)",
        "step: sgd(lr=0.1, nesterov=True): nesterov needs momentum, "
        "as in sgd(lr=0.1, momentum=0.9, nesterov=True)",
    ),
    ("step", "sgd(lr=cosine(0))", "step: cosine(0): lr must be above 0, not 0"),
    (
        "step",
        'adam(lr="fast")',
        """step: adam(lr="fast"): lr must be a finite number, not 'fast'; try lr=0.1, or a schedule such as one_cycle(0.1)""",  # noqa: E501
    ),
    (
        "step",
        "adam(betas=0.9)",
        "step: adam(betas=0.9): betas must be two numbers, as in (0.9, 0.999), not 0.9",
    ),
    ("step", "adam(betas=(0.9, 1))", "step: adam(betas=(0.9, 1)): betas must be below 1, not 1"),
    (
        "step",
        "adamw(weight_decay=-1)",
        "step: adamw(weight_decay=-1): weight_decay must be at least 0, not -1",
    ),
    ("step", "rmsprop(alpha=1)", "step: rmsprop(alpha=1): alpha must be below 1, not 1"),
    ("step", "adagrad(eps=0)", "step: adagrad(eps=0): eps must be above 0, not 0"),
    ("step", "constant(0)", "step: constant(0): lr must be above 0, not 0"),
    (
        "step",
        "linear_warmup(0.1, share=0)",
        "step: linear_warmup(0.1, share=0): share must be above 0, not 0",
    ),
    (
        "step",
        "cosine(0.1, final=0.2)",
        "step: cosine(0.1, final=0.2): final must be at most 0.1, not 0.2",
    ),
    ("step", "one_cycle(0.1, rise=1)", "step: one_cycle(0.1, rise=1): rise must be below 1, not 1"),
    (
        "step",
        "one_cycle(0.1, div=0.5)",
        "step: one_cycle(0.1, div=0.5): div must be at least 1, not 0.5",
    ),
    (
        "step",
        "step_decay(0.1, at=(0.5, 1))",
        "step: step_decay(0.1, at=(0.5, 1)): at must be below 1, not 1",
    ),
    (
        "step",
        "step_decay(0.1, gamma=0)",
        "step: step_decay(0.1, gamma=0): gamma must be above 0, not 0",
    ),
    (
        "step",
        "exponential(0.1, final=2)",
        "step: exponential(0.1, final=2): final must be at most 1, not 2",
    ),
    ("repeat", "batches(0)", "repeat: batches(0): size must be at least 1, not 0"),
    (
        "repeat",
        "batches()",
        "repeat: batches: missing a required argument: 'size'; it takes batches(size, *, "
        "shuffle=True, drop_last=False, seed=None)",
    ),
    (
        "repeat",
        "batches(8, shuffle=0)",
        "repeat: batches(8, shuffle=0): shuffle must be True or False, not 0",
    ),
    (
        "repeat",
        "full_batch(8)",
        "repeat: full_batch: too many positional arguments; it takes full_batch()",
    ),
    (
        "repeat",
        'loader("digits")',
        'repeat: loader("digits"): loader takes a DataLoader, or a list of (x, y) batches, not a '
        "str; "
        "it must have a length and allow going over it again",
    ),
    ("stop", "epochs(-1)", "stop: epochs(-1): count must be at least 0, not -1"),
    ("stop", "max_steps(1.5)", "stop: max_steps(1.5): count must be a whole number, not 1.5"),
    ("stop", "seconds(0)", "stop: seconds(0): count must be above 0, not 0"),
    ("stop", "patience(0)", "stop: patience(0): count must be at least 1, not 0"),
    (
        "stop",
        'patience(3, "acuracy")',
        """stop: patience(3, "acuracy"): metric has no option 'acuracy'; did you mean 'accuracy'?""",  # noqa: E501
    ),
    ("stop", "accuracy(99)", "stop: accuracy(99): share must be at most 1, not 99"),
    (
        "stop",
        'loss_below(0.1, on="test")',
        """stop: loss_below(0.1, on="test"): on has no option 'test'; known: train, valid""",
    ),
    (
        "stop",
        "epochs(3) | 5",
        "stop: 'epochs(3) | 5' has '5', which is not a plain value; write: epochs(3) | epochs(5)",
    ),
    (
        "loss",
        "hinge() | hinge()",
        "loss: 'hinge() | hinge()' joins values with |; only stop rules can be joined",
    ),
]


def entry_of(step: str, name: str) -> Any:
    return next(entry for entry in steps.catalog(step) if entry.name == name)


# -- the tables are whole --------------------------------------------------------------------------


@pytest.mark.parametrize("step", steps.STEPS)
def test_every_value_has_an_example(step: str) -> None:
    offered = steps.module_of(step).__all__
    assert [name for name in offered if name != "loader"] == list(EXAMPLES[step])
    assert [entry.name for entry in steps.catalog(step)] == list(offered)
    for name, texts in EXAMPLES[step].items():
        assert texts
        assert all(text.startswith(f"{name}(") for text in texts)


def test_every_value_that_takes_arguments_refuses_some() -> None:
    refused = {(step, text.split("(")[0]) for step, text, _ in REFUSED}
    missing = {
        (step, name) for step, name in NAMES if name != "auto" and entry_of(step, name).arguments
    } - refused
    assert missing == {("gradient", "finite_differences")}  # in test_gradient


# -- listed and documented -------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "name"), NAMES)
def test_the_list_says_what_it_is_and_takes(step: str, name: str) -> None:
    entry, kind = entry_of(step, name), getattr(steps.module_of(step), name)
    assert entry.summary
    assert "\n" not in entry.summary
    assert not entry.summary.endswith(".")
    assert entry.doc == inspect.getdoc(kind)
    plain = [p.replace(annotation=p.empty) for p in inspect.signature(kind).parameters.values()]
    shown = str(inspect.Signature(plain))
    assert entry.arguments == shown.removeprefix("(").removesuffix(")")
    if name != "auto":
        assert re.search(r"Source: .*\w|Formula: .*\w|[=~←].*\w", entry.doc, re.DOTALL)


@pytest.mark.parametrize(("step", "name"), NAMES)
def test_it_is_a_name_of_the_package(step: str, name: str) -> None:
    earlier = next(other for other in steps.STEPS if name in steps.module_of(other).__all__)
    assert getattr(sevensteps, name) is getattr(steps.module_of(earlier), name)


def test_a_recipe_of_an_earlier_version_is_still_read() -> None:
    assert steps.parse("stop", "steps(100) | patience(3)") == steps.parse(
        "stop", "max_steps(100) | patience(3)"
    )
    with pytest.raises(
        NotationError,
        match=r"^stop has no 'step'; write: max_steps\(100\)$",
    ):
        steps.parse("stop", "step(100)")


def test_an_unknown_step_is_named_with_the_nearest() -> None:
    for call in (
        steps.catalog,
        steps.module_of,
        steps.known,
        lambda step: steps.parse(step, "linear()"),
    ):
        with pytest.raises(
            NotationError,
            match=r"^there is no step 'xyz'; known: gradient, initialize, loss, predict, repeat, "
            r"step, stop$",
        ):
            call("xyz")
        with pytest.raises(
            NotationError, match=r"^there is no step 'steps'; did you mean 'step'\?$"
        ):
            call("steps")


# -- spelled, read back, compared ------------------------------------------------------------------


@pytest.mark.parametrize(("step", "text"), TEXTS)
def test_an_example_reads_back(step: str, text: str) -> None:
    value = steps.parse(step, text)
    assert repr(value) == text
    again = steps.parse(step, repr(value))
    assert again == value
    assert hash(again) == hash(value)
    assert copy.deepcopy(value) == value
    assert value != text


@pytest.mark.parametrize(("step", "text"), TEXTS)
def test_an_example_cannot_be_changed(step: str, text: str) -> None:
    value = steps.parse(step, text)
    for name in [field.name for field in dataclasses.fields(value)] or ["other"]:
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
            setattr(value, name, 1)


def test_different_texts_are_different_values() -> None:
    values = [steps.parse(step, text) for step, text in TEXTS if not text.startswith("auto(")]
    assert (
        len({(type(value).__module__, repr(value)) for value in values})
        == len(values)
        == len(set(values))
    )


@pytest.mark.parametrize(("step", "name"), SPELLED)
@given(st.data())
def test_any_value_reads_back(step: str, name: str, data: st.DataObject) -> None:
    value = data.draw(drawn(step, name))
    again = steps.parse(step, repr(value))
    assert again == value
    assert repr(again) == repr(value)
    assert hash(again) == hash(value)


@given(
    st.lists(
        st.sampled_from([name for name in EXAMPLES["stop"] if name != "auto"]).flatmap(
            lambda name: drawn("stop", name)
        ),
        min_size=2,
        max_size=5,
    )
)
def test_any_joined_rules_read_back(rules: list[Any]) -> None:
    joined = rules[0]
    for rule in rules[1:]:
        joined = joined | rule
    assert steps.parse("stop", repr(joined)) == joined
    assert repr(joined) == " | ".join(map(repr, rules))


@pytest.mark.parametrize(
    ("step", "text", "wanted"),
    [
        ("predict", "linear", "linear()"),
        ("predict", " mlp( 30,10 , dropout = .5,) ", "mlp(30, 10, dropout=0.5)"),
        ("predict", "mlp(1_000)", "mlp(1000)"),
        ("predict", "cnn(8, dense=10)", "cnn(8, dense=(10,))"),
        ("predict", "cnn(8, dense=[20, 10])", "cnn(8, dense=(20, 10))"),
        ("predict", "neuron(activation='step')", 'neuron("step")'),
        ("step", "sgd", "sgd(lr=0.1)"),
        ("step", "sgd(lr=1e-1, momentum=0.0)", "sgd(lr=0.1)"),
        ("step", "sgd(lr=+1)", "sgd(lr=1)"),
        ("step", "adam(betas=[0.9, 0.999])", "adam(lr=0.001)"),
        ("step", "step_decay(1, at=0.5)", "step_decay(1, at=(0.5,))"),
        ("stop", "epochs(3)|max_steps(9)", "epochs(3) | max_steps(9)"),
        (
            "stop",
            "epochs(3) | (max_steps(9) | seconds(1))",
            "epochs(3) | max_steps(9) | seconds(1)",
        ),
        ("initialize", "normal(std=0.01)", "normal()"),
        ("initialize", "lsuv(iterations=5, tolerance=0.02)", "lsuv(iterations=5)"),
    ],
)
def test_other_spellings_are_the_same_value(step: str, text: str, wanted: str) -> None:
    assert repr(steps.parse(step, text)) == wanted
    assert steps.parse(step, text) == steps.parse(step, wanted)


def test_auto_hands_on_what_it_is_given() -> None:
    value = steps.parse("step", "auto(lr=cosine(0.1), momentum=0.9)")
    assert isinstance(value, auto)
    assert value.options == {"lr": steps.parse("step", "cosine(0.1)"), "momentum": 0.9}
    assert value == auto(momentum=0.9, lr=steps.parse("step", "cosine(0.1)"))


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "text", "message"), REFUSED)
def test_bad_arguments_are_refused_in_one_line(step: str, text: str, message: str) -> None:
    with pytest.raises(NotationError) as refused:
        steps.parse(step, text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("step", "text", "message"),
    [
        ("predict", "mpl(30)", "predict has no 'mpl'; did you mean 'mlp'?"),
        ("predict", "Linear()", "predict has no 'Linear'; write: linear()"),
        ("initialize", "he_normal()", "initialize has no 'he_normal'; write: kaiming_normal()"),
        ("loss", "mse()", "loss has no 'mse'; write: mean_squared_error()"),
        ("loss", "crossentropy", "loss has no 'crossentropy'; write: cross_entropy()"),
        ("step", "adamax()", "step has no 'adamax'; did you mean 'adam'?"),
        ("step", "Stepper()", "step has no 'Stepper'; did you mean 'step_decay'?"),
        ("stop", "epoch(3)", "stop has no 'epoch'; write: epochs(3)"),
        (
            "stop",
            "Always()",
            "stop has no 'Always'; known: accuracy, auto, epochs, loss_below, max_steps, "
            "patience, seconds",
        ),
        (
            "predict",
            "given()",
            "predict has no 'given'; known: auto, binned_mlp, cnn, linear, mlp, module, neuron, "
            "pixel_similarity, polynomial",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(step: str, text: str, message: str) -> None:
    with pytest.raises(NotationError) as refused:
        steps.parse(step, text)
    assert str(refused.value) == message


@pytest.mark.parametrize("step", steps.STEPS)
def test_every_value_says_what_it_is_and_where_it_comes_from(step: str) -> None:
    entries = steps.catalog(step)
    assert len(entries) >= 2
    for entry in entries:
        assert 10 <= len(entry.summary) <= 110, (
            f"{step}.{entry.name}: {len(entry.summary)} characters: {entry.summary}"
        )
        if entry.name != "auto":
            assert re.search(r"Source|[=≤≥<>²√·×σΣ∂]", entry.doc), (
                f"{step}.{entry.name}: no source, no formula"
            )
