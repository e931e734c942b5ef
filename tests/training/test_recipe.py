"""Recipes: what may stand for a step, and TOML there and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError, Error, NotationError
from sevensteps.steps import STEPS
from sevensteps.steps.predict import given as given_network
from sevensteps.steps.repeat import loader
from sevensteps.steps.step import constant
from sevensteps.training.recipe import KINDS, Recipe, as_recipe, as_value, resolve_device
from sevensteps.training.resolve import resolve

# -- what may stand for a step ---------------------------------------------------------------------

TEXTS = {
    "initialize": ("zeros()", ss.zeros()),
    "predict": ("mlp(30)", ss.mlp(30)),
    "loss": ("huber(0.5)", ss.huber(0.5)),
    "gradient": ("autograd(clip=1.0)", ss.autograd(clip=1.0)),
    "step": ("sgd(lr=cosine(0.1))", ss.sgd(lr=ss.cosine(0.1))),
    "repeat": ("batches(8, shuffle=False)", ss.batches(8, shuffle=False)),
    "stop": ("epochs(3) | patience(2)", ss.epochs(3) | ss.patience(2)),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_a_value_or_its_text_or_left_open(step: str) -> None:
    text, value = TEXTS[step]
    assert as_value(step, text) == value == as_value(step, value)
    assert isinstance(value, KINDS[step])
    assert as_value(step, None) == ss.auto() == as_value(step, "auto") == as_value(step, "auto()")
    assert as_value(step, "auto(a=1)") == ss.auto(a=1) != ss.auto()


@pytest.mark.draws
def test_a_network_and_a_loader_are_wrapped() -> None:
    network = nn.Linear(2, 1)
    wrapped = as_value("predict", network)
    assert isinstance(wrapped, given_network)
    assert wrapped.network is network
    batches = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.zeros(4, 2), torch.zeros(4)), batch_size=2
    )
    assert as_value("repeat", batches) == loader(batches)


REFUSED_VALUES: list[tuple[str, Callable[[], Any], str]] = [
    ("step", lambda: ss.mlp(3), "mlp(3) is no value of the step step; it belongs to predict"),
    ("predict", ss.zeros, "zeros() is no value of the step predict; it belongs to initialize"),
    (
        "stop",
        lambda: ss.batches(4),
        "batches(4) is no value of the step stop; it belongs to repeat",
    ),
    (
        "gradient",
        lambda: 3,
        "3 is no value of the step gradient; it offers auto, chain_rule, compiled, autograd, "
        "finite_differences, "
        "perceptron_rule",
    ),
    (
        "repeat",
        lambda: [1, 2],
        "[1, 2] is no value of the step repeat; it offers auto, batches, full_batch, loader",
    ),
    (
        "step",
        lambda: ss.cosine(0.1),
        "cosine(0.1) is a schedule of the learning rate, not a step; write sgd(lr=cosine(0.1))",
    ),
    (
        "step",
        lambda: "one_cycle(0.1)",
        "one_cycle(0.1) is a schedule of the learning rate, not a step; write "
        "sgd(lr=one_cycle(0.1))",
    ),
    (
        "loss",
        lambda: "mlp(3)",
        "loss has no 'mlp'; known: auto, binary_cross_entropy, cross_entropy, hinge, huber, "
        "mean_absolute_error, mean_squared_error, mnist_loss, negative_log_likelihood",
    ),
    ("predict", lambda: "mpl(3)", "predict has no 'mpl'; did you mean 'mlp'?"),
]


@pytest.mark.parametrize(
    ("step", "held", "message"),
    REFUSED_VALUES,
    ids=[message[:30] for *_, message in REFUSED_VALUES],
)
def test_anything_else_is_refused(step: str, held: Callable[[], Any], message: str) -> None:
    with pytest.raises(Error) as caught:
        as_value(step, held())
    assert str(caught.value) == message


@pytest.mark.draws
def test_a_network_is_no_loss() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"^Linear\(.*\) is no value of the step loss; it offers auto, mean_squared_error, ",
    ):
        as_value("loss", nn.Linear(2, 1))


REFUSED_RECIPES: list[tuple[dict[str, Any], str]] = [
    (
        {"data": 3},
        "data must be a name such as 'digits', or made by sevensteps.data, not a int; "
        "for arrays use sevensteps.data.from_arrays(x, y)",
    ),
    ({"seed": -1}, "seed must be at least 0, not -1"),
    ({"seed": 1.5}, "seed must be a whole number, not 1.5"),
    ({"seed": True}, "seed must be a whole number, not True"),
    ({"threads": 0}, "threads must be at least 1, not 0"),
    ({"precision": "float16"}, "precision has no option 'float16'; did you mean 'float64'?"),
]


@pytest.mark.parametrize(
    ("changed", "message"), REFUSED_RECIPES, ids=[message[:30] for _, message in REFUSED_RECIPES]
)
def test_a_recipe_checks_what_it_holds(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Recipe(**{"data": "digits", **changed})
    assert str(caught.value) == message


def test_an_unknown_device_is_one_line_with_the_fix() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"^device 'abacus' is none of cpu, cuda, mps and auto; use device='cuda' for an "
        "NVIDIA GPU$",
    ):
        Recipe("digits", device="abacus")
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")


def test_a_recipe_knows_its_steps_in_order() -> None:
    recipe = Recipe("digits", predict="linear", step=ss.sgd(lr=0.5))
    assert tuple(recipe.steps) == STEPS
    assert repr(recipe.predict) == "linear()"
    assert recipe.source == "digits"
    assert Recipe(ss.data.load("xor(n=4, noise=0)")).source == "xor(n=4, noise=0)"


# -- TOML ------------------------------------------------------------------------------------------

rates = st.floats(1e-6, 10) | st.sampled_from([1, 0.1, 5e-324])
shares = st.floats(0.01, 0.99)
schedules = st.one_of(
    rates.map(constant),
    st.builds(ss.linear_warmup, rates, share=shares),
    rates.map(ss.cosine),
    st.builds(ss.one_cycle, rates, rise=shares),
    st.builds(ss.step_decay, rates, at=st.lists(shares, max_size=3).map(tuple)),
    st.builds(ss.exponential, rates, final=shares),
)
plain_names = st.text(st.sampled_from("ab_\"'\\ é\n\t"), max_size=6)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "initialize": st.one_of(
        st.builds(
            ss.normal, st.floats(0, 5), bias=st.sampled_from(["zeros", "normal", "label_prior"])
        ),
        st.builds(ss.zeros),
        st.builds(ss.lsuv, shares, iterations=st.integers(1, 9)),
        st.builds(ss.pytorch_default),
    ),
    "predict": st.one_of(
        st.builds(
            lambda widths, **rest: ss.mlp(*widths, **rest),
            st.lists(st.integers(1, 99), min_size=1, max_size=3),
            activation=st.sampled_from(["relu", "tanh", "gelu"]),
            dropout=st.floats(0, 0.9),
            batch_norm=st.booleans(),
        ),
        st.builds(
            lambda channels, dense: ss.cnn(*channels, dense=dense),
            st.lists(st.integers(1, 9), min_size=1, max_size=2),
            st.lists(st.integers(1, 9), max_size=2),
        ),
        st.builds(
            ss.neuron, st.sampled_from(["step", "sigmoid"]), bias=st.sampled_from(["b", "w0"])
        ),
        st.builds(ss.linear),
        st.builds(ss.polynomial, st.integers(1, 5)),
        st.builds(ss.pixel_similarity, st.sampled_from(["l1", "l2"])),
        st.builds(
            lambda *given, **named: ss.module("some.package:factory", *given, **named),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | plain_names,
            st.lists(st.integers(), max_size=2).map(tuple),
            hidden=st.integers(),
        ),
    ),
    "loss": st.one_of(
        st.builds(ss.huber, rates),
        st.sampled_from([ss.cross_entropy(), ss.mnist_loss(), ss.hinge()]),
    ),
    "gradient": st.one_of(
        st.builds(ss.chain_rule, clip=st.none() | rates, accumulate=st.integers(1, 8)),
        st.builds(ss.finite_differences, st.floats(1e-9, 0.1)),
    ),
    "step": st.one_of(
        st.builds(
            ss.sgd,
            lr=rates | schedules,
            momentum=shares,
            nesterov=st.booleans(),
            weight_decay=st.floats(0, 1),
        ),
        st.builds(ss.adam, lr=rates | schedules, betas=st.tuples(shares, shares)),
        st.builds(ss.rmsprop, lr=schedules),
    ),
    "repeat": st.one_of(
        st.builds(ss.batches, st.integers(1, 999), shuffle=st.booleans(), drop_last=st.booleans()),
        st.builds(ss.full_batch),
    ),
    "stop": st.lists(
        st.one_of(
            st.builds(ss.epochs, st.integers(0, 99)),
            st.builds(ss.max_steps, st.integers(0, 99)),
            st.builds(ss.seconds, rates),
            st.builds(ss.patience, st.integers(1, 9), st.sampled_from(["loss", "accuracy", "r2"])),
            st.builds(ss.accuracy, shares),
            st.builds(ss.loss_below, st.floats(-9, 9), on=st.sampled_from(["train", "valid"])),
        ),
        min_size=1,
        max_size=3,
    ).map(
        lambda rules: (
            rules[0]
            if len(rules) == 1
            else rules[0] | (rules[1] if len(rules) == 2 else rules[1] | rules[2])
        )
    ),
}
recipes = st.builds(
    Recipe,
    st.text(st.characters(exclude_categories=["Cs"])),
    **{step: st.none() | values for step, values in VALUES.items()},
    seed=st.integers(0, 2**40),
    threads=st.none() | st.integers(1, 64),
    precision=st.sampled_from(["float32", "float64"]),
    reasons=st.dictionaries(
        st.sampled_from([*STEPS, "threads"]), st.text(st.characters(exclude_categories=["Cs"]))
    ),
)


@settings(max_examples=150)
@given(recipes)
def test_toml_gives_the_recipe_back(recipe: Recipe) -> None:
    again = Recipe.from_toml(recipe.to_toml(), allow_code=True)
    assert again == recipe
    assert again.steps == recipe.steps
    assert again.to_toml() == Recipe(**{**vars(recipe), "reasons": {}}).to_toml()


def test_toml_as_people_read_it(tmp_path: Path) -> None:
    resolved = resolve(
        Recipe(
            "xor",
            predict=ss.mlp(4, activation="tanh"),
            stop=ss.epochs(3) | ss.patience(2, "accuracy"),
        )
    ).recipe
    text = resolved.to_toml()
    assert text.splitlines()[:4] == [
        "# a sevensteps recipe; run it again with: sevensteps train --recipe FILE",
        'data = "xor"',
        'initialize = "xavier_normal()" # tanh units keep signal and gradient with weights of '
        "variance 2/(inputs + outputs)",
        'predict = "mlp(4, activation=\\"tanh\\")" # as asked; the targets are two classes, no '
        "and yes: one output, its sigmoid is the "
        "probability of yes",
    ]
    assert text.splitlines()[-4:] == [
        'stop = "epochs(3) | patience(2, \\"accuracy\\")" # as asked',
        "seed = 0",
        'device = "cpu"',
        'precision = "float32"',
    ]
    file = tmp_path / "my.toml"
    file.write_text(text)
    assert (
        Recipe.from_toml(file) == Recipe.from_toml(str(file)) == Recipe.from_toml(text) == resolved
    )


BAD_TOML: list[tuple[str, str]] = [
    (
        'data = "digits"\nprdict = "mlp(3)"\n',
        "recipe: unknown key 'prdict'; did you mean 'predict'?",
    ),
    (
        'data = "digits"\nreasons = "x"\n',
        "recipe: unknown key 'reasons'; did you mean 'precision'?",
    ),
    (
        'data = "digits"\n[steps]\npredict = "mlp(3)"\n',
        "recipe: unknown key 'steps'; did you mean 'step'?",
    ),
    (
        'data = "digits"\nqqq = 1\n',
        "recipe: unknown key 'qqq'; known: data, device, gradient, initialize, loss, precision, "
        "predict, "
        "repeat, seed, step, stop, threads",
    ),
    ("data = 3\n", "recipe: data must be a text in quotes, not 3"),
    ('data = "digits"\nseed = "a"\n', "recipe: seed must be a whole number, not 'a'"),
    ('data = "digits"\nseed = 1.0\n', "recipe: seed must be a whole number, not 1.0"),
    ('data = "digits"\nthreads = true\n', "recipe: threads must be a whole number, not True"),
    (
        'data = "digits"\npredict = ["mlp(3)"]\n',
        """recipe: predict must be a text in quotes, as in predict = "neuron()", not ['mlp(3)']""",
    ),
    ("seed = 3\n", 'recipe: the key data is missing; name the data, as in data = "digits"'),
    ("data = \n", "recipe is not valid TOML: Invalid value (at line 1, column 8)"),
    (
        'data = "digits"\ndata = "xor"\n',
        "recipe is not valid TOML: Cannot overwrite a value (at line 2, column 13)",
    ),
    (
        'data = "digits"\nstep = "sgd(lr=-1)"\n',
        "step: sgd(lr=-1): lr must be above 0, not -1; try lr=0.1, or a schedule such as "
        "one_cycle(0.1)",
    ),
    ('data = "digits"\nseed = -1\n', "seed must be at least 0, not -1"),
    (
        'data = "digits"\npredict = "module(\'os:getcwd\')"\n',
        'recipe: predict = module("os:getcwd") would run code from this machine; allow it with '
        "--allow-code (allow_code=True) if you "
        "trust the recipe",
    ),
    ("#" * 100_001 + "\n", "recipe has 100002 characters; a recipe has at most 100000"),
    ("data = " + "[" * 5000 + "\n", "recipe is not valid TOML: "),
]


@pytest.mark.parametrize(
    ("text", "message"), BAD_TOML, ids=[message[:45] for _, message in BAD_TOML]
)
def test_toml_that_is_no_recipe(text: str, message: str) -> None:
    with pytest.raises(Error) as caught:
        Recipe.from_toml(text)
    assert str(caught.value) == message or (
        message.endswith(": ") and str(caught.value).startswith(message)
    )


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    with pytest.raises(NotationError) as caught:
        Recipe.from_toml(file)
    assert (
        str(caught.value)
        == f"there is no recipe {file}; write one with Recipe.to_toml(), or take a run's "
        "recipe.toml"
    )
    file.write_bytes(b"data = '\xff'\n")
    with pytest.raises(NotationError) as caught:
        Recipe.from_toml(str(file))
    assert str(caught.value).startswith(
        f"{file} cannot be read: 'utf-8' codec can't decode byte 0xff"
    )
    file.write_text('data = "digits"\nlos = "auto"\n')
    with pytest.raises(NotationError) as caught:
        Recipe.from_toml(file)
    assert str(caught.value) == f"{file}: unknown key 'los'; did you mean 'loss'?"


def test_code_that_a_recipe_names_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('the trap was imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = 'data = "digits"\npredict = "module(\'trap:net\')"\n'
    with pytest.raises(NotationError, match="would run code from this machine"):
        Recipe.from_toml(text)
    # reading it is still not running it
    assert repr(Recipe.from_toml(text, allow_code=True).predict) == 'module("trap:net")'


def test_every_message_is_one_line() -> None:
    messages = [message for *_, message in [*REFUSED_VALUES, *REFUSED_RECIPES, *BAD_TOML]]
    assert [message for message in messages if re.search(r"\n|\s{2}", message)] == []


def test_what_belongs_to_the_data_is_said_to() -> None:
    with pytest.raises(
        ArgumentError, match=r'^train: target belongs .*ss\.data\.load\("FILE", target=…\)\)$'
    ):
        as_recipe("prices.csv", {"target": "price"})
